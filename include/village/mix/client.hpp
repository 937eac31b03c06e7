#pragma once
// Client: messages over the mixnet, without a socket.
//
//   send, reply                                          on_delivery <- gateway <- mixes
//      | seal (Noise X)                                        | open: payload, or reply to one of our blocks
//      v                                                       v
//   Outbox: fragments, retransmission <---acknowledged--- ReplyBlocks
//      |            acknowledgements we owe ---+               | fragments
//      v                                       v               v
//   CoverStream: one packet at each of its times, real or cover      Reassembly -> open -> SeenMessages
//      |
//      v poll_packet -> gateway -> layer 1
//
// How to drive it: after each call drain poll_event, poll_packet and poll_receipts, then come back at
// next_deadline with on_deadline. A packet that poll_packet wrote is as good as sent.
//
// What is promised. A message is reported delivered when every fragment was acknowledged by the recipient
// itself, the last one not before the message was complete and opened; failed when one was not in time: then
// it may have arrived all the same. A recipient hands a message
// to its user at most once, also over restarts if its owner keeps SeenMessages on disk
// (service/mix_seen_file). Deliveries are acknowledged to the gateway (receipts) when the message they belong
// to is complete and confirmed, so that a crash before that loses nothing: the gateway hands them over again.
// Beyond receipts_held_max they are acknowledged at once, and a crash then loses what was not complete.
//
// Order for an owner who keeps what it receives: store the bytes under the id of the event, then append the
// id to the file of seen ones, then confirm.
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/mix/cover_stream.hpp"
#include "village/mix/loop_monitor.hpp"
#include "village/mix/message_seal.hpp"
#include "village/mix/outbox.hpp"
#include "village/mix/path_health.hpp"
#include "village/mix/reassembly.hpp"
#include "village/mix/reply_blocks.hpp"
#include "village/mix/seen_messages.hpp"
#include "village/mix/topology.hpp"
#include "village/mix/way.hpp"

namespace village::mix {

/// Recipient is whom a message is for.
struct Recipient {
  crypto::Ed25519Public key{};  ///< its node key
  wire::NodeId gateway;         ///< whose client it is
};

struct SendOptions {
  std::size_t replies =
      0;  ///< reply blocks handed out with it; a reply takes one for each started 1,252 bytes
  Duration time_max = limits::send_time_default;  ///< until it is given up; at most 24 h
};

struct ClientOptions {
  explicit ClientOptions(const wire::NodeId& own_gateway) : gateway{own_gateway} {}
  wire::NodeId gateway;  ///< our own: where replies and acknowledgements come in
  std::size_t payload_bytes =
      1'700;  ///< of the profile; large enough for fragments of 141 bytes (VG_CHECKed)
  Epochs epochs;
  /// Between packets that leave; nullopt: as the document says (client_mean). 0: no cover, packets leave at
  /// once.
  std::optional<Duration> stream_mean;
  PathOptions path;
  LoopMonitor::Options loops;
  bool surb_compat = false;  ///< use reply blocks of the all-keys form too: for interop tests
  bool confirm = false;      ///< the owner calls confirm for each received message; else that is done at once
};

/// What a client tells its owner.
struct MessageDelivered {
  MessageId id{};
};
struct MessageFailed {
  MessageId id{};
  SendFailure reason{};
};
struct MessageReceived {
  MessageId id{};
  crypto::Ed25519Public sender{};     ///< proven
  WallTime sealed{};                  ///< when, says the sender
  std::optional<MessageId> in_reply;  ///< a reply to this message of ours
  std::size_t replies = 0;            ///< reply blocks that came with it: see Client::reply
  WallTime seen_until{};              ///< for the file of seen messages
  Bytes bytes;
};
using ClientEvent = std::variant<MessageDelivered, MessageFailed, MessageReceived>;

/// ClientPacket is where a packet goes.
struct ClientPacket {
  sphinx::NodeAddress first{};  ///< a node of layer 1, most often
  std::byte rotation{};
};

/// ClientCounters count since start. `refused_*`: deliveries that came to nothing, by reason.
struct ClientCounters {
  std::uint64_t fragments_sent = 0, acknowledgements_sent = 0, loops_sent = 0, drops_sent = 0;
  std::uint64_t fragments_received = 0, acknowledged = 0, received = 0;
  std::uint64_t repeated = 0;          ///< fragments we had, or of messages we had
  std::uint64_t refused_payload = 0;   ///< neither a payload nor a reply to a block of ours
  std::uint64_t refused_format = 0;    ///< plain payload malformed, or of a type that may not come this way
  std::uint64_t refused_seal = 0;      ///< not sealed for us, or by somebody who may not reply
  std::uint64_t refused_age = 0;       ///< sealed too long ago, or later than now
  std::uint64_t refused_room = 0;      ///< a bound was reached; the sender tries again
  std::uint64_t refused_conflict = 0;  ///< fragment does not fit to the others
  std::uint64_t acknowledgements_dropped = 0;  ///< their block had expired or could not be used
};

/// Client is one node as sender and recipient. One thread; no clock: `now` and `wall` come with each call.
/// Cost: a packet of 4 hops about 100 us, a fragment twice that (packet and acknowledgement block).
class Client {
 public:
  /// `random` must be fit for keys and outlive the client.
  Client(const crypto::Ed25519KeyPair& node, const ClientOptions& options, RandomSource& random, Instant now);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// set_view adds a document's view; the one that is valid at a moment is used, the last two are kept.
  /// Without a valid one nothing leaves.
  void set_view(std::shared_ptr<const MixView> view, Instant now);
  /// restore_seen takes over what the file of seen messages kept. Before any delivery.
  void restore_seen(const SeenMessage& seen, Moment now) { (void)seen_.restore(seen, now); }
  /// forget_seen takes over what that file says of ids that it has no more.
  void forget_seen(WallTime until, WallTime wall) { seen_.forget(until, wall); }

