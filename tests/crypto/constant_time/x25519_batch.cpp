// Batch X25519 and the map to the curve under valgrind's memcheck, with every input marked undefined: a
// branch or an index that depends on one is reported. valgrind 3.19 knows AVX2 but not AVX-512, so this sees
// the portable and the AVX2 kernel; the timing program in bench/crypto sees all three.
//
//   x25519_constant_time          must be silent
//   x25519_constant_time leak     branches on a result on purpose; must be reported
#include "village/crypto/x25519_batch.hpp"

#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>

#include "crypto/elligator.hpp"
#include "village/base/random.hpp"

using namespace village;
using namespace village::crypto;

int main(int count, char** arguments) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("run this under valgrind");
    return 2;
  }
  SeededRandom random{1};
  ByteArray<32 * 5> scalars, points, results;
  for (const auto level : available_cpu_levels()) {
    random.fill(scalars);
    random.fill(points);
    std::memset(points.data() + 32, 0, 32);  // a low-order row
    (void)VALGRIND_MAKE_MEM_UNDEFINED(scalars.data(), scalars.size());
    (void)VALGRIND_MAKE_MEM_UNDEFINED(points.data(), points.size());
    auto zeros = x25519_batch(level, {scalars, 32, 32, 5}, {points, 32, 32, 5}, {results, 32, 32, 5});
    if (count > 1 && std::strcmp(arguments[1], "leak") == 0) return zeros == 2 ? 0 : 3;
    (void)VALGRIND_MAKE_MEM_DEFINED(&zeros, sizeof zeros);  // the mask is public
    std::printf("%s: mask %llx\n", std::string{name(level)}.c_str(), static_cast<unsigned long long>(zeros));
    if (zeros != 2) return 3;
  }
  ByteArray<48> uniform;
  random.fill(uniform);
  (void)VALGRIND_MAKE_MEM_UNDEFINED(uniform.data(), uniform.size());
  elligator_edwards25519(uniform);
  return 0;
}
