#pragma once
// SHA-256, HMAC and HKDF of many messages of one length. Sources: FIPS 180-4, RFC 2104, RFC 5869.
#include "village/crypto/cpu.hpp"
#include "village/crypto/rows.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {

/// All functions here take 1 to limits::batch_rows_max rows (VG_CHECKed), allocate nothing and wipe what they
/// derive. They work on 16 rows at a time with AVX-512, 2 with SHA instructions, 8 with AVX2 alone, else one
/// by one with OpenSSL's compression. Rows in and out may be the same memory.

/// HmacSha256Key is a key in the form that saves two compressions a message: the states after its pads.
class HmacSha256Key {
 public:
  explicit HmacSha256Key(ByteView key);
  HmacSha256Key(const HmacSha256Key&) = delete;
  HmacSha256Key& operator=(const HmacSha256Key&) = delete;
  ~HmacSha256Key();
  /// inner, outer: the state words after key ^ ipad and key ^ opad.
  std::span<const std::uint32_t, 8> inner() const { return inner_; }
  std::span<const std::uint32_t, 8> outer() const { return outer_; }

 private:
  std::array<std::uint32_t, 8> inner_, outer_;
};

/// sha256_batch digests each message into a row of 32 bytes.
void sha256_batch(const ConstRows& messages, const Rows& digests);

/// hmac_sha256_batch authenticates each message under its own key of at most 64 bytes. Rows of `macs` have 1
/// to 32 bytes and take that much of the front.
void hmac_sha256_batch(const ConstRows& keys, const ConstRows& messages, const Rows& macs);

/// hkdf_sha256_batch is HKDF(salt, input_keys[i], info): extract and expand to the length of the output rows,
/// at most 255 * 32 bytes. `info` has at most limits::hkdf_batch_info_bytes_max bytes.
void hkdf_sha256_batch(const HmacSha256Key& salt, const ConstRows& input_keys, ByteView info,
                       const Rows& out);

/// Sha256Form names how the rows are worked on; sha256_form is the one that the functions above use.
enum class Sha256Form : std::uint8_t { openssl, shani, avx2, avx512 };
Sha256Form sha256_form();
std::string_view name(Sha256Form form);
/// sha256_form_is_available: this CPU runs it. Tests and benchmarks compare all that are.
bool sha256_form_is_available(Sha256Form form);
void sha256_batch(Sha256Form form, const ConstRows& messages, const Rows& digests);
void hmac_sha256_batch(Sha256Form form, const ConstRows& keys, const ConstRows& messages, const Rows& macs);
void hkdf_sha256_batch(Sha256Form form, const HmacSha256Key& salt, const ConstRows& input_keys, ByteView info,
                       const Rows& out);

}  // namespace village::crypto
