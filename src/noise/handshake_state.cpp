#include "village/noise/handshake_state.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::noise {
namespace {

constexpr std::size_t public_bytes = 32;

bool is_dh(Token token) {
  return token == Token::ee || token == Token::es || token == Token::se || token == Token::ss;
}

crypto::X25519Public public_key(ByteView bytes) {
  crypto::X25519Public key;
  VG_CHECK(bytes.size() == key.size());
  std::ranges::copy(bytes, key.begin());
  return key;
}

Role other(Role role) { return role == Role::initiator ? Role::responder : Role::initiator; }

}  // namespace

Result<HandshakeState> HandshakeState::start(const Protocol& protocol, Role role, HandshakeOptions options,
                                             RandomSource& random) {
  const auto& pattern = protocol.pattern;
  if (pattern.needs_static(role) && !options.local_static) return fail(Errc::bad_argument, 1);
  if (pattern.known(other(role)) != options.remote_static.has_value()) return fail(Errc::bad_argument, 2);
  if (options.psks.size() != pattern.psk_count) return fail(Errc::bad_argument, 3);
  return HandshakeState{protocol, role, std::move(options), random};
}

HandshakeState::HandshakeState(const Protocol& protocol, Role role, HandshakeOptions&& options,
                               RandomSource& random)
    : pattern_{protocol.pattern},
      cipher_{protocol.cipher},
      role_{role},
      random_{&random},
      symmetric_{protocol.name, protocol.cipher, protocol.hash},
      static_{std::move(options.local_static)},
      remote_static_{options.remote_static},
      fixed_ephemeral_{std::move(options.fixed_ephemeral)},
      fixed_kem_seed_{std::move(options.fixed_kem_seed)},
      fixed_kem_randomness_{std::move(options.fixed_kem_randomness)},
      psks_{std::move(options.psks)} {
  symmetric_.mix_hash(options.prologue);
  for (const Role whose : {Role::initiator, Role::responder}) {
    if (pattern_.known(whose)) symmetric_.mix_hash(whose == role_ ? static_->public_key : *remote_static_);
  }
}

std::size_t HandshakeState::overhead() const {
  if (finished()) return 0;
  std::size_t bytes = 0;
  bool keyed = symmetric_.has_key();
  for (const Token token : pattern_.messages[next_message_]) {
    if (token == Token::e) bytes += public_bytes;
    if (token == Token::s) bytes += public_bytes + (keyed ? tag_bytes : 0);
    if (token == Token::e1) bytes += crypto::mlkem768_public_bytes + (keyed ? tag_bytes : 0);
    if (token == Token::ekem1) bytes += crypto::mlkem768_ciphertext_bytes + (keyed ? tag_bytes : 0);
    keyed = keyed || is_dh(token) || token == Token::psk || (token == Token::e && pattern_.psk_count > 0);
  }
  return bytes + (keyed ? tag_bytes : 0);
}

Result<std::size_t> HandshakeState::write_message(ByteView payload, ByteSpan out) {
  if (dead_) return fail(Errc::closed);
  if (finished() || !my_turn()) return fail(Errc::bad_argument);
  const auto added = overhead();
  if (payload.size() > limits::message_bytes_max - added) return fail(Errc::limit_exceeded, payload.size());
  const auto size = payload.size() + added;
  if (out.size() < size) return fail(Errc::limit_exceeded, size);
  if (const auto written = write(payload, out.first(size)); !written) return die(written.error());
  advance();
  return size;
}

Result<void> HandshakeState::write(ByteView payload, ByteSpan out) {
  wire::Writer writer{out};
  for (const Token token : pattern_.messages[next_message_]) {
    switch (token) {
      case Token::e:
        ephemeral_ = fixed_ephemeral_ ? std::exchange(fixed_ephemeral_, std::nullopt)
                                      : crypto::X25519KeyPair::generate(*random_);
        writer.bytes(ephemeral_->public_key);
        mix_ephemeral(ephemeral_->public_key);
        break;
      case Token::s:
        VG_TRY_VOID(symmetric_.encrypt_and_hash(static_->public_key,
                                                writer.gap(public_bytes + symmetric_.overhead())));
        break;
      case Token::e1:
        VG_TRY_VOID(write_kem_key(writer.gap(crypto::mlkem768_public_bytes + symmetric_.overhead())));
        break;
      case Token::ekem1:
        VG_TRY_VOID(
            write_kem_ciphertext(writer.gap(crypto::mlkem768_ciphertext_bytes + symmetric_.overhead())));
        break;
      default:
        VG_TRY_VOID(mix_shared(token));
    }
  }
  return symmetric_.encrypt_and_hash(payload, writer.gap(payload.size() + symmetric_.overhead()));
}

Result<std::size_t> HandshakeState::read_message(ByteView in, ByteSpan out) {
  if (dead_) return fail(Errc::closed);
  if (finished() || my_turn()) return fail(Errc::bad_argument);
  const auto removed = overhead();
  const bool sound = in.size() >= removed && in.size() <= limits::message_bytes_max;
  if (sound && out.size() < in.size() - removed) return fail(Errc::limit_exceeded, in.size() - removed);
  const auto result =
      sound ? read(in, out.first(in.size() - removed))
            : Result<void>{fail(in.size() < removed ? Errc::truncated : Errc::limit_exceeded, in.size())};
  if (!result) return die(result.error());
  advance();
  return in.size() - removed;
}

