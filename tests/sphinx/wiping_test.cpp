// What is left in memory after packets went through: none of the secrets of the way.
#include <fcntl.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "sphinx/key_schedule.hpp"
#include "sphinx/support.hpp"
#include "support/sanitizer.hpp"
#include "village/crypto/x25519.hpp"
#include "village/crypto/x25519_batch.hpp"

namespace village::sphinx::test {
namespace {

constexpr std::byte mask{0x5A};
constexpr std::size_t needle_bytes = 24;

/// Needle is the front of a secret in a form that is not itself found.
using Needle = ByteArray<needle_bytes>;

template <std::size_t N>
Needle hidden(std::span<const std::byte, N> secret) {
  Needle needle;
  for (std::size_t i = 0; i < needle.size(); ++i) needle[i] = secret[i] ^ mask;
  return needle;
}

bool is_at(const std::byte* at, const Needle& needle) {
  for (std::size_t i = 0; i < needle.size(); ++i) {
    if ((at[i] ^ mask) != needle[i]) return false;
  }
  return true;
}

std::size_t found_in(ByteView memory, const Needle& needle) {
  std::size_t found = 0;
  const auto first = std::to_integer<int>(needle[0] ^ mask);
  for (const auto *at = memory.data(), *end = at + memory.size() - needle.size(); at < end; ++at) {
    at = static_cast<const std::byte*>(std::memchr(at, first, static_cast<std::size_t>(end - at)));
    if (at == nullptr) break;
    if (is_at(at, needle)) ++found;
  }
  return found;
}

/// count_in_process looks through all memory that this process may write, the stack included.
std::size_t count_in_process(const Needle& needle) {
  std::size_t found = 0;
  const int memory = open("/proc/self/mem", O_RDONLY);
  static std::array<std::byte, 1 << 16> window;  // read in overlapping pieces; searched here, skipped there
  std::ifstream maps{"/proc/self/maps"};
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    char rights[5] = {};
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s", &begin, &end, rights) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w') continue;
    for (auto at = begin; at < end; at += window.size() - needle.size()) {
      const auto size = std::min<std::size_t>(window.size(), end - at);
      const auto own = reinterpret_cast<std::uintptr_t>(window.data());
      if (at < own + window.size() && own < at + size) continue;
      const auto got = pread(memory, window.data(), size, static_cast<off_t>(at));
      if (got > static_cast<ssize_t>(needle.size()))
        found += found_in(ByteView{window}.first(static_cast<std::size_t>(got)), needle);
    }
  }
  close(memory);
  std::ranges::fill(window, std::byte{0});
  return found;
}

/// overwrite_stack stands for whatever is called next.
__attribute__((noinline)) void overwrite_stack() {
  volatile std::byte area[1024] = {};
  for (auto& b : area) b = std::byte{1};
}

/// secrets_of computes what one hop derives, and leaves nothing but needles.
std::vector<Needle> secrets_of(const crypto::X25519Private& key, ByteView packet) {
  crypto::Secret<32> secret;
  crypto::x25519_batch({key.view(), 32, 0, 1}, {packet.first(32), 32, 0, 1}, {secret.fill(), 32, 0, 1});
  crypto::Secret<expansion_bytes> okm;
  expand_secrets({secret.view(), 32, 0, 1}, {okm.fill(), expansion_bytes, 0, 1});
  crypto::Secret<192> payload_key;
  derive_payload_keys({okm.view().subspan<payload_key_at, 16>(), 16, 0, 1}, {payload_key.fill(), 192, 0, 1});
  return {hidden(secret.view()), hidden(okm.view()), hidden(okm.view().subspan<blinding_at, 32>()),
          hidden(payload_key.view())};
}

TEST(Wiping, FindsWhatIsThere) {
  if (village::test::under_sanitizer) GTEST_SKIP() << "the shadow is terabytes to search";
  SeededRandom random{61};
  Bytes kept = random_bytes(64, random);
  EXPECT_GE(count_in_process(hidden(std::span<const std::byte, 32>{kept.data(), 32})), 1u);
}

TEST(Wiping, LeavesNoSecretOfAPacketBehind) {
  if (village::test::under_sanitizer) GTEST_SKIP() << "a sanitizer keeps freed memory";
  SeededRandom random{62};
  for (const auto kernels : crypto::available_cpu_levels()) {
    SCOPED_TRACE(crypto::name(kernels));
    const AtLevel level{kernels};
    const Path path{3, random};
    std::vector<Bytes> packets(20, Bytes(2048));
    for (auto& packet : packets)
      ASSERT_TRUE(create_packet(path.hops, {}, {}, as_bytes("text"), packet, random));
    std::vector<Needle> needles;
    for (const auto at : {0, 7, 19}) {
      const auto some = secrets_of(path.keys[0], packets[static_cast<std::size_t>(at)]);
      needles.insert(needles.end(), some.begin(), some.end());
    }
    UnwrapBatch batch{1700};
    batch.finish(batch.open(path.keys[0], std::vector<ByteSpan>{packets.begin() + 1, packets.end()}));
    Unwrapped found;
    ASSERT_EQ(unwrap(path.keys[0], 1700, packets[0], found), Reject::none);
    overwrite_stack();
    for (std::size_t i = 0; i < needles.size(); ++i) EXPECT_EQ(count_in_process(needles[i]), 0u) << i;
  }
}

}  // namespace
}  // namespace village::sphinx::test
