#pragma once
// Bytes: the vocabulary for raw memory. std::byte for wire bytes, char for text, std::uint8_t for small
// numbers.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace village {

using Bytes = std::vector<std::byte>;         ///< owned, growable; never for secrets (crypto::Secret is)
using ByteView = std::span<const std::byte>;  ///< read-only view; lives as long as what it points into
using ByteSpan = std::span<std::byte>;        ///< writable view
template <std::size_t N>
using ByteArray = std::array<std::byte, N>;

/// as_bytes views text as bytes. The view lives as long as `text`'s storage.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
/// as_bytes views a C buffer (fuzzers, OpenSSL) as bytes.
inline ByteView as_bytes(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}
/// as_text views bytes as text without checking that they are UTF-8.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
/// octets gives the pointer type that C libraries want.
inline const std::uint8_t* octets(ByteView bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}
inline std::uint8_t* octets(ByteSpan bytes) { return reinterpret_cast<std::uint8_t*>(bytes.data()); }

/// to_bytes copies a view into an owned buffer.
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline Bytes to_bytes(std::string_view text) { return to_bytes(as_bytes(text)); }

/// to_hex writes lower-case hex.
std::string to_hex(ByteView bytes);
/// from_hex reads hex of either case; nullopt if the length is odd or a character is not a digit.
std::optional<Bytes> from_hex(std::string_view text);

}  // namespace village
