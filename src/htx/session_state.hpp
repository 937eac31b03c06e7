#pragma once
// Session::State: the parts of a session and what ties them together. Frames come in by session_frames.cpp,
// the owner's verbs by session.cpp, the end by session_close.cpp.
#include "htx/capabilities.hpp"
#include "htx/event_queue.hpp"
#include "htx/flood_budget.hpp"
#include "htx/pacing.hpp"
#include "htx/receiver.hpp"
#include "htx/rekey.hpp"
#include "htx/sender.hpp"
#include "htx/stream_table.hpp"
#include "village/htx/session.hpp"

namespace village::htx {

struct Session::State final : Sender::Listener {
  State(Role role_, SessionKeys&& keys, const Settings& settings_, RandomSource& random_, Instant now_);

  // --- frames of the peer (session_frames.cpp)
  Result<std::size_t> receive(ByteSpan in);
  /// look_ahead asks for the stream of the frame behind the first one in `in`, while that is decrypted.
  void look_ahead(ByteView in);
  Result<void> on_frame(const Incoming& frame);
  void heard_data();
  void may_be_missed();
  Result<void> on_stream(const Incoming& frame);
  Result<void> on_stream_data(Stream& stream, const StreamFrame& frame);
  Result<void> on_window_update(const Incoming& frame);
  Result<void> on_ping(const Incoming& frame);
  Result<void> on_key_update(const Incoming& frame);
  Result<void> on_rekey(const Incoming& frame);
  Result<void> on_close(const Incoming& frame);
  Result<void> on_reset(StreamId id, Code code, ByteSpan reason);
  Result<void> on_datagram(const Incoming& frame);
  /// idle_frame charges the peer for a frame that carries nothing. Errors: it sent too many.
  Result<void> idle_frame();
  Result<void> ignore() {
    ++statistics.frames_ignored;
    return idle_frame();
  }
  Result<void> on_capability_data(ByteView data);
  /// stream_of finds the stream a frame is for, opening it if it is new; nullptr: pass the frame over.
  Result<Stream*> stream_of(StreamId id);
  Result<Stream*> accept(StreamId id);
  Result<void> late_data(std::size_t bytes);
  void on_fin(Stream& stream);

  // --- sending
  std::size_t transmit(ByteSpan out);
  void pad(ByteSpan out, std::size_t& size);
  void on_room(Stream& stream) override;
  void on_fin_sent(Stream& stream) override;
  void send_capabilities();

  // --- streams
  /// settle erases the stream if both sides ended and nothing is unread. The stream may be gone afterwards.
  void settle(Stream& stream);
  /// drop erases the stream, giving back the connection's credit for what is unread.
  void drop(Stream& stream);
  void count_ended(const Stream& stream);
  /// give_up resets the stream without being asked, and tells the owner.
  void give_up(Stream& stream, Code code);
  /// relieve gives up streams whose unread data has filled the session and waited too long.
  void relieve();
  bool crowded() const { return window.unread() > settings.connection_window_max / 4 * 3; }
  void raise_window(Stream& stream, std::uint32_t window);
  void consume_connection(std::uint64_t bytes);
  void raise_connection(std::uint32_t window);
  std::uint32_t open_limit() const;

  /// moved_in, moved_out change whenever something of the application comes or goes.
  std::uint64_t moved_in() const { return statistics.data_bytes_in + statistics.datagrams_in; }
  std::uint64_t moved_out() const { return statistics.data_bytes_out + statistics.datagrams_out; }
  StreamStatistics statistics_of(const Stream& stream) const;

  // --- the end (session_close.cpp)
  /// fail ends the session because the peer broke a rule.
  Error fail_session(Code code, std::string_view reason, Error error);
  void end(Code code, std::string_view reason, bool by_peer);
  void close(Code code, std::string_view reason);
  bool closed() const;

  // --- time
  void ping();
  void on_deadline();
  std::optional<Instant> next_deadline() const;
  std::optional<Instant> ping_deadline() const;
  void shrink();

  // --- re-handshake (session_rekey.cpp)
  Result<void> start_rekey();
  bool rekey_agreed() const { return rekey.able() && capabilities.complete() && capabilities.peer_rekeys(); }
  /// rekey_due is when one starts by itself, or the one that runs has failed.
  Instant rekey_due() const;
  void on_rekey_due();

  Role role;
  Settings settings;
  RandomSource& random;
  Instant now;
  Statistics statistics;
  StreamTable streams;
  EventQueue events;
  Receiver receiver;
  Sender sender;
  ReceiveWindow window;  ///< of the connection
  std::uint32_t largest_stream_window = limits::stream_credit_start;
  Rekey rekey;
  Instant rekey_retry;       ///< no start by itself before, nor an end of one that runs
  bool rekey_heard = false;  ///< the peer has what we said last of a re-handshake
  CapabilityExchange capabilities;
  bool ready_told = false;
  std::uint32_t open_own = 0, open_peer = 0;  ///< streams not ended, as both sides count them
  std::uint32_t unread_ended = 0;             ///< streams ended but not read
  Instant relief_time = Instant::max();       ///< when relieve() is due, if crowded

  // What the peer may make us do for nothing.
  FloodBudget idle_frames, resets_taken;
  std::uint64_t paid_frames = 0;  ///< of sender.data_frames(), what idle_frames has earned for

  // Pings and padding.
  Pacing pacing;
  std::optional<PingPayload> ping_sent;
  Instant ping_time;
  Instant heard_time;                  ///< of the last authentic frame
  Instant busy_time;                   ///< of the last STREAM frame of the peer
  Duration silence_max;                ///< how long we hear data and say nothing
  Instant silent_since;                ///< of the first bytes heard after our last frame,
  std::uint64_t frames_out_known = 0;  ///< which had this number
  bool shrunk = true;                  ///< nothing to give back since then

  // The end.
  bool ended = false;        ///< SessionClosed was told
  bool peer_closed = false;  ///< the peer sent CLOSE, or broke a rule: nothing is expected of it
  Instant drain_end;
  std::string close_reason;
  bool closed_by_peer = false;
};

}  // namespace village::htx
