#include "village/mix/plain_payload.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

constexpr std::size_t n2048 = 1'683;

PlainPayload fragment(ByteView data) {
  PlainPayload payload;
  payload.type = PayloadType::data;
  payload.message_id.fill(std::byte{9});
  payload.data = data;
  return payload;
}

TEST(PlainPayload, LeavesRoomForOneAcknowledgementBlock) {
  EXPECT_EQ(fragment_data_bytes(n2048), 1'252U);
  EXPECT_EQ(fragment_data_bytes(2'048), 1'617U);
  EXPECT_EQ(fragment_data_bytes(21), 0U);
  const Bytes block(limits::reply_block_bytes, std::byte{1});
  const Bytes data(fragment_data_bytes(n2048) + 1, std::byte{2});
  Bytes out(n2048);
  auto payload = fragment(data);
  payload.reply_blocks.push_back({1, ReplyForm::last_seed, block});
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::limit_exceeded);
  payload.data = ByteView{data}.first(fragment_data_bytes(n2048));
  EXPECT_TRUE(write_plain_payload(payload, out));
}

TEST(PlainPayload, WritesNothingItWouldRefuse) {
  Bytes out(n2048);
  const Bytes data(3), odd_block(100);
  auto payload = fragment(data);
  payload.index = 1;
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::bad_argument);
  payload = fragment({});
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::bad_argument);
  payload = fragment(data);
  payload.type = PayloadType::loop;
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::bad_argument);
  payload = fragment(data);
  payload.reply_blocks.push_back({1, ReplyForm::last_seed, odd_block});
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::bad_argument);
  payload = fragment(data);
  payload.count = limits::fragments_max + 1;
  EXPECT_EQ(write_plain_payload(payload, out).error().code, Errc::bad_argument);
}

TEST(PlainPayload, HasOneEncoding) {
  const std::uint64_t seed = 4;
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  const Bytes block(limits::reply_block_bytes, std::byte{1}), data(40, std::byte{2});
  auto payload = fragment(data);
  payload.count = 3;
  payload.reply_blocks.push_back({77, ReplyForm::last_seed, block});
  Bytes good(n2048);
  ASSERT_TRUE(write_plain_payload(payload, good));
  for (int i = 0; i < 20'000; ++i) {  // whatever parses again is written the same way
    auto bad = good;
    bad[random.below(bad.size())] = static_cast<std::byte>(random.u64());
    const auto parsed = parse_plain_payload(bad, bad.size());
    if (!parsed) continue;
    Bytes again(n2048);
    ASSERT_TRUE(write_plain_payload(*parsed, again));
    ASSERT_EQ(again, bad);
  }
}

}  // namespace
}  // namespace village::mix
