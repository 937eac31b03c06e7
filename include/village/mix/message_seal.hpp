#pragma once
// The seal of a message: Noise X to the recipient's node, made before the message is cut into fragments.
//
//   head, 141 bytes: Noise_X_25519_ChaChaPoly_SHA256 handshake message  e | s | payload
//     prologue: "villaged-mix-message-v1" | message id 16 | recipient's node key 32
//     payload : version u8 (1) | sender's node key 32 | sealed at u64 (seconds since 1970) | body length u32
//   body: transport messages of up to 65,519 bytes each, over
//     count u8 | reply blocks (epoch u64 | form u8 | length u16 | bytes) | the user's bytes
//
// The statics are the X25519 forms of the node keys; the sender's node key in the head must have the static
// as its form, so that what is authenticated is a node and not just a key. The head fits in the first
// fragment: a recipient knows whom to charge for the rest before it has it. Reply blocks are inside, where
// the gateways on the way cannot use them up. Noise X has no forward secrecy towards the recipient's key: who
// takes it later can read what he kept. Sources: decisions/mix; Noise revision 34, section 7.4;
// docs/decisions/010.
#include <span>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {

inline constexpr std::size_t sealed_head_bytes = 32 + 48 + (1 + 32 + 8 + 4) + 16;

/// MessageIdentity is a node as sender and recipient of messages.
class MessageIdentity {
 public:
  explicit MessageIdentity(const crypto::Ed25519KeyPair& node);
  const crypto::Ed25519Public& node_key() const { return node_key_; }
  /// key_pair is a copy of the X25519 form.
  crypto::X25519KeyPair key_pair() const;

 private:
  crypto::Ed25519Public node_key_;
  crypto::X25519KeyPair keys_;
};

/// OwnedEnvelope is a reply block that is kept.
struct OwnedEnvelope {
  Epoch epoch = 0;
  ReplyForm form = ReplyForm::last_seed;
  Bytes bytes;
  ReplyEnvelope view() const { return {epoch, form, bytes}; }
};

/// MessageHead is what the first sealed_head_bytes say.
struct MessageHead {
  crypto::Ed25519Public sender{};  ///< proven
  WallTime sealed{};
  std::size_t sealed_bytes = 0;  ///< of the whole message
};

struct OpenedMessage {
  MessageHead head;
  DeliveryProof proof{};
  std::vector<OwnedEnvelope> reply_blocks;
  Bytes bytes;
};

/// SealedMessage is what is cut, and how its delivery will be proven: the tag of an empty message under the
/// key that Noise derives for the other direction, which X has no use for. Gateways and mixes cannot make it.
struct SealedMessage {
  Bytes bytes;
  DeliveryProof proof{};
};

/// seal_message makes what is cut into fragments. Two X25519 and one key generation, about 100 us, and the
/// copy. Errors: limit_exceeded (message_bytes_max, reply_blocks_max), bad_key (the recipient's).
Result<SealedMessage> seal_message(const MessageIdentity& sender, const crypto::Ed25519Public& recipient,
                                   const MessageId& id, std::span<const OwnedEnvelope> reply_blocks,
                                   ByteView message, WallTime now, RandomSource& random);

/// open_head opens the head alone. `sealed` begins with it. Errors: truncated, bad_tag, bad_key, version,
/// auth_failed (the node key is not that of the static), limit_exceeded (longer than a message may be).
Result<MessageHead> open_head(const MessageIdentity& recipient, const MessageId& id, ByteView sealed);

/// open_message opens a whole message. Errors: those of open_head; malformed (length, reply blocks).
Result<OpenedMessage> open_message(const MessageIdentity& recipient, const MessageId& id, ByteView sealed);

}  // namespace village::mix
