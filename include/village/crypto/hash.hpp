#pragma once
// Hash functions, HMAC and HKDF. Sources: FIPS 180-4, RFC 7693, RFC 2104, RFC 5869.
#include <cstddef>
#include <initializer_list>
#include <memory>

#include "village/base/bytes.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

enum class HashAlgorithm : std::uint8_t { sha256, sha512, blake2s, blake2b };

inline constexpr std::size_t digest_bytes_max = 64;

/// digest_bytes is 32 for sha256 and blake2s, 64 for sha512 and blake2b.
constexpr std::size_t digest_bytes(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::sha256 || algorithm == HashAlgorithm::blake2s ? 32 : 64;
}
/// block_bytes is the HMAC block: 64 for the 32-byte hashes, 128 for the 64-byte ones.
constexpr std::size_t block_bytes(HashAlgorithm algorithm) { return 2 * digest_bytes(algorithm); }

/// Digest is a hash value of up to 64 bytes; the unused tail is zero. Wiped on destruction (it may be key
/// material).
class Digest {
 public:
  Digest() = default;
  explicit Digest(std::size_t size) : size_{size} {}
  Digest(const Digest&) = default;
  Digest& operator=(const Digest&) = default;
  ~Digest() { wipe(bytes_); }
  std::size_t size() const { return size_; }
  ByteView view() const { return ByteView{bytes_}.first(size_); }
  ByteSpan fill() { return ByteSpan{bytes_}.first(size_); }

 private:
  ByteArray<digest_bytes_max> bytes_{};
  std::size_t size_ = 0;
};

/// hash digests the concatenation of `parts`.
Digest hash(HashAlgorithm algorithm, std::initializer_list<ByteView> parts);
inline Digest hash(HashAlgorithm algorithm, ByteView data) { return hash(algorithm, {data}); }
/// sha256 is hash(sha256) with its size in the type.
ByteArray<32> sha256(std::initializer_list<ByteView> parts);
inline ByteArray<32> sha256(ByteView data) { return sha256({data}); }

/// hmac authenticates the concatenation of `parts` under `key` of any length.
Digest hmac(HashAlgorithm algorithm, ByteView key, std::initializer_list<ByteView> parts);

/// hkdf_extract is RFC 5869 2.2; an empty salt means digest_bytes zeros.
Digest hkdf_extract(HashAlgorithm algorithm, ByteView salt, ByteView input_key);
/// hkdf_expand is RFC 5869 2.3: fills `out` (at most 255 digests; VG_CHECKed) from a pseudo-random key.
void hkdf_expand(HashAlgorithm algorithm, ByteView key, std::initializer_list<ByteView> info, ByteSpan out);

/// HashStream digests data that comes in pieces.
class HashStream {
 public:
  explicit HashStream(HashAlgorithm algorithm);
  HashStream(HashStream&&) noexcept;
  HashStream& operator=(HashStream&&) noexcept;
  ~HashStream();
  void update(ByteView data);
  /// finish returns the digest and starts anew.
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::crypto
