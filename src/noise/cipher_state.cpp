#include "village/noise/cipher_state.hpp"

#include <limits>

namespace village::noise {
namespace {

constexpr std::uint64_t reserved_nonce = std::numeric_limits<std::uint64_t>::max();  // rekey's own

crypto::AeadAlgorithm aead(Cipher cipher) {
  return cipher == Cipher::aes_gcm ? crypto::AeadAlgorithm::aes_256_gcm
                                   : crypto::AeadAlgorithm::chacha20_poly1305;
}

}  // namespace

CipherState::CipherState(Cipher cipher, Key key) : cipher_{cipher}, key_{std::move(key)} {}

crypto::AeadNonce CipherState::nonce_bytes(std::uint64_t nonce) const {
  // Four zero bytes, then the counter: little-endian for ChaChaPoly (12.3), big-endian for AESGCM (12.4).
  crypto::AeadNonce bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[cipher_ == Cipher::chacha_poly ? 4 + i : 11 - i] = static_cast<std::byte>(nonce >> (8 * i));
  }
  return bytes;
}

crypto::Sealer& CipherState::sealer() {
  if (!sealer_) sealer_.emplace(aead(cipher_), key_.view());
  return *sealer_;
}

crypto::Opener& CipherState::opener() {
  if (!opener_) opener_.emplace(aead(cipher_), key_.view());
  return *opener_;
}

Result<void> CipherState::encrypt(ByteView ad, ByteView plain, ByteSpan out) {
  if (plain.size() > limits::message_bytes_max - tag_bytes) return fail(Errc::limit_exceeded, plain.size());
  if (out.size() != plain.size() + tag_bytes) return fail(Errc::bad_argument, out.size());
  if (nonce_ == reserved_nonce) return fail(Errc::exhausted);
  sealer().seal(nonce_bytes(nonce_++), ad, plain, out);
  return ok();
}

Result<void> CipherState::decrypt(ByteView ad, ByteView sealed, ByteSpan out) {
  if (sealed.size() < tag_bytes) return fail(Errc::truncated, sealed.size());
  if (sealed.size() > limits::message_bytes_max) return fail(Errc::limit_exceeded, sealed.size());
  if (out.size() != sealed.size() - tag_bytes) return fail(Errc::bad_argument, out.size());
  if (nonce_ == reserved_nonce) return fail(Errc::exhausted);
  if (!opener().open(nonce_bytes(nonce_), ad, sealed, out)) return fail(Errc::bad_tag);
  ++nonce_;
  return ok();
}

void CipherState::rekey() {
  crypto::Secret<key_bytes + tag_bytes> sealed;
  constexpr ByteArray<key_bytes> zeros{};
  sealer().seal(nonce_bytes(reserved_nonce), {}, zeros, sealed.fill());
  key_ = Key{sealed.view().first<key_bytes>()};
  sealer_.reset();
  opener_.reset();
}

}  // namespace village::noise
