#pragma once
// What the tests of packets share: nodes, paths, and randomness that was written down.
#include <gtest/gtest.h>

#include <vector>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/cpu.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"
#include "village/sphinx/unwrap_batch.hpp"

namespace village::sphinx::test {

/// ScriptedRandom gives the bytes it was given, in order; asking for more fails the test.
class ScriptedRandom final : public RandomSource {
 public:
  explicit ScriptedRandom(Bytes script) : script_{std::move(script)} {}
  void fill(ByteSpan out) override {
    ASSERT_LE(used_ + out.size(), script_.size());
    std::copy_n(script_.begin() + static_cast<std::ptrdiff_t>(used_), out.size(), out.begin());
    used_ += out.size();
  }
  bool used_up() const { return used_ == script_.size(); }

 private:
  Bytes script_;
  std::size_t used_ = 0;
};

/// Path is nodes with their keys.
struct Path {
  std::vector<crypto::X25519Private> keys;
  std::vector<Hop> hops;

  Path() = default;
  Path(std::size_t count, RandomSource& random) {
    for (std::size_t i = 0; i < count; ++i) {
      auto pair = crypto::X25519KeyPair::generate(random);
      Hop hop{pair.public_key, {}, random.u64()};
      random.fill(hop.address);
      hops.push_back(hop);
      keys.push_back(std::move(pair.private_key));
    }
  }
};

template <std::size_t N>
ByteArray<N> random_array(RandomSource& random) {
  ByteArray<N> out;
  random.fill(out);
  return out;
}

inline Bytes random_bytes(std::size_t size, RandomSource& random) {
  Bytes out(size);
  random.fill(out);
  return out;
}

/// array_of copies a view whose size must be N.
template <std::size_t N>
ByteArray<N> array_of(ByteView view) {
  ByteArray<N> out{};
  EXPECT_EQ(view.size(), N);
  std::copy_n(view.begin(), std::min(N, view.size()), out.begin());
  return out;
}

inline crypto::X25519Private key_of(ByteView bytes) { return crypto::X25519Private{array_of<32>(bytes)}; }

inline std::size_t payload_bytes(ByteView packet) { return packet.size() - limits::header_bytes; }

/// AtLevel uses the kernels of one level while it lives.
class AtLevel {
 public:
  explicit AtLevel(crypto::CpuLevel level) : before_{crypto::cpu_level()} { crypto::use_cpu_level(level); }
  AtLevel(const AtLevel&) = delete;
  AtLevel& operator=(const AtLevel&) = delete;
  ~AtLevel() { crypto::use_cpu_level(before_); }

 private:
  crypto::CpuLevel before_;
};

}  // namespace village::sphinx::test
