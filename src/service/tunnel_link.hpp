#pragma once
// TunnelLink: the driver of one HTX session over one stream. The session (htx::Session) knows the protocol
// and no socket; the link moves bytes between the two and hands streams out.
//
//   socket -> read loop -> session.receive (in place) -> events -> waiting readers or receive queues
//   send(), consume(), ... -> session -> write loop: poll_transmit into one buffer, one write -> socket
//
// Reading never waits for writing or for a slow reader: what a reader does not take waits in its queue,
// bounded by the credit the session gave. Writing is one loop: while the socket is busy everything said
// meanwhile gathers in the session, and goes out together; when it is idle, at once. Idle, a link holds no
// buffer.
//
//   open --close(), CLOSE received, error, ping time-out--> closing --CLOSE sent and peer gone, or 2 s-->
//   over
//
// The streams die as soon as the link leaves `open`. Lives on one core.
#include <boost/unordered/unordered_flat_map.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/buffer_pool.hpp"
#include "service/tunnel_metrics.hpp"
#include "service/tunnel_stream.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/htx/session.hpp"
#include "village/net/core.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::service {

/// LinkFacts are what status rows say about a session.
struct LinkFacts {
  std::string peer;
  crypto::Ed25519Public key{};
  bool inbound = false;
  Outer outer = Outer::none;
  htx::Suite suite{};
};

class TunnelLink : public std::enable_shared_from_this<TunnelLink> {
 public:
  struct Hooks {
    std::function<void(std::unique_ptr<TunnelStream>)>
        on_stream;                   ///< the peer opened a stream; empty: all are reset
    std::function<void()> on_ready;  ///< the peer has proved that it lives
  };
  TunnelLink(net::Core& core, net::StreamPtr socket, htx::SessionKeys keys, const htx::Settings& settings,
             LinkFacts facts);
  TunnelLink(const TunnelLink&) = delete;
  TunnelLink& operator=(const TunnelLink&) = delete;

  /// run drives the session until it is over, then says why. `early` are bytes that followed the handshake.
  /// Once. Cancelling it drops the connection.
  boost::asio::awaitable<Error> run(Bytes early, Hooks hooks);

  /// open starts a stream, or waits until the peer's limit lets it. Errors: busy at `deadline`, reset.
  net::Task<std::unique_ptr<TunnelStream>> open(htx::Priority priority, Instant deadline);
  /// usable: new streams may be opened here.
  bool usable() const { return phase_ == Phase::open && !retiring_; }
  bool over() const { return phase_ == Phase::over; }
  bool ready() const { return ready_; }
  /// retire lets no new stream begin; the link closes as soon as the last one has ended.
  void retire(tunnel_metrics::Ending why, std::string_view reason);
  /// close ends all streams and says CLOSE. Nothing happens if the link is closing already.
  void close(htx::Code code, std::string_view reason, tunnel_metrics::Ending why);
  /// close_when_idle makes the link close after `timeout` without streams.
  void close_when_idle(Duration timeout);

  std::size_t streams() const { return streams_.size(); }
  const LinkFacts& facts() const { return facts_; }
  const htx::Statistics& statistics() const { return session_.statistics(); }
  Duration age(Instant now) const { return now - since_; }
  Duration key_age(Instant now) const { return now - key_since_; }
  std::string_view state() const;
  /// busiest_streams are rows for status. O(streams).
  std::vector<htx::StreamStatistics> busiest_streams() const;

  // --- for TunnelStream
  std::size_t send(LinkStream& stream, ByteView bytes);
  void finish(LinkStream& stream);
  void consumed(LinkStream& stream, std::size_t bytes);
  void abandon(LinkStream& stream, htx::Code code);
  void reset(LinkStream& stream, htx::Code code, std::string_view reason = {});
  void set_priority(LinkStream& stream, htx::Priority priority);
  void set_deadline(LinkStream& stream, std::optional<Instant> at);
  std::optional<htx::StreamStatistics> stream_statistics(const LinkStream& stream) const;
  Result<void> send_datagram(LinkStream& stream, ByteView head, ByteView data);
  void linger(LinkStream& stream, htx::Code code);

 private:
  enum class Phase : std::uint8_t { open, closing, over };
  using StreamRef = std::shared_ptr<LinkStream>;

  boost::asio::awaitable<void> read_loop(Bytes early);
  boost::asio::awaitable<void> write_loop();
  boost::asio::awaitable<void> timer_loop();
  void take_input();
  void drain_events();
  void flush_datagrams();
  void flush_sink();
  void to_sink(LinkStream& stream, ByteView data);
  void on(const htx::StreamOpened& event);
  void on(const htx::StreamData& event);
  void on(const htx::StreamFinished& event);
  void on(const htx::StreamReset& event);
  void on(const htx::DatagramReceived& event);
  void on(const htx::StreamWritable& event);
  void on(const htx::PongReceived& event);
  void on(const htx::PeerReady& event);
  void on(const htx::SessionClosed& event);

  LinkStream* find(htx::StreamId id);
  void add(const StreamRef& stream);
  void forget(LinkStream& stream);
  void give_back(LinkStream& stream);
  void settle_farewells();
  void begin_closing(Error error, tunnel_metrics::Ending why);
  void detach_streams(Error error);
  void after_work();
  void kick() { work_.notify(); }
  void rearm();
  Instant next_deadline() const;
  void on_time(Instant now);
  void count();
  Instant now() const { return core_.clock().now(); }

  net::Core& core_;
  net::StreamPtr socket_;
  htx::Session session_;
  LinkFacts facts_;
  Hooks hooks_;
  Phase phase_ = Phase::open;
  bool retiring_ = false;
  bool ready_ = false;
  bool running_ = false;
  std::optional<Error> error_;
  tunnel_metrics::Ending ending_ = tunnel_metrics::Ending::lost;
  std::string retire_reason_;

  const bool shaped_;  // records below are cut as the shape says

  Buffer input_;  // leased while bytes move; [0, filled_) waits to be used
  std::size_t filled_ = 0;
  boost::unordered_flat_map<htx::StreamId, StreamRef> streams_;
  LinkStream* last_found_ = nullptr;
  StreamRef sink_of_;                     // whose sink has bytes that are not flushed
  StreamRef datagrams_of_;                // whose sink has datagrams that are not flushed
  std::vector<htx::StreamId> farewells_;  // streams that wait for their last bytes to leave

  Signal work_;               // the write loop waits here
  net::Event timer_changed_;  // the timer loop waits here
  net::Event room_;           // those who wait to open a stream
  Instant armed_ = Instant::max();
  Instant closing_until_ = Instant::max();
  Duration idle_timeout_ = Duration::max();
  Instant idle_since_;
  const Instant since_;
  Instant key_since_;
  htx::Statistics counted_;  // what the metrics know already
};

}  // namespace village::service
