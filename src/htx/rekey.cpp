#include "htx/rekey.hpp"

#include <string>

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/suite.hpp"
#include "village/wire/writer.hpp"

namespace village::htx {
namespace {

enum class Kind : std::uint8_t { offer = 1, answer = 2, done = 3 };

constexpr std::size_t prologue_bytes = 9 + 32 + 4;

std::string protocol_name(crypto::AeadAlgorithm algorithm, Suite suite) {
  const bool blake = suite == Suite::xk_chacha_blake2s;
  const std::string cipher = algorithm == crypto::AeadAlgorithm::aes_256_gcm ? "AESGCM" : "ChaChaPoly";
  return "Noise_KKhfs_25519+MLKEM768_" + cipher + (blake ? "_BLAKE2s" : "_SHA256");
}

/// written gives `kind | message`, the next message of `noise`.
Result<Bytes> written(Kind kind, noise::HandshakeState& noise) {
  Bytes plaintext(1 + noise.overhead());
  plaintext[0] = static_cast<std::byte>(kind);
  VG_TRY_VOID(noise.write_message({}, ByteSpan{plaintext}.subspan(1)));
  return plaintext;
}

/// read takes a message without payload.
Result<void> read(ByteView message, noise::HandshakeState& noise) {
  if (message.size() != noise.overhead()) return fail(Errc::malformed, message.size());
  if (!noise.read_message(message, {})) return fail(Errc::auth_failed);
  return ok();
}

}  // namespace

Rekey::Rekey(Role role, const SessionKeys& keys, Instant now)
    : role_{role},
      algorithm_{keys.algorithm},
      suite_{keys.suite},
      session_hash_{keys.handshake_hash},
      identity_{keys.rekey},
      last_{now},
      own_budget_{limits::rekey_bucket - 1, limits::rekey_refill + std::chrono::seconds{1}, now},
      peer_budget_{limits::rekey_bucket, limits::rekey_refill, now} {}

Result<noise::HandshakeState> Rekey::handshake(bool starter, RandomSource& random) const {
  Bytes prologue;
  wire::Writer writer{prologue, prologue_bytes};
  writer.text("HTX rekey");
  writer.bytes(session_hash_);
  writer.u32(count_ + 1);
  noise::HandshakeOptions options;
  options.prologue = prologue;
  const auto& own = identity_->local_static;
  options.local_static = crypto::X25519KeyPair{own.private_key.clone(), own.public_key};
  options.remote_static = identity_->peer_static;
  VG_TRY(protocol, noise::parse_protocol(protocol_name(algorithm_, suite_)));
  return noise::HandshakeState::start(protocol, starter ? noise::Role::initiator : noise::Role::responder,
                                      std::move(options), random);
}

RekeyMail Rekey::start(RandomSource& random, Instant now) {
  VG_CHECK(may_start(now) && own_budget_.spend({}, now));
  auto noise = handshake(true, random);
  VG_CHECK(noise.has_value());
  run_ = std::make_unique<Run>(Run{std::move(*noise), now, true, false, std::nullopt});
  auto offer = written(Kind::offer, run_->noise);
  VG_CHECK(offer.has_value());  // the peer's static was good for the first handshake
  return {std::move(*offer), std::nullopt};
}

Result<Rekey::Outcome> Rekey::receive(ByteView plaintext, bool quiet, RandomSource& random, Instant now) {
  VG_CHECK(able());
  if (plaintext.empty()) return fail(Errc::malformed);
  const auto message = plaintext.subspan(1);
  switch (static_cast<Kind>(plaintext[0])) {
    case Kind::offer:
      return on_offer(message, quiet, random, now);
    case Kind::answer:
      return on_answer(message, now);
    case Kind::done:
      return message.empty() ? on_done(now) : Result<Outcome>{fail(Errc::malformed)};
  }
  return fail(Errc::malformed);
}

Result<Rekey::Outcome> Rekey::on_offer(ByteView message, bool quiet, RandomSource& random, Instant now) {
  if (!peer_budget_.spend({}, now)) return fail(Errc::exhausted);
  if (run_ && (!run_->starter || run_->outvoted)) return fail(Errc::malformed);
  if (run_ && role_ == Role::client) {  // both started at once: ours counts
    run_->outvoted = true;
    return Outcome{};
  }
  run_.reset();
  if (quiet) return Outcome{};
  VG_TRY(noise, handshake(false, random));
  VG_TRY_VOID(read(message, noise));
  auto answer = written(Kind::answer, noise);
  if (!answer) return fail(Errc::auth_failed);  // its encapsulation key is none
  auto keys = noise.split();
  run_ =
      std::make_unique<Run>(Run{std::move(noise), now, false, false, std::move(keys.initiator_to_responder)});
  return Outcome{RekeyMail{std::move(*answer), std::move(keys.responder_to_initiator)}, std::nullopt};
}

Result<Rekey::Outcome> Rekey::on_answer(ByteView message, Instant now) {
  if (!run_ || !run_->starter) return fail(Errc::malformed);
  VG_TRY_VOID(read(message, run_->noise));
  auto keys = run_->noise.split();
  finished(now);
  Bytes done{static_cast<std::byte>(Kind::done)};
  return Outcome{RekeyMail{std::move(done), std::move(keys.initiator_to_responder)},
                 std::move(keys.responder_to_initiator)};
}

Result<Rekey::Outcome> Rekey::on_done(Instant now) {
  if (!run_ || run_->starter) return fail(Errc::malformed);
  auto change = std::move(run_->change);
  finished(now);
  return Outcome{std::nullopt, std::move(change)};
}

void Rekey::finished(Instant now) {
  run_.reset();
  last_ = now;
  ++count_;
}

}  // namespace village::htx
