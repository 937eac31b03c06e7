#include "village/mix/epoch.hpp"

#include <gtest/gtest.h>

namespace village::mix {
namespace {

constexpr std::byte odd{1}, even{2};

TEST(Epochs, CountsLengthsSince1970) {
  const Epochs epochs{30s, 5s};
  EXPECT_EQ(epochs.at(WallTime{29s}), 0U);
  EXPECT_EQ(epochs.at(WallTime{30s}), 1U);
  EXPECT_EQ(epochs.at(WallTime{-1s}), 0U);
  EXPECT_EQ(epochs.start(3), WallTime{90s});
  EXPECT_EQ(epochs.end(3), epochs.start(4));
}

TEST(Epochs, ResolvesTheOtherParityByTheTimeWithinTheEpoch) {
  const Epochs epochs{30s, 5s};  // the key of the next epoch opens in the last 3 s
  const auto start = epochs.start(11);
  EXPECT_EQ(epochs.epoch_of(odd, start), 11U);
  EXPECT_EQ(epochs.epoch_of(even, start), 10U);
  EXPECT_EQ(epochs.epoch_of(even, start + 5s - 1ns), 10U);
  EXPECT_EQ(epochs.epoch_of(even, start + 5s), std::nullopt);
  EXPECT_EQ(epochs.epoch_of(even, start + 27s - 1ns), std::nullopt);
  EXPECT_EQ(epochs.epoch_of(even, start + 27s), 12U);
  EXPECT_EQ(epochs.epoch_of(odd, start + 30s - 1ns), 11U);
}

TEST(Epochs, RefusesRotationsThatNobodySends) {
  const Epochs epochs{30s, 5s};
  for (const unsigned byte : {0U, 3U, 255U})
    EXPECT_EQ(epochs.epoch_of(std::byte(byte), WallTime{1s}), std::nullopt);
  EXPECT_EQ(epochs.epoch_of(odd, WallTime{0s}), std::nullopt);  // no epoch before the first
}

}  // namespace
}  // namespace village::mix
