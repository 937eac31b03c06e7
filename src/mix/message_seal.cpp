#include "village/mix/message_seal.hpp"

#include <algorithm>

#include "village/noise/handshake_state.hpp"

namespace village::mix {
namespace {

constexpr std::string_view label = "villaged-mix-message-v1";
constexpr std::uint8_t seal_version = 1;
constexpr std::size_t head_payload_bytes = 1 + 32 + 8 + 4;
constexpr std::size_t chunk_bytes = noise::limits::message_bytes_max - noise::tag_bytes;

const noise::Protocol& protocol() {
  static const noise::Protocol x = noise::parse_protocol("Noise_X_25519_ChaChaPoly_SHA256").value();
  return x;
}

Bytes prologue(const MessageId& id, const crypto::Ed25519Public& recipient) {
  Bytes bytes;
  wire::Writer writer{bytes, label.size() + id.size() + recipient.size()};
  writer.text(label);
  writer.bytes(id);
  writer.bytes(recipient);
  return bytes;
}

std::size_t sealed_size(std::size_t body) {
  return sealed_head_bytes + body + (body + chunk_bytes - 1) / chunk_bytes * noise::tag_bytes;
}

Bytes make_body(std::span<const OwnedEnvelope> blocks, ByteView message) {
  Bytes body;
  wire::Writer writer{body, limits::sealed_bytes_max};
  writer.u8(static_cast<std::uint8_t>(blocks.size()));
  for (const auto& block : blocks) write_envelope(writer, block.view());
  writer.bytes(message);
  VG_CHECK(!writer.overflowed());
  return body;
}

Result<void> read_body(ByteView body, OpenedMessage& message) {
  wire::Reader reader{body};
  VG_TRY(count, reader.u8());
  if (count > limits::reply_blocks_max) return fail(Errc::malformed, 0);
  for (std::size_t i = 0; i < count; ++i) {
    VG_TRY(block, read_envelope(reader));
    message.reply_blocks.push_back({block.epoch, block.form, to_bytes(block.bytes)});
  }
  const auto rest = reader.rest();
  if (rest.size() > limits::message_bytes_max) return fail(Errc::limit_exceeded);
  message.bytes = to_bytes(rest);
  return ok();
}

/// NoRandom is for the responder of X, who draws nothing.
class NoRandom final : public RandomSource {
 public:
  void fill(ByteSpan) override { VG_CHECK(false); }
};

DeliveryProof proof_of(const noise::HandshakeState& state) {
  DeliveryProof proof{};
  noise::CipherState cipher{noise::Cipher::chacha_poly, std::move(state.split().responder_to_initiator)};
  VG_CHECK(cipher.encrypt({}, {}, proof).has_value());
  return proof;
}

/// Opening is a head that was opened and the cipher for what follows.
struct Opening {
  MessageHead head;
  std::size_t body_bytes = 0;
  DeliveryProof proof{};
  noise::CipherState cipher;
};

Result<Opening> begin(const MessageIdentity& recipient, const MessageId& id, ByteView sealed) {
  if (sealed.size() < sealed_head_bytes) return fail(Errc::truncated, sealed.size());
  const auto agreed = prologue(id, recipient.node_key());
  noise::HandshakeOptions options;
  options.prologue = agreed;
  options.local_static = recipient.key_pair();
  NoRandom unused;
  VG_TRY(state, noise::HandshakeState::start(protocol(), noise::Role::responder, std::move(options), unused));
  ByteArray<head_payload_bytes> payload;
  VG_TRY_VOID(state.read_message(sealed.first(sealed_head_bytes), payload));
  MessageHead head;
  wire::Reader reader{payload};
  if (reader.u8().value() != seal_version) return fail(Errc::version);
  VG_TRY_VOID(reader.fill(head.sender));
  VG_TRY(seconds, reader.u64());
  VG_TRY(body_bytes, reader.u32());
  const auto form = crypto::x25519_public(head.sender);
  if (!form || *form != state.remote_static()) return fail(Errc::auth_failed);
  head.sealed_bytes = sealed_size(body_bytes);
  if (head.sealed_bytes > limits::sealed_bytes_max) return fail(Errc::limit_exceeded);
  constexpr std::uint64_t seconds_max = 9'000'000'000;  // fits nanoseconds in 63 bits
  head.sealed = WallTime{std::chrono::seconds{std::min(seconds, seconds_max)}};
  return Opening{head, body_bytes, proof_of(state), std::move(state.transport().receive)};
}

}  // namespace

MessageIdentity::MessageIdentity(const crypto::Ed25519KeyPair& node)
    : node_key_{node.public_key}, keys_{node.x25519()} {}

crypto::X25519KeyPair MessageIdentity::key_pair() const {
  return {keys_.private_key.clone(), keys_.public_key};
}

Result<SealedMessage> seal_message(const MessageIdentity& sender, const crypto::Ed25519Public& recipient,
                                   const MessageId& id, std::span<const OwnedEnvelope> reply_blocks,
                                   ByteView message, WallTime now, RandomSource& random) {
  if (message.size() > limits::message_bytes_max || reply_blocks.size() > limits::reply_blocks_max) {
    return fail(Errc::limit_exceeded);
  }
  VG_TRY(recipient_static, crypto::x25519_public(recipient));
  const auto body = make_body(reply_blocks, message);
  const auto agreed = prologue(id, recipient);
  noise::HandshakeOptions options;
  options.prologue = agreed;
  options.local_static = sender.key_pair();
  options.remote_static = recipient_static;
  VG_TRY(state, noise::HandshakeState::start(protocol(), noise::Role::initiator, std::move(options), random));
  ByteArray<head_payload_bytes> payload;
  wire::Writer writer{payload};
  writer.u8(seal_version);
  writer.bytes(sender.node_key());
  const auto since = std::max(now.time_since_epoch(), Duration{0});
  writer.u64(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count()));
  writer.u32(static_cast<std::uint32_t>(body.size()));
  Bytes sealed(sealed_size(body.size()));
  VG_TRY(head_bytes, state.write_message(payload, ByteSpan{sealed}.first(sealed_head_bytes)));
  VG_CHECK(head_bytes == sealed_head_bytes);
  auto cipher = std::move(state.transport().send);
  ByteSpan out = ByteSpan{sealed}.subspan(sealed_head_bytes);
  for (ByteView rest = body; !rest.empty();) {
    const auto chunk = rest.first(std::min(rest.size(), chunk_bytes));
    VG_TRY_VOID(cipher.encrypt({}, chunk, out.first(chunk.size() + noise::tag_bytes)));
    out = out.subspan(chunk.size() + noise::tag_bytes);
    rest = rest.subspan(chunk.size());
  }
  return SealedMessage{std::move(sealed), proof_of(state)};
}

Result<MessageHead> open_head(const MessageIdentity& recipient, const MessageId& id, ByteView sealed) {
  VG_TRY(opening, begin(recipient, id, sealed));
  return opening.head;
}

Result<OpenedMessage> open_message(const MessageIdentity& recipient, const MessageId& id, ByteView sealed) {
  VG_TRY(opening, begin(recipient, id, sealed));
  if (sealed.size() != opening.head.sealed_bytes) return fail(Errc::malformed, sealed.size());
  Bytes body(opening.body_bytes);
  ByteSpan out = body;
  for (ByteView rest = sealed.subspan(sealed_head_bytes); !rest.empty();) {
    const auto chunk = rest.first(std::min(rest.size(), chunk_bytes + noise::tag_bytes));
    const auto plain = out.first(chunk.size() - noise::tag_bytes);
    VG_TRY_VOID(opening.cipher.decrypt({}, chunk, plain));
    out = out.subspan(plain.size());
    rest = rest.subspan(chunk.size());
  }
  OpenedMessage message;
  message.head = opening.head;
  message.proof = opening.proof;
  VG_TRY_VOID(read_body(body, message));
  return message;
}

}  // namespace village::mix
