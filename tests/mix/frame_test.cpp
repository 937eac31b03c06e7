#include "village/mix/frame.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

Bytes frame(Profile profile) {
  Bytes bytes(frame_bytes(profile), std::byte{7});
  write_frame_header(profile, std::byte{2}, std::span{bytes}.first<frame_header_bytes>());
  return bytes;
}

Drop refusal(Profile profile, ByteView bytes) {
  const auto read = read_frame(profile, bytes);
  EXPECT_FALSE(read);
  return drop_of(read.error());
}

TEST(Frame, HasTheSizesOfTheProfiles) {
  EXPECT_EQ(frame_bytes(Profile::n2048), 2'052U);
  EXPECT_EQ(frame_bytes(Profile::nreg), 2'417U);
  EXPECT_EQ(to_hex(ByteView{frame(Profile::n2048)}.first(4)), "08400002");
  EXPECT_EQ(to_hex(ByteView{frame(Profile::nreg)}.first(4)), "08010002");
}

TEST(Frame, ReadsWhatItWrote) {
  for (const auto profile : {Profile::n2048, Profile::nreg}) {
    const auto bytes = frame(profile);
    const auto read = read_frame(profile, bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->rotation, std::byte{2});
    EXPECT_EQ(read->packet.size(), packet_bytes(profile));
    EXPECT_EQ(read->packet.data(), bytes.data() + 4);
  }
}

TEST(Frame, NamesTheReasonOfARefusal) {
  auto bytes = frame(Profile::n2048);
  EXPECT_EQ(refusal(Profile::n2048, ByteView{bytes}.first(2'051)), Drop::length);
  EXPECT_EQ(refusal(Profile::n2048, {}), Drop::length);
  EXPECT_EQ(refusal(Profile::nreg, bytes), Drop::length);
  bytes[0] = std::byte{7};
  EXPECT_EQ(refusal(Profile::n2048, bytes), Drop::version);
  bytes = frame(Profile::n2048);
  bytes[1] = std::byte{1};  // the tag of another size than the frame has
  EXPECT_EQ(refusal(Profile::n2048, bytes), Drop::length);
  bytes = frame(Profile::n2048);
  bytes[2] = std::byte{2};  // Outfox
  EXPECT_EQ(refusal(Profile::n2048, bytes), Drop::flag);
}

TEST(Frame, RefusesRotationsThatNameNoKey) {
  auto bytes = frame(Profile::n2048);
  for (unsigned rotation = 0; rotation < 256; ++rotation) {
    bytes[3] = std::byte(rotation);
    if (rotation == 1 || rotation == 2) {
      EXPECT_TRUE(read_frame(Profile::n2048, bytes));
    } else {
      EXPECT_EQ(refusal(Profile::n2048, bytes), Drop::route);
    }
  }
}

}  // namespace
}  // namespace village::mix
