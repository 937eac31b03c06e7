#include "village/noise/symmetric_state.hpp"

#include <algorithm>
#include <array>

namespace village::noise {
namespace {

/// initial_hash is the name itself, zero-padded, or its hash if it is longer than a digest.
crypto::Digest initial_hash(std::string_view name, crypto::HashAlgorithm algorithm) {
  const auto size = crypto::digest_bytes(algorithm);
  if (name.size() > size) return crypto::hash(algorithm, as_bytes(name));
  crypto::Digest padded{size};
  std::ranges::copy(as_bytes(name), padded.fill().begin());
  return padded;
}

/// derive gives the outputs of Noise's HKDF (4.3): a chain of HMACs under one of the input key.
template <std::size_t outputs>
std::array<crypto::Digest, outputs> derive(crypto::HashAlgorithm algorithm, ByteView chaining_key,
                                           ByteView input_key) {
  const auto key = crypto::hmac(algorithm, chaining_key, {input_key});
  std::array<crypto::Digest, outputs> chain;
  for (std::size_t i = 0; i < outputs; ++i) {
    const auto number = static_cast<std::byte>(i + 1);
    const auto before = i > 0 ? chain[i - 1].view() : ByteView{};
    chain[i] = crypto::hmac(algorithm, key.view(), {before, {&number, 1}});
  }
  return chain;
}

}  // namespace

SymmetricState::SymmetricState(std::string_view protocol_name, Cipher cipher, crypto::HashAlgorithm hash)
    : algorithm_{hash},
      cipher_{cipher},
      chaining_key_{initial_hash(protocol_name, hash)},
      hash_{chaining_key_} {}

void SymmetricState::set_key(ByteView key) {
  cipher_state_.emplace(cipher_, Key{key.first<key_bytes>()});  // 64-byte outputs are truncated (5.2)
}

void SymmetricState::mix_key(ByteView input_key) {
  const auto [next, key] = derive<2>(algorithm_, chaining_key_.view(), input_key);
  chaining_key_ = next;
  set_key(key.view());
}

void SymmetricState::mix_hash(ByteView data) { hash_ = crypto::hash(algorithm_, {hash_.view(), data}); }

void SymmetricState::mix_key_and_hash(ByteView input_key) {
  const auto [next, transcript, key] = derive<3>(algorithm_, chaining_key_.view(), input_key);
  chaining_key_ = next;
  mix_hash(transcript.view());
  set_key(key.view());
}

Result<void> SymmetricState::encrypt_and_hash(ByteView plain, ByteSpan out) {
  if (cipher_state_) {
    VG_TRY_VOID(cipher_state_->encrypt(hash_.view(), plain, out));
  } else {
    if (out.size() != plain.size()) return fail(Errc::bad_argument, out.size());
    std::ranges::copy(plain, out.begin());
  }
  mix_hash(out);
  return ok();
}

Result<void> SymmetricState::decrypt_and_hash(ByteView sealed, ByteSpan out) {
  const auto next_hash =
      crypto::hash(algorithm_, {hash_.view(), sealed});  // before `out` may overwrite `sealed`
  if (cipher_state_) {
    VG_TRY_VOID(cipher_state_->decrypt(hash_.view(), sealed, out));
  } else {
    if (out.size() != sealed.size()) return fail(Errc::bad_argument, out.size());
    if (out.data() != sealed.data()) std::ranges::copy(sealed, out.begin());
  }
  hash_ = next_hash;
  return ok();
}

SplitKeys SymmetricState::split() const {
  const auto [forth, back] = derive<2>(algorithm_, chaining_key_.view(), {});
  return {Key{forth.view().first<key_bytes>()}, Key{back.view().first<key_bytes>()}};
}

}  // namespace village::noise
