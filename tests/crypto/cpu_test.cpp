#include "village/crypto/cpu.hpp"

#include <gtest/gtest.h>

namespace village::crypto {
namespace {

TEST(CpuLevel, NamesAreReadBack) {
  for (const auto level : {CpuLevel::portable, CpuLevel::avx2, CpuLevel::ifma})
    EXPECT_EQ(parse_cpu_level(name(level)), level);
  EXPECT_EQ(parse_cpu_level("avx9"), std::nullopt);
  EXPECT_EQ(parse_cpu_level(""), std::nullopt);
}

TEST(CpuLevel, AvailableLevelsBeginWithPortableAndHoldTheOneInUse) {
  const auto levels = available_cpu_levels();
  ASSERT_FALSE(levels.empty());
  EXPECT_EQ(levels.front(), CpuLevel::portable);
  EXPECT_LE(cpu_level(), levels.back());
}

TEST(CpuLevel, CanBeChosenAndGivenBack) {
  const auto before = cpu_level();
  for (const auto level : available_cpu_levels()) {
    use_cpu_level(level);
    EXPECT_EQ(cpu_level(), level);
  }
  use_cpu_level(before);
}

}  // namespace
}  // namespace village::crypto
