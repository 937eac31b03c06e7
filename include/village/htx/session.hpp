#pragma once
// Session: one HTX connection after the handshake, without sockets. Bytes in, events out, bytes out,
// deadlines out.
//
//   receive() -> drain poll_event() -> [send(), consume(), ...] -> drain poll_transmit() -> re-arm from
//   next_deadline()
//
// poll_transmit may make events too (StreamWritable): drain poll_event behind it. Events hold views into the
// buffer of receive(): drain them before that buffer is used again. A deadline that moved later need not be
// re-armed: on_deadline before its time does nothing.
//
// Built of a Receiver (frames in), a Sender (frames out) and a table of streams; none of them knows a socket.
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/shape.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

/// Settings of a session; defaults are the decisions' values.
struct Settings {
  std::uint32_t chunk_bytes = 16'384;           ///< data bytes of a STREAM frame, at most 65,498
  std::uint32_t peer_streams_max = 4'096;       ///< told to the peer in CapMsg as "streams"
  std::uint32_t stream_window_start = 262'144;  ///< credit offered per stream soon after open
  std::uint32_t stream_window_max = 16 << 20;
  std::uint32_t connection_window_start = 1 << 20;
  std::uint32_t connection_window_max = 64 << 20;
  std::size_t send_buffer_bytes = 262'144;  ///< unsent bytes one stream may hold; send() takes no more
  Duration ping_interval =
      std::chrono::seconds{20};  ///< idle time after which a PING goes out, where no shape says; 0 = never
  Duration ping_timeout = std::chrono::seconds{20};  ///< silence for so long behind a PING ends the session
  std::uint64_t key_update_bytes = std::uint64_t{8} << 30;
  std::uint64_t key_update_frames = 65'536;
  Duration key_update_interval = std::chrono::hours{1};
  /// stream_stall_max: a stream that has data to send and got no credit for so long is reset (stalled). 0 =
  /// never, the default: a peer may pause a download for as long as it likes.
  Duration stream_stall_max{0};
  /// unread_time_max: while unread data fills three quarters of the largest connection window, so that it is
  /// about to stop every stream of the session, streams that were not read for so long are reset
  /// (slow_reader), the fullest first. 0 = never.
  Duration unread_time_max = std::chrono::seconds{15};
  Duration rekey_interval = std::chrono::hours{1};  ///< between re-handshakes, if both sides can; 0 = never
  Duration handshake_rtt{0};  ///< measured by the owner; 0 = unknown, then a PING goes out at once
  /// What the session looks like from outside: when PINGs go out, idle padding, what small writes are padded
  /// to. Null (outer none): PINGs by ping_interval, no padding.
  std::shared_ptr<const Shape> shape;
};

// What the owner must know. Views point into the buffer given to receive() and die with the next receive()
// call.
struct StreamOpened {
  StreamId stream;
};  ///< the peer opened a stream
struct StreamData {
  StreamId stream;
  ByteView data;
};  ///< in order; give credit back with consume()
struct StreamFinished {
  StreamId stream;
};  ///< the peer will send no more (FIN)
struct StreamReset {
  StreamId stream;
  Code code;
  std::string_view reason;  ///< printable ASCII, at most 256 bytes; a view like data
  bool by_peer = true;      ///< false: deadline_missed, stalled, slow_reader
};                          ///< the stream was given up; both directions dead
struct DatagramReceived {
  StreamId stream;
  ByteView data;
};  ///< of an open stream; no credit, no order
struct StreamWritable {
  StreamId stream;
};  ///< send() took less than offered; there is room again
struct PongReceived {
  Duration rtt;
};
struct PeerReady {
  std::uint32_t streams_max;
};  ///< CapMsg exchange done; what the peer lets us open
struct SessionClosed {
  Code code;
  std::string reason;
  bool by_peer;
};  ///< nothing more will come
using Event = std::variant<StreamOpened, StreamData, StreamFinished, StreamReset, StreamWritable,
                           PongReceived, PeerReady, SessionClosed, DatagramReceived>;

/// Statistics of one session since its start; plain numbers for status and metrics.
struct Statistics {
  std::uint64_t frames_in = 0, frames_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;            ///< on the wire, after the handshake
  std::uint64_t data_bytes_in = 0, data_bytes_out = 0;  ///< stream payload
  std::uint64_t streams_opened_local = 0, streams_opened_peer = 0, streams_reset = 0;
  std::uint64_t key_updates_in = 0, key_updates_out = 0;
  std::uint64_t rekeys = 0;            ///< re-handshakes that were completed, whoever started them
  std::uint64_t frames_ignored = 0;    ///< unknown types, frames for closed streams
  std::uint64_t frames_idle = 0;       ///< frames of the peer that carried nothing (PING, credit, padding)
  std::uint64_t streams_refused = 0;   ///< opened by the peer beyond a limit
  std::uint64_t streams_given_up = 0;  ///< reset because of a deadline, a stall or a slow reader
  std::uint64_t datagrams_in = 0, datagrams_out = 0;
  std::uint64_t datagrams_dropped = 0;                        ///< no room to queue them
  std::uint64_t padding_bytes_in = 0, padding_bytes_out = 0;  ///< PADDING frames on the wire
  std::uint32_t streams_open = 0;
  std::uint64_t unsent_bytes = 0;    ///< taken by send(), not yet written by poll_transmit()
  std::uint64_t unread_bytes = 0;    ///< handed out as StreamData, not yet consumed
  std::uint64_t send_credit = 0;     ///< data bytes the peer still takes on the connection
  std::uint64_t receive_credit = 0;  ///< data bytes the peer may still send
  Duration rtt{0};                   ///< smoothed; 0 = not known yet
};