  /// send takes a message over. Errors: limit_exceeded (1 MiB, 32 replies), bad_key, busy (outbox full),
  /// net_unreachable (replies wanted and no valid document), and those of choose_path to our own gateway.
  Result<MessageId> send(const Recipient& recipient, ByteView message, const SendOptions& options,
                         Instant now, WallTime wall);
  /// reply answers a received message by its reply blocks; each is used once. Errors: not_found (no blocks
  /// are left, or the message came too long ago), limit_exceeded (more fragments than blocks), timed_out (the
  /// blocks have expired), busy.
  Result<MessageId> reply(const MessageId& to, ByteView message, Duration time_max, Instant now,
                          WallTime wall);
  /// replies_left is how many fragments could still go back.
  std::size_t replies_left(const MessageId& to) const;
  /// cancel gives a message up; it is reported as failed.
  bool cancel(const MessageId& id) { return outbox_.give_up(id, SendFailure::cancelled); }

  /// on_session: a session with the gateway begins; it hands over everything again that has no receipt yet.
  void on_session(Instant now);
  /// on_delivery takes what the gateway handed over: its sequence (0 = wants no receipt), the identifier of
  /// the last slot, the payload as the last hop decrypted it.
  void on_delivery(std::uint64_t receipt, const sphinx::Identifier& identifier, ByteView payload, Instant now,
                   WallTime wall);
  /// confirm: a received message is where its user has it; its deliveries may go from the gateway.
  void confirm(const MessageId& id);
  /// poll_receipts takes up to out.size() sequences that the gateway may delete; returns how many. With a
  /// stream it gives some only once for each packet that poll_packet wrote: receipts cause no record of their
  /// own.
  std::size_t poll_receipts(std::span<std::uint64_t> out);

  /// poll_packet writes the next packet that is due into `packet` (348 + payload_bytes, VG_CHECKed); nullopt:
  /// none is. Call it until then.
  std::optional<ClientPacket> poll_packet(ByteSpan packet, Instant now, WallTime wall);
  std::optional<ClientEvent> poll_event();
  void on_deadline(Instant now, WallTime wall);
  std::optional<Instant> next_deadline() const;

  const ClientCounters& counters() const { return counters_; }
  const LoopMonitor& loops() const { return loops_; }
  const Outbox& outbox() const { return outbox_; }
  const Reassembly& reassembly() const { return reassembly_; }
  const SeenMessages& seen() const { return seen_; }
  const PathHealth& path_health() const { return health_; }
  const ReplyBlocks& reply_blocks() const { return blocks_; }
  std::size_t acknowledgements_waiting() const { return owed_.size(); }
  const MessageIdentity& identity() const { return identity_; }
  const wire::NodeId& id() const { return id_; }

 private:
  /// Owed is an acknowledgement to be sent.
  struct Owed {
    OwnedEnvelope block;
    MessageId id{};
    std::uint16_t index = 0;
    std::uint16_t count = 1;
    std::optional<DeliveryProof> proof;  ///< of a last fragment
  };
  /// Route is how the fragments of a message leave.
  struct Route {
    wire::NodeId recipient;  ///< data
    wire::NodeId gateway;    ///< data
    crypto::Ed25519Public key{};
    std::optional<MessageId> reply_to;  ///< reply: whose blocks it takes
  };
  /// Repliable is a received message that came with reply blocks.
  struct Repliable {
    crypto::Ed25519Public sender{};
    std::deque<OwnedEnvelope> blocks;
    WallTime until{};
  };

  const MixView* view_at(WallTime wall) const;
  Duration stream_mean() const;
  std::size_t capacity() const;
  MessageId random_id();

