#pragma once
// What is seen of the mixnet from outside: a node's state, and messages as programs hand them over.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/time.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/wire/node_id.hpp"

namespace village::service {

/// MixAddress is where a message goes: a client's key, and the gateway that keeps its messages.
struct MixAddress {
  crypto::Ed25519Public key{};
  wire::NodeId gateway;
  /// text is "<key in base64url>@<bn1: name of the gateway>".
  std::string text() const;
  /// parse reads it. Errors: malformed.
  static Result<MixAddress> parse(std::string_view text);
};

/// MixOutgoing is a message to send, to an address or in reply to one received.
struct MixOutgoing {
  std::optional<MixAddress> to;
  std::string reply_to;            ///< id of a message received, instead of `to`: uses its reply blocks
  Bytes message;                   ///< 1 byte to 1 MiB
  std::uint32_t reply_blocks = 0;  ///< handed out, so that the recipient can answer
  Duration within = std::chrono::hours{1};
};

/// MixIncoming is a message received.
struct MixIncoming {
  std::uint64_t sequence = 0;                 ///< counts messages received since the start; for `receive`
  std::string id;                             ///< hex
  std::optional<crypto::Ed25519Public> from;  ///< whose seal it carries; none = a reply by reply block
  std::string reply_to;                       ///< hex id of our message that this answers, "" = none
  std::size_t reply_blocks = 0;
  Bytes message;
  WallTime seen_until{};  ///< until when its id is remembered
};

/// MixFate is what became of a message sent.
enum class MixFate : std::uint8_t { unknown, under_way, delivered, failed };

/// MixClientStatus is the client's part of the status.
struct MixClientStatus {
  std::string address;  ///< what others send to
  bool connected = false;
  std::size_t outbox = 0, inbox = 0;
  std::uint64_t sent = 0, delivered = 0, failed = 0, received = 0;
  std::uint64_t packets = 0, retransmissions = 0, loops_sent = 0, loops_back = 0;
};

/// MixStatus is the mixnet's part of `villaged status`.
struct MixStatus {
  std::vector<std::string> roles;
  std::uint64_t epoch = 0;
  Duration epoch_left{0};
  bool directory_valid = false;  ///< without a valid document nothing is forwarded
  std::size_t nodes = 0;         ///< of the document
  std::uint8_t layer = 0;        ///< ours; 0 = none
  std::size_t links = 0, links_open = 0, held = 0;
  std::uint64_t packets_in = 0, forwarded = 0, delivered = 0;
  std::vector<std::pair<std::string, std::uint64_t>> drops;  ///< by reason, those that happened
  std::uint64_t loops_sent = 0, loops_back = 0, loops_lost = 0;
  bool loss_alarm = false;  ///< more loops are lost than faults explain: perhaps an (n-1) attack
  std::size_t clients_connected = 0, mailbox_messages = 0;
  std::optional<MixClientStatus> client;
  std::string problem;  ///< "" = fine
};

}  // namespace village::service
