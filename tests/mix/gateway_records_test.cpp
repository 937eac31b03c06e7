#include "village/mix/gateway_records.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

class GatewayRecordsProfile : public testing::TestWithParam<std::size_t> {
 protected:
  GatewayRecords records{GetParam()};
  Bytes record = Bytes(records.record_bytes(), std::byte{0xaa});
  SeededRandom random{7};
  Bytes some(std::size_t size) {
    Bytes bytes(size);
    random.fill(bytes);
    return bytes;
  }
};

TEST_P(GatewayRecordsProfile, CarriesPackets) {
  const auto packet = some(records.packet_bytes());
  UpRecord up;
  up.kind = UpRecord::Kind::packet;
  up.acknowledged = {5, 6, 0, 0, 0, 0, 0, ~0ULL};
  up.rotation = std::byte{2};
  random.fill(up.first);
  up.packet = packet;
  ASSERT_TRUE(records.write(up, record));
  const auto read = records.read_up(record).value();
  EXPECT_EQ(read.kind, UpRecord::Kind::packet);
  EXPECT_EQ(read.acknowledged, up.acknowledged);
  EXPECT_EQ(read.rotation, up.rotation);
  EXPECT_EQ(read.first, up.first);
  EXPECT_EQ(to_bytes(read.packet), packet);
}

TEST_P(GatewayRecordsProfile, CarriesDeliveries) {
  const auto payload = some(records.payload_bytes());
  DownRecord down;
  down.kind = DownRecord::Kind::delivery;
  down.sequence = 0x0102030405060708;
  random.fill(down.identifier);
  down.payload = payload;
  ASSERT_TRUE(records.write(down, record));
  const auto read = records.read_down(record).value();
  EXPECT_EQ(read.kind, DownRecord::Kind::delivery);
  EXPECT_EQ(read.sequence, down.sequence);
  EXPECT_EQ(read.identifier, down.identifier);
  EXPECT_EQ(to_bytes(read.payload), payload);
}

TEST_P(GatewayRecordsProfile, CarriesHelloWelcomeAndNothing) {
  UpRecord up;
  up.kind = UpRecord::Kind::hello;
  up.version = gateway_records_version;
  up.packet_bytes = static_cast<std::uint32_t>(records.packet_bytes());
  ASSERT_TRUE(records.write(up, record));
  EXPECT_EQ(records.read_up(record).value().packet_bytes, records.packet_bytes());
  DownRecord down;
  down.kind = DownRecord::Kind::welcome;
  down.version = gateway_records_version;
  down.answer = Answer::busy;
  down.waiting = 77;
  ASSERT_TRUE(records.write(down, record));
  EXPECT_EQ(records.read_down(record).value().answer, Answer::busy);
  EXPECT_EQ(records.read_down(record).value().waiting, 77U);
  ASSERT_TRUE(records.write(UpRecord{}, record));
  EXPECT_EQ(records.read_up(record).value().kind, UpRecord::Kind::empty);
  ASSERT_TRUE(records.write(DownRecord{}, record));
  EXPECT_EQ(records.read_down(record).value().kind, DownRecord::Kind::empty);
}

TEST_P(GatewayRecordsProfile, RefusesWhatItWouldNotWrite) {
  ASSERT_TRUE(records.write(UpRecord{}, record));
  EXPECT_FALSE(records.read_up(ByteView{record}.first(record.size() - 1)));
  for (const std::size_t at : {std::size_t{1}, std::size_t{66}, record.size() - 1}) {
    auto bad = record;
    bad[at] = std::byte{1};
    EXPECT_EQ(records.read_up(bad).error().code, Errc::malformed) << at;
  }
  auto kind = record;
  kind[0] = std::byte{3};
  EXPECT_FALSE(records.read_up(kind));
  EXPECT_FALSE(records.read_down(kind));
  kind[0] = std::byte{2};  // a packet of rotation 0, a delivery of sequence 0
  EXPECT_FALSE(records.read_up(kind));
  EXPECT_FALSE(records.read_down(kind));
  UpRecord up;
  up.kind = UpRecord::Kind::packet;
  up.rotation = std::byte{1};
  EXPECT_EQ(records.write(up, record).error().code, Errc::bad_argument);
  DownRecord down;
  down.kind = DownRecord::Kind::delivery;
  EXPECT_EQ(records.write(down, record).error().code, Errc::bad_argument);
}

INSTANTIATE_TEST_SUITE_P(Profiles, GatewayRecordsProfile, testing::Values(386, 2'048, 2'413));

}  // namespace
}  // namespace village::mix
