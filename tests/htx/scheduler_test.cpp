// Who is served next: classes, and turns within a class.
#include "htx/scheduler.hpp"

#include "htx/raw_peer.hpp"
#include "htx/stream_table.hpp"

namespace village::htx {
namespace {

using test::pattern;
using test::RawPeer;

/// shares drains `session` frame by frame and counts the data of each stream among the first `bytes`.
std::map<StreamId, std::size_t> shares(RawPeer& peer, std::size_t bytes) {
  std::map<StreamId, std::size_t> result;
  std::size_t sum = 0;
  for (const auto& frame : peer.collect()) {
    if (frame.header.type != FrameType::stream) continue;
    const auto size = parse_stream_frame(frame.plaintext)->data.size();
    if (sum + size > bytes) break;
    result[frame.header.stream] += size;
    sum += size;
  }
  return result;
}

TEST(Scheduler, LowerClassesGoFirstButBulkIsNotStarved) {
  Settings settings;
  settings.send_buffer_bytes = 8 << 20;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.credit(0, 1 << 30);
  const auto lump = pattern(2 << 20, 1);
  for (const StreamId id : {3U, 5U, 7U}) {
    peer.data(id, 0, {});
    peer.credit(id, 1 << 30);
    peer.end.session.send(id, lump, false);
  }
  peer.end.session.set_priority(3, Priority::bulk);
  peer.end.session.set_priority(7, Priority::urgent);
  auto share = shares(peer, 2 << 20);
  EXPECT_GT(share[7], (2U << 20) * 8 / 10);
  EXPECT_GE(share[3], (2U << 20) / 20);
  EXPECT_GE(share[5], (2U << 20) / 20);
}

TEST(Scheduler, StreamsOfOneClassShareByBytes) {
  Settings settings;
  settings.send_buffer_bytes = 8 << 20;
  RawPeer peer{Role::client, settings};
  peer.greet();
  peer.credit(0, 1 << 30);
  for (const StreamId id : {3U, 5U, 7U, 9U}) {
    peer.data(id, 0, {});
    peer.credit(id, 1 << 30);
  }
  // Blocks of stream 3 are small pieces: its frames are smaller, its share is not.
  const auto lump = pattern(1 << 20, 1);
  for (const StreamId id : {3U, 5U, 7U, 9U}) peer.end.session.send(id, ByteView{lump}.first(1'500), false);
  for (const StreamId id : {3U, 5U, 7U, 9U}) peer.end.session.send(id, lump, false);
  auto share = shares(peer, 2 << 20);
  for (const StreamId id : {3U, 5U, 7U, 9U})
    EXPECT_NEAR(static_cast<double>(share[id]), 524'288, 2 * 16'384) << id;
}

TEST(Scheduler, TurnsAreByDeficit) {
  // One stream offers frames of 3/4 quantum, the other full ones: after many turns both sent the same.
  StreamTable table{Role::client, 1};
  Scheduler scheduler{1'000};
  const SendCredit plenty{limits::credit_max};
  Stream& odd = **table.open_own(Priority::bulk, Instant{});
  Stream& even = **table.open_own(Priority::bulk, Instant{});
  std::map<Stream*, std::uint64_t> sent;
  const auto fill = pattern(750, 1);
  const auto full = pattern(1'000, 1);
  for (int i = 0; i < 5'000; ++i) {
    if (odd.queue.empty()) odd.queue.push(fill, 750);
    if (even.queue.empty()) even.queue.push(full, 1'000);
    (void)odd.credit.add(2'000), (void)even.credit.add(2'000);
    scheduler.place(odd), scheduler.place(even);
    Stream* const turn = scheduler.next(plenty);
    ASSERT_NE(turn, nullptr);
    const auto size = turn->queue.front().size();
    turn->queue.pop(size);
    turn->queue.push(turn == &odd ? fill : full, 1'000);  // always more
    scheduler.sent(*turn, static_cast<std::uint32_t>(size));
    sent[turn] += size;
  }
  EXPECT_NEAR(static_cast<double>(sent[&odd]), static_cast<double>(sent[&even]), 5'000);
  for (Stream* stream : {&odd, &even}) scheduler.withdraw(*stream);
}

}  // namespace
}  // namespace village::htx
