#pragma once
// Sender: frames out. Holds the sealing keys, the connection's credit, the scheduler, and a mailbox of
// control frames that the rest of the session drops into. Everything in the mailbox is bounded: one credit
// sum for the connection, one for each stream, few echoes, one close.
//
// What goes first: CLOSE; a re-handshake; control; then streams and datagrams in turn, a quantum of bytes
// each.
#include <optional>
#include <string>
#include <vector>

#include "htx/datagram_queue.hpp"
#include "htx/event_queue.hpp"
#include "htx/key_update_budget.hpp"
#include "htx/rekey.hpp"
#include "htx/scheduler.hpp"
#include "htx/stream_table.hpp"
#include "htx/stream_timers.hpp"
#include "village/htx/frame.hpp"
#include "village/htx/keys.hpp"
#include "village/htx/session.hpp"

namespace village::htx {

using PingPayload = ByteArray<8>;

class Sender {
 public:
  /// Listener hears what sending changes.
  class Listener {
   public:
    virtual void on_room(Stream& stream) = 0;      ///< a stream that wants room has some again
    virtual void on_fin_sent(Stream& stream) = 0;  ///< the stream's FIN is out; the stream may be erased
   protected:
    ~Listener() = default;
  };

  Sender(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret, const Settings& settings,
         Listener& listener, Statistics& statistics, Instant now);

  // --- streams
  /// opened puts an own stream at the end of those that the peer has to be told of, in order of their ids.
  void opened(Stream& stream) { opening_.push_back(stream); }
  /// room is what push() takes now.
  std::size_t room(const Stream& stream) const;
  std::size_t push(Stream& stream, ByteView data, bool fin);
  void finish(Stream& stream);
  void set_priority(Stream& stream, Priority priority);
  /// forget drops the stream's unsent bytes and takes it out of all lists.
  void forget(Stream& stream);
  /// set_deadline: what the stream has not sent then makes it overdue. Instant::max() = none.
  void set_deadline(Stream& stream, Instant at);
  struct Overdue {
    Stream* stream;
    Code code;  ///< deadline_missed, stalled
  };
  /// overdue gives one stream whose time is up, if there is one; the caller resets it.
  std::optional<Overdue> overdue(Instant now);
  /// timer_due is when overdue() is to be asked next.
  Instant timer_due() const { return timers_.empty() ? Instant::max() : timers_.due(); }
  /// push_datagram. false: no room, dropped.
  [[nodiscard]] bool push_datagram(Stream& stream, ByteView head, ByteView data) {
    return datagrams_.push(stream, head, data);
  }
  /// stop_credit: the peer sends no more on this stream, so no credit is told.
  void stop_credit(Stream& stream);

  // --- credit
  /// add_credit takes the peer's WINDOW_UPDATE. false: violation.
  [[nodiscard]] bool add_credit(Stream& stream, std::uint32_t credit);
  [[nodiscard]] bool add_connection_credit(std::uint32_t credit) { return credit_.add(credit); }
  /// tell_credit queues a WINDOW_UPDATE; sums up until it is sent.
  void tell_credit(Stream& stream, std::uint32_t credit);
  void tell_connection_credit(std::uint32_t credit) { credit_to_tell_ += credit; }

  // --- mailbox
  void reset(StreamId id, Code code, std::string_view reason = {});
  std::size_t resets_waiting() const { return resets_.size() - resets_sent_; }
  void ping(const PingPayload& payload) { ping_ = payload; }
  /// ping_time is when the last PING was written; not when it was asked for, it may have waited.
  Instant ping_time() const { return ping_time_; }
  /// say_alive has an empty PADDING go out if nothing else does.
  void say_alive() { alive_ = true; }
  /// echo answers a PING. false: too many wait, this one is dropped.
  bool echo(const PingPayload& payload);
  /// rekey sends a frame of a re-handshake, and changes the key behind it if the mail says so.
  void rekey(RekeyMail mail) { rekey_mail_ = std::make_unique<RekeyMail>(std::move(mail)); }
  /// key_change_waits: a frame that changes the key is queued and not sent.
  bool key_change_waits() const { return rekey_mail_ && rekey_mail_->change; }
  /// update_key changes the key before the next frame, unless the peer would take that for a flood.
  void update_key(Instant now) { update_requested_ = budget_.affords(sealer_.usage(), now); }
  /// close queues CLOSE: the last frame, before anything else that waits.
  void close(Code code, std::string_view reason);
  bool close_queued() const { return close_.has_value(); }
  bool close_sent() const { return close_sent_; }

  // --- bytes
  std::size_t transmit(ByteSpan out, Instant now);
  /// pad writes a PADDING frame of `bytes` (26 to 65,535) and returns them; 0 if there is no room.
  std::size_t pad(ByteSpan out, std::size_t bytes);
  bool wants_transmit() const;
  std::size_t unsent_bytes() const { return unsent_; }
  std::uint32_t credit() const { return credit_.left(); }
  /// data_frames counts STREAM and DATAGRAM frames.
  std::uint64_t data_frames() const { return data_frames_; }
  void shrink();

 private:
  struct Reset {
    StreamId id;
    Code code;
    std::uint16_t reason_bytes;  ///< at the front of reset_reasons_ when its turn comes
  };
  struct Close {
    Code code;
    std::string reason;
  };
  class Output;

  bool step(Output& out, Instant now);
  bool control_waits() const;
  bool key_update_due(Instant now) const;
  bool write_rekey(Output& out, Instant now);
  bool write_control(Output& out, Instant now);
  bool write_reset(Output& out);
  bool write_credit(Output& out);
  bool write_ping(Output& out, Instant now);
  bool write_datagram(Output& out);
  bool write_data(Output& out, Stream* stream, Instant now);
  bool write_stream_frame(Output& out, Stream& stream, ByteView data, bool fin);
  void after_data(Stream& stream, std::size_t bytes, bool fin, Instant now);
  void arm(Stream& stream);
  bool write(Output& out, FrameType type, StreamId id, ByteView head, ByteView body, std::uint16_t aad = 0);
  std::size_t allowance() const;

  RecordSealer sealer_;
  SendCredit credit_{limits::connection_credit_start};
  Scheduler scheduler_;
  StreamWaitList opening_;  ///< own streams the peer does not know, by id
  StreamWaitList telling_;  ///< streams with credit to tell
  StreamTimers timers_;
  Duration stall_time_;
  DatagramQueue datagrams_;
  std::uint64_t datagram_lead_ = 0;  ///< bytes of datagrams since a stream's frame
  std::uint64_t data_frames_ = 0;
  std::uint32_t credit_to_tell_ = 0;
  std::vector<Reset> resets_;
  std::size_t resets_sent_ = 0;  ///< of resets_, from the front
  std::string reset_reasons_;
  std::size_t reset_reasons_sent_ = 0;
  std::optional<PingPayload> ping_;
  bool alive_ = false;
  Instant ping_time_;
  std::vector<PingPayload> echoes_;
  std::optional<Close> close_;
  bool close_sent_ = false;
  std::unique_ptr<RekeyMail> rekey_mail_;
  bool update_requested_ = false;
  bool exhausted_ = false;
  KeyUpdateBudget budget_;
  Instant key_time_;
  std::size_t unsent_ = 0;
  std::uint64_t key_update_bytes_, key_update_frames_;
  Duration key_update_interval_;
  std::size_t buffer_bytes_;
  std::uint32_t chunk_;
  Listener& listener_;
  Statistics& statistics_;
};

}  // namespace village::htx
