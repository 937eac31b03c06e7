#include "village/crypto/blake2b_batch.hpp"

#include <sodium.h>

#include <algorithm>

#include "crypto/symmetric_kernels.hpp"
#include "village/base/check.hpp"
#include "village/crypto/limits.hpp"

namespace village::crypto {
namespace {

void one_by_one(const ConstRows& keys, const ConstRows& messages, const Rows& digests) {
  static const bool started = sodium_init() >= 0;
  VG_CHECK(started);
  for (std::size_t i = 0; i < messages.size(); ++i) {
    VG_CHECK(crypto_generichash_blake2b(octets(digests[i]), digests.bytes(), octets(messages[i]),
                                        messages.bytes(), octets(keys[i]), keys.bytes()) == 0);
  }
}

}  // namespace

void blake2b_batch(const ConstRows& keys, const ConstRows& messages, const Rows& digests) {
  blake2b_batch(cpu_level(), keys, messages, digests);
}

void blake2b_batch(CpuLevel level, const ConstRows& keys, const ConstRows& messages, const Rows& digests) {
  const auto count = messages.size();
  VG_CHECK(count <= limits::batch_rows_max && keys.size() == count && digests.size() == count);
  VG_CHECK(keys.bytes() >= 16 && keys.bytes() <= 64 && digests.bytes() >= 1 && digests.bytes() <= 64);
  if (level == CpuLevel::portable) return one_by_one(keys, messages, digests);
  const Blake2bJob job{keys.data(),      keys.stride(),  keys.bytes(),     messages.data(), messages.stride(),
                       messages.bytes(), digests.data(), digests.stride(), digests.bytes()};
  const bool wide = level == CpuLevel::ifma;
  const std::size_t lanes = wide ? 8 : 4;
  for (std::size_t begin = 0; begin < count; begin += lanes)
    (wide ? blake2b_avx512 : blake2b_avx2)(job, begin, std::min(lanes, count - begin));
}

}  // namespace village::crypto