Result<void> HandshakeState::read(ByteView in, ByteSpan out) {
  wire::Reader reader{in};
  for (const Token token : pattern_.messages[next_message_]) {
    switch (token) {
      case Token::e: {
        VG_TRY(key, reader.bytes(public_bytes));
        remote_ephemeral_ = public_key(key);
        mix_ephemeral(*remote_ephemeral_);
        break;
      }
      case Token::s: {
        VG_TRY(sealed, reader.bytes(public_bytes + symmetric_.overhead()));
        crypto::X25519Public key;
        VG_TRY_VOID(symmetric_.decrypt_and_hash(sealed, key));
        remote_static_ = key;
        break;
      }
      case Token::e1: {
        VG_TRY(sealed, reader.bytes(crypto::mlkem768_public_bytes + symmetric_.overhead()));
        VG_TRY_VOID(read_kem_key(sealed));
        break;
      }
      case Token::ekem1: {
        VG_TRY(sealed, reader.bytes(crypto::mlkem768_ciphertext_bytes + symmetric_.overhead()));
        VG_TRY_VOID(read_kem_ciphertext(sealed));
        break;
      }
      default:
        VG_TRY_VOID(mix_shared(token));
    }
  }
  return symmetric_.decrypt_and_hash(reader.rest(), out);
}

// hfs: e1 = EncryptAndHash(encapsulation key); ekem1 = EncryptAndHash(ciphertext), and only then
// MixKey(secret).

Result<void> HandshakeState::write_kem_key(ByteSpan out) {
  kem_key_ = fixed_kem_seed_ ? crypto::MlkemPrivate::from_seed(*fixed_kem_seed_)
                             : crypto::MlkemPrivate::generate(*random_);
  return symmetric_.encrypt_and_hash(kem_key_->public_key(), out);
}

Result<void> HandshakeState::read_kem_key(ByteView sealed) {
  remote_kem_key_.resize(crypto::mlkem768_public_bytes);
  return symmetric_.decrypt_and_hash(sealed, remote_kem_key_);
}

Result<void> HandshakeState::write_kem_ciphertext(ByteSpan out) {
  crypto::MlkemCiphertext ciphertext;
  VG_TRY(shared, fixed_kem_randomness_
                     ? crypto::mlkem768_encapsulate(remote_kem_key_, ciphertext, *fixed_kem_randomness_)
                     : crypto::mlkem768_encapsulate(remote_kem_key_, ciphertext, *random_));
  VG_TRY_VOID(symmetric_.encrypt_and_hash(ciphertext, out));
  symmetric_.mix_key(shared.view());
  return ok();
}

Result<void> HandshakeState::read_kem_ciphertext(ByteView sealed) {
  VG_CHECK(kem_key_.has_value());
  crypto::MlkemCiphertext ciphertext;
  VG_TRY_VOID(symmetric_.decrypt_and_hash(sealed, ciphertext));
  VG_TRY(shared, kem_key_->decapsulate(ciphertext));
  symmetric_.mix_key(shared.view());
  return ok();
}

/// mix_shared handles the tokens that put nothing on the wire.
Result<void> HandshakeState::mix_shared(Token token) {
  const bool initiator = role_ == Role::initiator;
  switch (token) {
    case Token::ee:
      return mix_dh(ephemeral_, remote_ephemeral_);
    case Token::es:
      return initiator ? mix_dh(ephemeral_, remote_static_) : mix_dh(static_, remote_ephemeral_);
    case Token::se:
      return initiator ? mix_dh(static_, remote_ephemeral_) : mix_dh(ephemeral_, remote_static_);
    case Token::ss:
      return mix_dh(static_, remote_static_);
    case Token::psk:
      mix_psk();
      return ok();
    default:
      return fail(Errc::unsupported);
  }
}

Result<void> HandshakeState::mix_dh(const std::optional<crypto::X25519KeyPair>& local,
                                    const std::optional<crypto::X25519Public>& remote) {
  VG_CHECK(local.has_value() && remote.has_value());
  VG_TRY(shared, crypto::x25519(local->private_key, *remote));
  symmetric_.mix_key(shared.view());
  return ok();
}

void HandshakeState::mix_ephemeral(const crypto::X25519Public& key) {
  symmetric_.mix_hash(key);
  if (pattern_.psk_count > 0) symmetric_.mix_key(key);  // 9.2
}

void HandshakeState::mix_psk() {
  VG_CHECK(next_psk_ < psks_.size());
  symmetric_.mix_key_and_hash(psks_[next_psk_++].view());
}

void HandshakeState::advance() {
  if (++next_message_ == pattern_.message_count) drop_secrets();
}

/// drop_secrets wipes what nothing needs any more, long before the owner destroys the state.
void HandshakeState::drop_secrets() {
  ephemeral_.reset();
  static_.reset();
  kem_key_.reset();
  fixed_kem_seed_.reset();
  fixed_kem_randomness_.reset();
  psks_.clear();
}

Error HandshakeState::die(Error reason) {
  dead_ = true;
  drop_secrets();
  return reason;
}

SplitKeys HandshakeState::split() const {
  VG_CHECK(finished() && !dead_);
  return symmetric_.split();
}

Transport HandshakeState::transport() const {
  auto keys = split();
  CipherState forth{cipher_, std::move(keys.initiator_to_responder)};
  CipherState back{cipher_, std::move(keys.responder_to_initiator)};
  if (role_ == Role::initiator) return {std::move(forth), std::move(back)};
  return {std::move(back), std::move(forth)};
}

}  // namespace village::noise
