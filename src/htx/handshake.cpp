// The handshake as a state machine over two byte streams.
//
//   initiator                             responder
//   'HTX' suite, u16 | message 1   --->   judges the suite, then each length before the message is there
//                                  <---   u16 | message 2
//   u16 | message 3 (XK)           --->   identity proof in the initiator's last message
//
// The identity proof is the payload of the initiator's last message: Ed25519 key | u16 length | zeros. It
// proves nothing by a signature: the Noise static is the X25519 form of that key, and Noise has proven the
// static.
#include "village/htx/handshake.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/htx/limits.hpp"
#include "village/htx/suite.hpp"
#include "village/noise/handshake_state.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::htx {
namespace {

constexpr std::size_t magic_bytes = 4;  // 'H' 'T' 'X' suite
constexpr std::size_t length_bytes = 2;
constexpr std::size_t proof_bytes_min = 32 + 2;
constexpr std::string_view magic = "HTX";
constexpr std::string_view version = "betanet/htx/1.2.0";

}  // namespace

struct Handshake::State {
  State(noise::Role role_, const crypto::Ed25519KeyPair& identity, const ExporterKey& exporter_,
        HandshakeSettings settings_, RandomSource& random_)
      : role{role_},
        static_key{identity.x25519()},
        rekey_identity{std::make_shared<RekeyIdentity>(
            RekeyIdentity{{static_key.private_key.clone(), static_key.public_key}, {}})},
        local_key{identity.public_key},
        exporter{exporter_},
        settings{std::move(settings_)},
        random{random_} {}

  Result<void> start(Suite suite, const std::optional<crypto::X25519Public>& remote);
  Result<void> write_next();
  Result<std::size_t> take(ByteView in);
  Result<std::size_t> wanted() const;
  Result<void> on_piece();
  Result<void> on_message(ByteView message);
  Result<void> check_proof(ByteView proof);
  /// carries_proof: message `index` is the initiator's last one.
  bool carries_proof(std::size_t index) const {
    return noise::Pattern::writer(index) == noise::Role::initiator && index + 2 >= message_count;
  }

  noise::Role role;
  crypto::X25519KeyPair static_key;
  std::shared_ptr<RekeyIdentity> rekey_identity;
  crypto::Ed25519Public local_key;
  std::optional<crypto::Ed25519Public> peer_key;
  ExporterKey exporter;
  HandshakeSettings settings;
  RandomSource& random;
  std::vector<Suite> allowed;  ///< responder
  const SuiteInfo* info = nullptr;
  std::optional<noise::HandshakeState> noise;
  std::size_t message_count = 0;
  std::size_t message_index = 0;
  Bytes incoming;  ///< the magic, or a length with its message, as far as it came
  Bytes outgoing;
  std::size_t outgoing_sent = 0;
  bool dead = false;
};

Result<void> Handshake::State::start(Suite suite, const std::optional<crypto::X25519Public>& remote) {
  info = suite_info(suite);
  if (info == nullptr) return fail(Errc::unsupported, static_cast<std::uint8_t>(suite));
  VG_TRY(protocol, noise::parse_protocol(info->noise_name));
  if (info->psk && !settings.psk) return fail(Errc::bad_argument);
  Bytes prologue;
  wire::Writer writer{prologue, 128};
  writer.text(magic);
  writer.u8(static_cast<std::uint8_t>(suite));
  writer.text(version);
  writer.bytes(exporter);
  noise::HandshakeOptions options;
  options.prologue = prologue;
  options.local_static = std::move(static_key);
  options.remote_static = remote;
  if (info->psk) options.psks.push_back(settings.psk->clone());
  message_count = protocol.pattern.message_count;
  VG_TRY(state, noise::HandshakeState::start(protocol, role, std::move(options), random));
  noise.emplace(std::move(state));
  return ok();
}

/// write_next appends `u16 length | message` to what goes out.
Result<void> Handshake::State::write_next() {
  Bytes payload;
  if (carries_proof(message_index)) {
    wire::Writer writer{payload, proof_bytes_min + settings.padding_bytes};
    writer.bytes(local_key);
    writer.u16(static_cast<std::uint16_t>(settings.padding_bytes));
    writer.zeros(settings.padding_bytes);
  }
  const auto size = payload.size() + noise->overhead();
  wire::Writer writer{outgoing, limits::handshake_flight_bytes_max};
  writer.u16(static_cast<std::uint16_t>(size));
  const auto message = writer.gap(size);
  VG_CHECK(!writer.overflowed());
  VG_TRY_VOID(noise->write_message(payload, message));
  ++message_index;
  return ok();
}

/// wanted is the size of the piece that `incoming` is becoming: the magic, or a length and its message.
Result<std::size_t> Handshake::State::wanted() const {
  if (!noise) return magic_bytes;
  if (incoming.size() < length_bytes) return length_bytes;
  const auto size = wire::Reader{incoming}.u16().value();
  const auto least = noise->overhead() + (carries_proof(message_index) ? proof_bytes_min : 0);
  const auto most = least + (carries_proof(message_index) ? limits::handshake_padding_bytes_max : 0);
  if (size < least || size > most) return fail(Errc::malformed, size);
  return length_bytes + size;
}

