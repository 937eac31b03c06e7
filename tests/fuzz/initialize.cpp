// libFuzzer calls this once: a doubtful invariant seen false is a finding too.
#include "village/base/check.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***);
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  village::abort_on_bug(true);
  return 0;
}
