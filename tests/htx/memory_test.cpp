// What a session costs: no allocation per frame, few bytes for a stream and for an idle session.
#include <malloc.h>

#include "htx/pair.hpp"
#include "htx/send_queue.hpp"
#include "htx/stream.hpp"
#include "support/allocations.hpp"
#include "support/sanitizer.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::allocation_count;
using test::Pair;
using test::pattern;

/// Belt carries bytes between two sessions without allocating: fixed buffers, data consumed at once.
struct Belt {
  Pair& pair;
  Bytes there = Bytes(256 << 10), back = Bytes(256 << 10);
  std::uint64_t received = 0;

  void run(Session& from, Session& to, Bytes& buffer) {
    while (const auto size = from.poll_transmit(buffer, pair.now)) {
      const auto used = to.receive(ByteSpan{buffer}.first(size), pair.now);
      if (!used || *used != size) ADD_FAILURE() << "frames do not come through";
      while (auto event = to.poll_event()) {
        auto* data = std::get_if<StreamData>(&*event);
        if (data == nullptr) continue;
        received += data->data.size();
        to.consume(data->stream, data->data.size(), pair.now);
      }
    }
    while (from.poll_event()) {
    }
  }
  void round() {
    run(pair.client.session, pair.server.session, there);
    run(pair.server.session, pair.client.session, back);
  }
};

std::uint64_t allocations_of_bulk(std::size_t lump_bytes, std::size_t streams) {
  Settings settings;
  settings.key_update_frames = std::numeric_limits<std::uint64_t>::max();
  Pair pair{settings, settings};
  pair.pump();
  Belt belt{pair};
  std::vector<StreamId> ids;
  for (std::size_t i = 0; i < streams; ++i) ids.push_back(*pair.client.session.open());
  const auto lump = pattern(lump_bytes, 1);
  const auto turn = [&] {
    for (const auto id : ids) pair.client.session.send(id, lump, false);
    belt.round();
  };
  for (int i = 0; i < 300; ++i) turn();  // warm: blocks, rings and windows have their size
  const auto frames = pair.client.session.statistics().frames_out;
  const auto before = allocation_count();
  for (int i = 0; i < 2'000; ++i) turn();
  const auto allocations = allocation_count() - before;
  EXPECT_GE(pair.client.session.statistics().frames_out, frames + 2'000);
  EXPECT_EQ(belt.received, 2'300 * streams * lump_bytes);
  return allocations;
}

TEST(SessionMemory, BulkAllocatesNothing) { EXPECT_EQ(allocations_of_bulk(100'000, 1), 0U); }
TEST(SessionMemory, SmallMessagesAllocateNothing) { EXPECT_EQ(allocations_of_bulk(64, 1), 0U); }
TEST(SessionMemory, ManyStreamsAllocateNothing) { EXPECT_EQ(allocations_of_bulk(700, 64), 0U); }

TEST(SessionMemory, PingsAndStreamsThatComeAndGoAllocateNothing) {
  Pair pair;
  pair.pump();
  Belt belt{pair};
  const auto turn = [&] {
    pair.client.session.ping(pair.now);
    const auto id = *pair.client.session.open();
    pair.client.session.send(id, as_bytes("ask"), true);
    belt.round();
    pair.server.session.send(id, as_bytes("answer"), true);
    belt.round();
    belt.round();
  };
  for (int i = 0; i < 2'000; ++i) turn();
  const auto before = allocation_count();
  for (int i = 0; i < 1'000; ++i) turn();
  EXPECT_EQ(allocation_count() - before, 0U);
  EXPECT_EQ(pair.client.session.statistics().streams_open, 0U);
}

/// heap_bytes is what malloc has given out.
std::size_t heap_bytes() { return mallinfo2().uordblks; }

TEST(SessionMemory, AnIdleSessionIsSmall) {
  if (village::test::under_sanitizer) GTEST_SKIP() << "the sanitizers' allocator does not tell";
  constexpr std::size_t count = 200;
  const auto keys = test::session_keys(Role::client, crypto::AeadAlgorithm::aes_256_gcm);
  BlockPool::local().trim();  // of what earlier tests left
  const auto at_start = heap_bytes();
  std::vector<std::unique_ptr<crypto::Sealer>> sealers;
  std::vector<std::unique_ptr<crypto::Opener>> openers;
  for (std::size_t i = 0; i < 2 * count; ++i) {
    sealers.push_back(std::make_unique<crypto::Sealer>(keys.algorithm, keys.client_to_server.view()));
    openers.push_back(std::make_unique<crypto::Opener>(keys.algorithm, keys.client_to_server.view()));
  }
  const auto contexts = heap_bytes() - at_start;
  const auto before = heap_bytes();
  std::vector<std::unique_ptr<Pair>> pairs;
  for (std::size_t i = 0; i < count; ++i) {
    auto pair = std::make_unique<Pair>();
    pair->pump();
    // A busy time, then silence: memory of 200 streams and 5 MB goes back.
    for (int k = 0; k < 20; ++k) {
      const auto id = *pair->client.session.open();
      pair->client.session.send(id, pattern(20'000, 1), true);
      pair->pump();
      pair->server.session.finish(id);
      pair->pump();
    }
    pair->now += std::chrono::seconds{21};
    for (auto* end : {&pair->client, &pair->server}) {
      end->session.on_deadline(pair->now);
      *end = test::End{std::move(end->session)};  // what the test itself keeps does not count
    }
    pair->pump();
    for (auto* end : {&pair->client, &pair->server}) *end = test::End{std::move(end->session)};
    pairs.push_back(std::move(pair));
  }
  BlockPool::local().trim();
  const auto each = (heap_bytes() - before - contexts) / (2 * count);
  RecordProperty("bytes", static_cast<int>(each));
  EXPECT_LE(each, 8'192U);
}

TEST(SessionMemory, AnIdleStreamIsSmall) { EXPECT_LE(sizeof(Stream) + 32, 256U); }

}  // namespace
}  // namespace village::htx
