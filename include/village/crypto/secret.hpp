#pragma once
// Secret: key material that wipes itself, cannot be copied, compared with ==, printed or logged.
#include <algorithm>
#include <cstddef>
#include <span>

#include "village/base/bytes.hpp"

namespace village::crypto {

/// wipe overwrites memory in a way the compiler keeps (OPENSSL_cleanse).
void wipe(ByteSpan memory) noexcept;

/// equal compares in constant time; false at once if the sizes differ (sizes are public).
[[nodiscard]] bool equal(ByteView a, ByteView b) noexcept;

/// is_zero tells in constant time whether all bytes are zero.
[[nodiscard]] bool is_zero(ByteView bytes) noexcept;

/// Secret holds N secret bytes inline. Moving wipes the source.
template <std::size_t N>
class Secret {
 public:
  static constexpr std::size_t size = N;

  Secret() = default;
  explicit Secret(std::span<const std::byte, N> from) { std::copy(from.begin(), from.end(), bytes_.begin()); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_{other.bytes_} { other.wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.wipe();
    }
    return *this;
  }
  ~Secret() { wipe(); }

  /// clone is the explicit copy, for the few places that need one.
  Secret clone() const { return Secret{view()}; }
  std::span<const std::byte, N> view() const { return bytes_; }
  std::span<std::byte, N> fill() { return bytes_; }
  void wipe() noexcept { crypto::wipe(bytes_); }
  friend bool equal(const Secret& a, const Secret& b) noexcept { return crypto::equal(a.bytes_, b.bytes_); }

 private:
  std::array<std::byte, N> bytes_{};
};

}  // namespace village::crypto
