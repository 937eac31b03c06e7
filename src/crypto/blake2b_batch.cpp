#include "village/crypto/blake2b_batch.hpp"

#include <algorithm>

#include "crypto/symmetric_kernels.hpp"
#include "village/base/check.hpp"
#include "village/crypto/limits.hpp"

namespace village::crypto {
void blake2b_batch(const ConstRows& keys, const ConstRows& messages, const Rows& digests) {
  blake2b_batch(cpu_level(), keys, messages, digests);
}

void blake2b_batch(CpuLevel level, const ConstRows& keys, const ConstRows& messages, const Rows& digests) {
  const auto count = messages.size();
  VG_CHECK(count <= limits::batch_rows_max && keys.size() == count && digests.size() == count);
  VG_CHECK(keys.bytes() >= 16 && keys.bytes() <= 64 && digests.bytes() >= 1 && digests.bytes() <= 64);
  const Blake2bJob job{keys.data(),      keys.stride(),  keys.bytes(),     messages.data(), messages.stride(),
                       messages.bytes(), digests.data(), digests.stride(), digests.bytes()};
  const auto run = [&](std::size_t lanes, auto kernel) {
    for (std::size_t begin = 0; begin < count; begin += lanes)
      kernel(job, begin, std::min(lanes, count - begin));
  };
  switch (level) {
    case CpuLevel::ifma:
      return run(8, blake2b_avx512);
    case CpuLevel::avx2:
      return run(4, blake2b_avx2);
    case CpuLevel::portable:
      return run(1, blake2b_portable);
  }
}

}  // namespace village::crypto