  // Sending: client_send.cpp.
  /// NewBlock is a reply block of ours whose keys are kept.
  struct NewBlock {
    OwnedEnvelope envelope;
    sphinx::Identifier identifier{};
    Duration held{};  ///< the purpose's and its own way's
  };
  /// `from` is the gateway of who will use it, where that is known.
  Result<NewBlock> make_block(const MixView& view, ReplyPurpose purpose,
                              const std::optional<wire::NodeId>& from, Instant now);
  /// draw_good_way keeps apart from the gateway that packets enter by, and goes round suspected mixes, if it
  /// can.
  Result<Way> draw_good_way(const MixView& view, const wire::NodeId& recipient,
                            const std::optional<wire::NodeId>& from, PathMarks& marks, Instant now);
  /// make_reply_blocks: those of a message that is not sent in the end must be forgotten (forget_blocks).
  Result<std::vector<NewBlock>> make_reply_blocks(const Answers& answers, const wire::NodeId& from,
                                                  std::size_t count, Instant now, WallTime wall);
  void forget_blocks(const std::vector<NewBlock>& blocks);
  Result<void> enqueue(Outbox::Message message, Route route, Instant now);
  std::optional<ClientPacket> write_real(const MixView& view, ByteSpan packet, Instant now, WallTime wall);
  std::optional<ClientPacket> write_acknowledgement(ByteSpan packet, WallTime wall);
  std::optional<ClientPacket> write_fragment(const MixView& view, ByteSpan packet, Instant now,
                                             WallTime wall);
  Bytes fragment_payload(const Outbox::Pick& pick, const OwnedEnvelope& acknowledgement) const;
  bool may_use(const OwnedEnvelope& block, WallTime wall) const;
  Result<ClientPacket> write_data(const MixView& view, const Outbox::Pick& pick, const Route& route,
                                  ByteSpan packet, Instant now);
  Result<ClientPacket> write_reply(const MixView& view, const Outbox::Pick& pick, const Route& route,
                                   ByteSpan packet, Instant now, WallTime wall);
  std::optional<OwnedEnvelope> take_block(const MessageId& reply_to, WallTime wall);
  std::optional<ClientPacket> write_cover(const MixView& view, ByteSpan packet, Instant now);
  Result<ClientPacket> write_block_packet(const OwnedEnvelope& block, ByteView message,
                                          ByteSpan packet) const;

  // Receiving: client_receive.cpp.
  void on_payload(std::uint64_t receipt, ByteView payload, Instant now, WallTime wall);
  void on_reply(std::uint64_t receipt, const sphinx::Identifier& identifier, const ReplyBlocks::Kept& kept,
                ByteView payload, Instant now, WallTime wall);
  void refuse(std::uint64_t receipt, std::uint64_t& counter);
  void on_fragment(std::uint64_t receipt, const PlainPayload& fragment, const std::optional<Answers>& answers,
                   Instant now, WallTime wall);
  std::optional<crypto::Ed25519Public> sender_of(const PlainPayload& fragment, WallTime wall);
  std::optional<DeliveryProof> on_complete(Reassembly::Message message, WallTime wall);
  void owe(const PlainPayload& fragment, const DeliveryProof* proof = nullptr);
  static Owed owed_for(const PlainPayload& fragment);
  void owe(Owed owed);
  std::size_t keep_blocks(const MessageId& id, const crypto::Ed25519Public& sender,
                          std::vector<OwnedEnvelope> blocks, WallTime wall);
  bool age_is_good(WallTime sealed, WallTime wall) const;
  bool inbox_full() const;
  void release(std::uint64_t receipt);
  void release(const std::vector<std::uint64_t>& receipts);
  void take_outbox_events();
  void judge_paths(Instant now);

  MessageIdentity identity_;
  wire::NodeId id_;
  ClientOptions options_;
  RandomSource* random_;
  std::vector<std::shared_ptr<const MixView>> views_;
  ReplyBlocks blocks_;
  Outbox outbox_;
  Reassembly reassembly_;
  SeenMessages seen_;
  CoverStream stream_;
  LoopMonitor loops_;
  PathHealth health_;
  struct LoopPath {
    Instant late{};
    PathMarks path;
  };
  std::map<MessageId, LoopPath> loop_paths_;  ///< of loops under way
  std::map<MessageId, Route> routes_;
  std::map<MessageId, Repliable> repliable_;
  std::size_t repliable_blocks_ = 0;
  std::deque<Owed> owed_;
  std::map<MessageId, Owed> owed_at_end_;  ///< for last fragments, of unfinished messages
  bool receipts_may_leave_ = false;
  unsigned turn_ = 0;
  std::map<MessageId, std::vector<std::uint64_t>> unconfirmed_;
  std::size_t unconfirmed_receipts_ = 0;
  std::deque<std::uint64_t> receipts_;
  std::deque<ClientEvent> events_;
  std::size_t inbox_bytes_ = 0;
  Instant now_;
  Instant housekeeping_at_;
  ClientCounters counters_;
};

}  // namespace village::mix
