#pragma once
// Text of 2^bits letters for bytes: the common part of base64 and base32.
#include <array>
#include <string>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::wire {

/// Radix encodes `bits` bits a letter, most significant first.
template <unsigned bits>
class Radix {
 public:
  explicit constexpr Radix(std::string_view letters) : letters_{letters} {
    values_.fill(no_value);
    for (std::size_t i = 0; i < letters.size(); ++i) {
      values_[static_cast<unsigned char>(letters[i])] = static_cast<std::uint8_t>(i);
    }
  }

  static constexpr std::size_t letters_for(std::size_t bytes) { return (bytes * 8 + bits - 1) / bits; }
  static constexpr std::size_t bytes_of(std::size_t letters) { return letters * bits / 8; }

  std::string encode(ByteView bytes) const {
    std::string text;
    text.reserve(letters_for(bytes.size()) + 2);
    unsigned pool = 0, held = 0;
    for (const auto b : bytes) {
      pool = (pool << 8 | std::to_integer<unsigned>(b)) & 0xFFFF;
      for (held += 8; held >= bits; held -= bits) text += letters_[pool >> (held - bits) & mask];
    }
    if (held > 0) text += letters_[pool << (bits - held) & mask];
    return text;
  }

  /// decode fills `out`, whose size must be bytes_of(text.size()).
  Result<void> decode(std::string_view text, ByteSpan out) const {
    if (letters_for(out.size()) != text.size()) return fail(Errc::malformed, text.size());
    unsigned pool = 0, held = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto value = values_[static_cast<unsigned char>(text[i])];
      if (value == no_value) return fail(Errc::malformed, i);
      pool = (pool << bits | value) & 0xFFFF;
      held += bits;
      if (held < 8) continue;
      held -= 8;
      out[at++] = static_cast<std::byte>(pool >> held);
    }
    if ((pool & ((1U << held) - 1)) != 0) return fail(Errc::not_canonical, text.size() - 1);
    return ok();
  }

  Result<Bytes> decode_bounded(std::string_view text, std::size_t bytes_max) const {
    if (text.size() > letters_for(bytes_max)) return fail(Errc::limit_exceeded, bytes_max);
    Bytes out(bytes_of(text.size()));
    VG_TRY_VOID(decode(text, out));
    return out;
  }

 private:
  static constexpr unsigned mask = (1U << bits) - 1;
  static constexpr std::uint8_t no_value = 0xFF;
  std::string_view letters_;
  std::array<std::uint8_t, 256> values_{};
};

}  // namespace village::wire