Result<std::size_t> Handshake::State::take(ByteView in) {
  std::size_t used = 0;
  while (!noise || (message_index < message_count && !noise->my_turn())) {
    VG_TRY(size, wanted());
    const auto count = std::min(size - incoming.size(), in.size() - used);
    const auto piece = in.subspan(used, count);
    incoming.insert(incoming.end(), piece.begin(), piece.end());
    used += count;
    if (incoming.size() < size) return used;
    if (noise && size == length_bytes) continue;  // now the length is known
    VG_TRY_VOID(on_piece());
    incoming.clear();
  }
  return used;
}

Result<void> Handshake::State::on_piece() {
  if (noise) return on_message(ByteView{incoming}.subspan(length_bytes));
  if (as_text(ByteView{incoming}.first(magic.size())) != magic) return fail(Errc::malformed);
  const auto suite = static_cast<Suite>(std::to_integer<std::uint8_t>(incoming.back()));
  if (std::find(allowed.begin(), allowed.end(), suite) == allowed.end()) return fail(Errc::version);
  if (auto started = start(suite, std::nullopt); !started) return fail(Errc::version);
  return ok();
}

Result<void> Handshake::State::on_message(ByteView message) {
  Bytes payload(message.size() - noise->overhead());
  if (!noise->read_message(message, payload)) return fail(Errc::auth_failed, message_index);
  if (carries_proof(message_index)) VG_TRY_VOID(check_proof(payload));
  ++message_index;
  if (noise->my_turn()) {
    if (!write_next()) return fail(Errc::auth_failed, message_index);
  }
  return ok();
}

Result<void> Handshake::State::check_proof(ByteView proof) {
  wire::Reader reader{proof};
  VG_TRY(key, reader.fixed<32>());
  VG_TRY(padding, reader.u16());
  if (padding != reader.remaining() || !crypto::is_zero(reader.rest())) return fail(Errc::malformed);
  crypto::Ed25519Public claimed;
  std::copy(key.begin(), key.end(), claimed.begin());
  const auto form = crypto::x25519_public(claimed);
  const auto& proven = noise->remote_static();
  if (!form || !proven || !crypto::equal(*form, *proven)) return fail(Errc::auth_failed);
  peer_key = claimed;
  return ok();
}

Handshake::Handshake(std::unique_ptr<State> state) : state_{std::move(state)} {}
Handshake::Handshake(Handshake&&) noexcept = default;
Handshake& Handshake::operator=(Handshake&&) noexcept = default;
Handshake::~Handshake() = default;

Result<Handshake> Handshake::initiator(const crypto::Ed25519KeyPair& identity,
                                       const crypto::Ed25519Public& peer, Suite suite,
                                       const ExporterKey& exporter, HandshakeSettings settings,
                                       RandomSource& random) {
  if (settings.padding_bytes > limits::handshake_padding_bytes_max) return fail(Errc::bad_argument);
  VG_TRY(remote, crypto::x25519_public(peer));
  auto state =
      std::make_unique<State>(noise::Role::initiator, identity, exporter, std::move(settings), random);
  VG_TRY_VOID(state->start(suite, remote));
  state->peer_key = peer;
  wire::Writer writer{state->outgoing, magic_bytes};
  writer.text(magic);
  writer.u8(static_cast<std::uint8_t>(suite));
  VG_TRY_VOID(state->write_next());
  return Handshake{std::move(state)};
}

Handshake Handshake::responder(const crypto::Ed25519KeyPair& identity, std::vector<Suite> suites,
                               const ExporterKey& exporter, HandshakeSettings settings,
                               RandomSource& random) {
  auto state =
      std::make_unique<State>(noise::Role::responder, identity, exporter, std::move(settings), random);
  state->allowed = std::move(suites);
  return Handshake{std::move(state)};
}

Result<std::size_t> Handshake::receive(ByteView in) {
  if (state_->dead) return fail(Errc::closed);
  auto used = state_->take(in);
  state_->dead = !used;
  return used;
}

std::size_t Handshake::poll_transmit(ByteSpan out) {
  auto& state = *state_;
  if (state.dead) return 0;
  const auto rest = ByteView{state.outgoing}.subspan(state.outgoing_sent);
  const auto count = std::min(rest.size(), out.size());
  std::copy_n(rest.begin(), count, out.begin());
  state.outgoing_sent += count;
  if (count == rest.size()) {
    state.outgoing.clear();
    state.outgoing_sent = 0;
  }
  return count;
}

bool Handshake::done() const {
  return !state_->dead && state_->message_count != 0 && state_->message_index == state_->message_count &&
         state_->outgoing.empty();
}

SessionKeys Handshake::finish() {
  VG_CHECK(done() && state_->peer_key);
  auto& state = *state_;
  auto split = state.noise->split();
  SessionKeys keys;
  keys.algorithm = state.info->algorithm;
  keys.suite = state.info->suite;
  keys.client_to_server = std::move(split.initiator_to_responder);
  keys.server_to_client = std::move(split.responder_to_initiator);
  const auto hash = state.noise->handshake_hash();
  VG_CHECK(hash.size() == keys.handshake_hash.size());
  std::copy(hash.begin(), hash.end(), keys.handshake_hash.begin());
  keys.local_key = state.local_key;
  keys.peer_key = *state.peer_key;
  state.rekey_identity->peer_static = *state.noise->remote_static();
  keys.rekey = std::move(state.rekey_identity);
  state.dead = true;
  return keys;
}

}  // namespace village::htx
