#include "village/crypto/x25519_batch.hpp"

#include "crypto/x25519_ladder.hpp"
#include "village/base/check.hpp"
#include "village/crypto/limits.hpp"

namespace village::crypto {

std::uint64_t x25519_batch(const ConstRows& scalars, const ConstRows& points, const Rows& results) {
  return x25519_batch(cpu_level(), scalars, points, results);
}

std::uint64_t x25519_batch(CpuLevel level, const ConstRows& scalars, const ConstRows& points,
                           const Rows& results) {
  const auto count = points.size();
  VG_CHECK(count <= limits::batch_rows_max && scalars.size() == count && results.size() == count);
  VG_CHECK(scalars.bytes() == 32 && points.bytes() == 32 && results.bytes() == 32);
  const X25519Job job{scalars.data(), scalars.stride(), points.data(), points.stride(),
                      results.data(), results.stride(), count};
  switch (level) {
    case CpuLevel::ifma:
      return x25519_kernel_ifma(job);
    case CpuLevel::avx2:
      return x25519_kernel_avx2(job);
    case CpuLevel::portable:
      break;
  }
  return x25519_kernel_portable(job);
}

}  // namespace village::crypto