/// Statistics of one stream since it was opened.
struct StreamStatistics {
  StreamId stream = 0;
  Priority priority = Priority::interactive;
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint32_t frames_in = 0, frames_out = 0;
  std::uint64_t unsent_bytes = 0, unread_bytes = 0;
  std::uint64_t send_credit = 0;     ///< data bytes the peer still takes
  std::uint64_t receive_credit = 0;  ///< data bytes the peer may still send
  std::uint32_t receive_window = 0;
  Instant opened_at;
};

/// Session is bound to one thread. It owns its keys, the unsent bytes of its streams and nothing else:
/// received data is handed out as views and never copied. The random source must outlive it.
class Session {
 public:
  Session(Role role, SessionKeys keys, const Settings& settings, RandomSource& random, Instant now);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // --- bytes
  /// receive decrypts whole frames of `in` in place and queues events. Returns how many bytes were used; the
  /// caller presents the rest again, in front of what comes next (a frame never needs more than 65,535 bytes
  /// of room). Errors end the session: the owner drains poll_event and poll_transmit (a CLOSE may wait there)
  /// and hangs up.
  Result<std::size_t> receive(ByteSpan in, Instant now);
  /// poll_event gives the next event in order, or nothing.
  std::optional<Event> poll_event();
  /// poll_transmit writes as many whole sealed frames as fit into `out` and are allowed by credit, and
  /// returns their size; 0 = nothing to send now. out.size() >= 65,535 always makes progress; 256 KiB is a
  /// good size.
  std::size_t poll_transmit(ByteSpan out, Instant now);
  /// wants_transmit tells in O(1) whether poll_transmit would write anything.
  bool wants_transmit() const;
  std::optional<Instant> next_deadline() const;
  void on_deadline(Instant now);

  // --- streams
  /// open gives out the next id; the peer hears of it with the first send() or finish(). Errors: busy when
  /// the peer's stream limit is reached (128 before PeerReady; try again when PeerReady came or a stream of
  /// ours was reset or had both its FINs: the last may go by poll_transmit, and no event tells), closed,
  /// exhausted.
  Result<StreamId> open(Priority priority = Priority::interactive);
  /// send takes up to send_room(stream) bytes of `data` (copies them once) and returns how many; with `fin`,
  /// and if all were taken, the stream's sending side ends behind them. 0 for unknown or finished streams. If
  /// less than offered was taken, StreamWritable comes when half of what the stream may hold is free.
  std::size_t send(StreamId stream, ByteView data, bool fin);
  /// send_room is settings.send_buffer_bytes less what waits; at least 16 KiB less what waits while the
  /// session as a whole holds more than 48 MiB.
  std::size_t send_room(StreamId stream) const;
  /// finish ends the sending side behind what was sent so far.
  void finish(StreamId stream);
  /// consume tells that the application is done with `bytes` received bytes: credit goes back to the peer.
  /// Nothing for a stream that was reset. Data of a stream that ended both ways must be consumed too.
  void consume(StreamId stream, std::size_t bytes, Instant now);
  /// reset gives the stream up in both directions: unsent bytes are dropped, unread ones need not be
  /// consumed, no event of the stream follows but those already queued. The peer is told `code` and `reason`
  /// (at most 256 bytes, text it may see; left out while 64 KiB of such texts wait).
  void reset(StreamId stream, Code code, std::string_view reason = {});
  /// set_priority counts from the next frame. A stream of the peer begins as interactive; each side chooses
  /// for what it sends.
  void set_priority(StreamId stream, Priority priority);
  /// set_deadline: if anything that send() or finish() took is not written by poll_transmit at that time, the
  /// stream is reset with deadline_missed and StreamReset tells (by_peer false); if all was, the deadline is
  /// over. One at a time; nullopt takes it back. Re-arm from next_deadline().
  void set_deadline(StreamId stream, std::optional<Instant> at);
  /// send_datagram queues head|data (head: the address, or empty), copied. No credit, no order, no promise.
  /// Errors: busy (64 KiB of this stream or 1 MiB of the session wait, or the peer has not been told of the
  /// stream; dropped and counted), limit_exceeded (above 65,509), closed (unknown, finished or dead stream).
  Result<void> send_datagram(StreamId stream, ByteView head, ByteView data);
  /// unsent is the number of bytes of the stream that poll_transmit has not yet written.
  std::size_t unsent(StreamId stream) const;

  // --- connection
  /// ping sends a PING, unless one is still unanswered.
  void ping(Instant now);
  /// update_key changes our sending key with the next transmit; nothing if keys changed so often that the
  /// peer would take it for a flood.
  void update_key();
  /// rekey starts a hybrid re-handshake; data flows meanwhile, statistics().rekeys tells that it is done. A
  /// peer that does not finish it in a minute is left (SessionClosed, policy_rejected). Errors: unsupported
  /// (one side cannot, or the capabilities are not exchanged yet), busy (one runs, or too many lately),
  /// closed.
  Result<void> rekey(Instant now);
  /// close queues CLOSE with a reason (at most 256 bytes, text that the peer may see). It is the next frame
  /// and the last: what streams have not sent is dropped. SessionClosed is told at once.
  void close(Code code, std::string_view reason, Instant now);
  /// closed tells that nothing more is to be sent or awaited: both CLOSEs passed, or the drain of 2 s is
  /// over, or the peer broke a rule and our CLOSE is out. The owner hangs up.
  bool closed() const;
  const Statistics& statistics() const;
  /// stream_statistics of an open stream. O(1).
  std::optional<StreamStatistics> stream_statistics(StreamId stream) const;
  /// busiest_streams lists up to `count` streams, most bytes both ways first. O(streams): for status.
  std::vector<StreamStatistics> busiest_streams(std::size_t count) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::htx
