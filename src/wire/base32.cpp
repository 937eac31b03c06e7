#include "village/wire/base32.hpp"

#include "wire/radix.hpp"

namespace village::wire {
namespace {
constexpr Radix<5> lower{"abcdefghijklmnopqrstuvwxyz234567"};
}  // namespace

std::string base32(ByteView bytes) { return lower.encode(bytes); }

Result<Bytes> from_base32(std::string_view text, std::size_t bytes_max) {
  return lower.decode_bounded(text, bytes_max);
}

}  // namespace village::wire
