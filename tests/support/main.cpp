// Every test program: a doubtful invariant seen false fails the run.
#include <gtest/gtest.h>

#include "village/base/check.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  village::abort_on_bug(true);
  return RUN_ALL_TESTS();
}
