#include "village/htx/keys.hpp"

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"

namespace village::htx {
namespace {

void expand(const crypto::Secret<32>& secret, std::string_view label, ByteSpan out) {
  crypto::hkdf_expand(crypto::HashAlgorithm::sha256, secret.view(), {as_bytes("betanet "), as_bytes(label)},
                      out);
}

}  // namespace

crypto::Secret<32> KeyLadder::key() const {
  crypto::Secret<32> key;
  expand(secret_, "key", key.fill());
  return key;
}

ByteArray<crypto::aead_nonce_bytes> KeyLadder::nonce_salt() const {
  ByteArray<crypto::aead_nonce_bytes> salt;
  expand(secret_, "nonce", salt);
  return salt;
}

void KeyLadder::advance() {
  crypto::Secret<32> next;
  expand(secret_, "next", next.fill());
  secret_ = std::move(next);
}

void KeyLadder::mix(const crypto::Secret<32>& fresh) {
  const auto mixed = crypto::hkdf_extract(crypto::HashAlgorithm::sha256, secret_.view(), fresh.view());
  secret_ = crypto::Secret<32>{mixed.view().first<32>()};
  crypto::Secret<32> next;
  expand(secret_, "rekey", next.fill());
  secret_ = std::move(next);
}

RecordSealer::RecordSealer(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret)
    : algorithm_{algorithm},
      ladder_{std::move(traffic_secret)},
      nonce_{ladder_.nonce_salt()},
      sealer_{algorithm, ladder_.key().view()} {
  VG_CHECK(crypto::key_bytes(algorithm) == 32);
}

Result<void> RecordSealer::seal(const FrameHeader& header, ByteView head, ByteView body, ByteSpan out) {
  VG_CHECK(out.size() == header.frame_bytes() && head.size() + body.size() == header.plaintext_bytes());
  VG_TRY(nonce, nonce_.next());
  const auto clear = out.first<frame_header_bytes>();
  encode_header(header, clear);
  sealer_.seal(nonce, clear, head, body, out.subspan<frame_header_bytes>());
  ++usage_.frames;
  usage_.bytes += out.size();
  return ok();
}

void RecordSealer::update() {
  ladder_.advance();
  use_ladder();
}

void RecordSealer::rekey(const crypto::Secret<32>& fresh) {
  ladder_.mix(fresh);
  use_ladder();
}

void RecordSealer::use_ladder() {
  nonce_ = RecordNonce{ladder_.nonce_salt()};
  sealer_ = crypto::Sealer{algorithm_, ladder_.key().view()};
  usage_ = {};
}

RecordOpener::RecordOpener(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret)
    : algorithm_{algorithm},
      ladder_{std::move(traffic_secret)},
      nonce_{ladder_.nonce_salt()},
      opener_{algorithm, ladder_.key().view()} {
  VG_CHECK(crypto::key_bytes(algorithm) == 32);
}

Result<ByteSpan> RecordOpener::open(ByteSpan frame) {
  VG_CHECK(frame.size() >= frame_overhead_bytes && frame.size() <= frame_bytes_max);
  VG_TRY(nonce, nonce_.next());
  const auto sealed = frame.subspan(frame_header_bytes);
  const auto plain = sealed.first(sealed.size() - crypto::aead_tag_bytes);
  if (!opener_.open(nonce, frame.first(frame_header_bytes), sealed, plain)) return fail(Errc::bad_tag);
  ++usage_.frames;
  usage_.bytes += frame.size();
  return plain;
}

void RecordOpener::update() {
  ladder_.advance();
  use_ladder();
}

void RecordOpener::rekey(const crypto::Secret<32>& fresh) {
  ladder_.mix(fresh);
  use_ladder();
}

void RecordOpener::use_ladder() {
  nonce_ = RecordNonce{ladder_.nonce_salt()};
  opener_ = crypto::Opener{algorithm_, ladder_.key().view()};
  usage_ = {};
}

}  // namespace village::htx
