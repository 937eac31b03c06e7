#pragma once
// TunnelStream: one HTX stream as a net::Stream.
//
// What the stream knows lives in a LinkStream that the link's table and the operations under way share, so
// that a TunnelStream, its operations and its session may end in any order.
#include <memory>
#include <optional>

#include "service/receive_queue.hpp"
#include "service/signal.hpp"
#include "village/htx/session.hpp"
#include "village/htx/stream_header.hpp"
#include "village/htx/types.hpp"
#include "village/net/stream.hpp"
#include "village/service/stream_service.hpp"

namespace village::service {

class TunnelLink;

/// DatagramSink takes the datagrams of a stream; a view dies with the call. flush() comes when no more of a
/// batch follow. Neither may end the stream.
class DatagramSink {
 public:
  virtual void take(ByteView datagram) = 0;
  virtual void flush() {}

 protected:
  ~DatagramSink() = default;
};

/// LinkStream is the state of one stream. `link` is null as soon as the session is over; then `error` says
/// why.
struct LinkStream {
  LinkStream(TunnelLink* owner, htx::StreamId stream) : link{owner}, id{stream} {}
  TunnelLink* link;
  htx::StreamId id;
  ReceiveQueue queue;                 ///< arrived, not yet read
  DatagramSink* datagrams = nullptr;  ///< nobody: they are dropped
  StreamSink* sink = nullptr;         ///< takes all bytes in place of a reader
  ByteSpan direct;                    ///< the buffer of a reader that waits: data goes straight into it
  std::size_t direct_bytes = 0;       ///< how much of it is filled
  bool finished_in = false;           ///< the peer's FIN arrived
  bool finished_out = false;          ///< our FIN is queued
  bool abandoned = false;             ///< close() was called; nobody reads any more
  bool status_pending = false;        ///< the first byte to come is the acceptor's status
  std::optional<htx::Code> farewell;  ///< lingering: reset with this code when everything was sent
  std::optional<Error> error;         ///< the stream is dead
  Signal readable, writable;
};

class TunnelStream final : public net::Stream {
 public:
  explicit TunnelStream(std::shared_ptr<LinkStream> state) : state_{std::move(state)} {}
  ~TunnelStream() override { close(); }

  net::Task<std::size_t> read_some(ByteSpan out) override { return read(state_, out); }
  net::Task<void> write_all(ByteView in) override { return write(state_, in); }
  net::Task<void> shutdown_write() override { return finish(state_); }
  net::Task<void> wait_readable() override { return wait(state_); }
  void close() noexcept override;

  // --- for the tunnel itself
  htx::StreamId id() const { return state_->id; }
  /// expect_status makes the first byte received the acceptor's status, taken by the first read or by
  /// await_status.
  void expect_status() { state_->status_pending = true; }
  /// await_status waits for the acceptor's answer. Errors: what the status says, reset, cancelled.
  net::Task<void> await_status() { return status(state_); }
  /// buffered views what arrived and was not read, at least the first 2 KiB of it; skip() takes bytes off its
  /// front.
  ByteView buffered() const { return state_->queue.front(); }
  void skip(std::size_t bytes);
  std::optional<Error> error() const { return state_->error; }
  /// say queues a few bytes (header, status). Errors: reset if the session is over or has no room for them.
  Result<void> say(ByteView bytes);
  Result<void> say_status(htx::Status status);
  /// refuse says `status`, ends our side and gives the stream up with `code` when that was sent. The stream
  /// is closed.
  void refuse(htx::Status status, htx::Code code);
  /// reset gives the stream up at once; the peer is told `code` and `reason` (text it may see).
  void reset(htx::Code code, std::string_view reason = {});

  // --- beside the bytes; nothing happens once the stream or its session is over
  /// set_priority counts from the next frame on.
  void set_priority(htx::Priority priority);
  /// set_deadline: what was written and has not left this node then resets the stream; nullopt takes it back.
  void set_deadline(std::optional<Instant> at);
  /// statistics of the stream, while it is open.
  std::optional<htx::StreamStatistics> statistics() const;
  /// send_datagram sends head|data beside the stream. Errors: busy (dropped), limit_exceeded, closed.
  Result<void> send_datagram(ByteView head, ByteView data);
  /// set_datagram_sink says who takes the stream's datagrams; it outlives the stream or is taken back.
  void set_datagram_sink(DatagramSink* sink) { state_->datagrams = sink; }

  // --- for a service that is not a byte stream's reader and writer
  /// set_sink gives all bytes, also those that wait already, to `sink`; it outlives the stream or is taken
  /// back with nullptr.
  void set_sink(StreamSink* sink);
  /// offer queues as much of `in` as there is room for now and returns how much that was.
  std::size_t offer(ByteView in);
  /// wait_room waits until offer may take more. Errors: reset, closed, cancelled. One waiter.
  net::Task<void> wait_room() { return room(state_); }
  /// wait_over waits until no byte can come any more. One waiter, no reader beside it.
  net::Task<void> wait_over() { return over(state_); }

 private:
  // Static, with shared state by value: an operation may outlive the TunnelStream that started it.
  static net::Task<std::size_t> read(std::shared_ptr<LinkStream> state, ByteSpan out);
  static net::Task<void> write(std::shared_ptr<LinkStream> state, ByteView in);
  static net::Task<void> finish(std::shared_ptr<LinkStream> state);
  static net::Task<void> wait(std::shared_ptr<LinkStream> state);
  static net::Task<void> status(std::shared_ptr<LinkStream> state);
  static net::Task<void> room(std::shared_ptr<LinkStream> state);
  static net::Task<void> over(std::shared_ptr<LinkStream> state);
  static net::Task<void> wait_data(std::shared_ptr<LinkStream> state);

  std::shared_ptr<LinkStream> state_;
};

}  // namespace village::service
