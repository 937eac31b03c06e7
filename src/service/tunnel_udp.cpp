#include "service/tunnel_udp.hpp"

#include <utility>

#include "service/tunnel_metrics.hpp"
#include "service/udp_outlet.hpp"
#include "village/base/log.hpp"
#include "village/htx/stream_header.hpp"
#include "village/net/deadline.hpp"
#include "village/service/tunnel_limits.hpp"
#include "village/wire/socks_address.hpp"

namespace village::service {
namespace {

using tunnel_metrics::DatagramDrop;

/// Head is the address in front of a datagram.
class Head {
 public:
  explicit Head(const Target& target) {
    wire::Writer writer{ByteSpan{bytes_}};
    wire::write_target(writer, target);
    size_ = writer.position();
  }
  ByteView view() const { return ByteView{bytes_}.first(size_); }

 private:
  ByteArray<wire::socks_address_bytes_max> bytes_;
  std::size_t size_ = 0;
};

struct Parsed {
  Target target;
  ByteView data;
};

Result<Parsed> parse(ByteView datagram) {
  wire::Reader reader{datagram};
  VG_TRY(target, wire::read_target(reader));
  return Parsed{std::move(target), datagram.subspan(reader.position())};
}

DatagramDrop drop_of(UdpOutlet::Drop reason) {
  switch (reason) {
    case UdpOutlet::Drop::denied:
      return DatagramDrop::denied;
    case UdpOutlet::Drop::name:
      return DatagramDrop::name;
    case UdpOutlet::Drop::names_full:
      return DatagramDrop::names_full;
    case UdpOutlet::Drop::socket:
      return DatagramDrop::socket;
    case UdpOutlet::Drop::full:
      break;
  }
  return DatagramDrop::full;
}

/// UdpExit stands between an association's stream and the world.
class UdpExit final : public DatagramSink, private UdpOutlet::Owner {
 public:
  UdpExit(TunnelContext& context, TunnelStream& stream)
      : context_{context},
        stream_{stream},
        tasks_{context.core},
        outlet_{context.core, tasks_, *this, make_exit_policy(context.options->exit),
                context.options->dial_timeout},
        moved_{context.core.clock().now()} {}

  Instant moved() const { return moved_; }
  net::Task<void> stop() {
    tasks_.cancel();
    co_await tasks_.join();
    co_return ok();
  }

  void take(ByteView datagram) override {
    const auto parsed = parse(datagram);
    if (!parsed) return tunnel_metrics::drop(DatagramDrop::malformed);
    outlet_.add(parsed->target, parsed->data);
  }
  void flush() override { outlet_.flush(); }

 private:
  /// What comes in does not keep the association: outsiders could do so for ever (RFC 4787 REQ-6).
  void on_datagrams(std::span<const net::Datagram> datagrams) override {
    for (const auto& datagram : datagrams) {
      const Head head{net::to_target(datagram.peer)};
      if (stream_.send_datagram(head.view(), datagram.payload)) {
        tunnel_metrics::udp_bytes_in.add(datagram.payload.size());
      } else {
        tunnel_metrics::drop(DatagramDrop::full);
      }
    }
  }
  void on_sent(std::uint64_t, std::uint64_t bytes) override {
    moved_ = context_.core.clock().now();
    tunnel_metrics::udp_bytes_out.add(bytes);
  }
  void on_drop(UdpOutlet::Drop reason, std::uint64_t packets) override {
    tunnel_metrics::drop(drop_of(reason), packets);
  }

  TunnelContext& context_;
  TunnelStream& stream_;
  net::Nursery tasks_;
  UdpOutlet outlet_;
  Instant moved_;  ///< the peer's last datagram out
};

/// Seat is a place among the associations of all cores, and of its peer's share of them.
class Seat {
 public:
  Seat(TunnelCounts& counts, const ExitOptions& options, const crypto::Ed25519Public& peer) {
    auto share = counts.udp_shares.take(peer, options.udp_share());
    if (!share) return;
    place_ = Place::take(counts.udp_associations, options.udp_associations_max);
    if (!place_) return;
    place_->join(*std::move(share));
    tunnel_metrics::udp_associations.add();
  }
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;
  ~Seat() {
    if (place_) tunnel_metrics::udp_associations.sub();
  }
  explicit operator bool() const { return place_.has_value(); }

 private:
  std::optional<Place> place_;
};

/// read_past throws away what comes on the stream itself, where nothing is said, until it ends.
net::Task<void> read_past(std::shared_ptr<TunnelStream> stream) {
  ByteArray<256> nothing;
  for (;;) {
    const auto read = co_await stream->read_some(nothing);
    if (!read) co_return read.error();
    if (*read == 0) co_return ok();
  }
}

}  // namespace

// --- entry

TunnelDatagramPath::TunnelDatagramPath(std::unique_ptr<TunnelStream> stream, Receive receive)
    : stream_{std::move(stream)}, receive_{std::move(receive)} {
  stream_->set_datagram_sink(this);
}

TunnelDatagramPath::~TunnelDatagramPath() {
  stream_->set_datagram_sink(nullptr);
  stream_->close();
}

Result<void> TunnelDatagramPath::send(const Target& target, ByteView data) {
  const Head head{target};
  return stream_->send_datagram(head.view(), data);
}

net::Task<void> TunnelDatagramPath::wait_end() { return read_past(stream_); }

void TunnelDatagramPath::take(ByteView datagram) {
  const auto parsed = parse(datagram);
  if (!parsed) return tunnel_metrics::drop(DatagramDrop::malformed);
  receive_(parsed->target, parsed->data);
}

// --- exit

boost::asio::awaitable<void> serve_udp(TunnelContext& context, std::shared_ptr<TunnelStream> stream,
                                       crypto::Ed25519Public peer) {
  auto& core = context.core;
  const Seat seat{*context.counts, context.options->exit, peer};
  if (!seat) {
    tunnel_metrics::stream_served(tunnel_metrics::Outcome::busy);
    stream->refuse(htx::Status::general_failure, htx::Code::policy_rejected);
    co_return;
  }
  UdpExit exit{context, *stream};
  stream->set_datagram_sink(&exit);
  if (stream->say_status(htx::Status::connected)) {
    tunnel_metrics::stream_served(tunnel_metrics::Outcome::connected);
    for (;;) {
      const auto deadline = exit.moved() + limits::tunnel_udp_idle_max;
      const auto ended = co_await net::with_deadline(core, read_past(stream), deadline);
      const bool idle = !ended && ended.error().code == Errc::timed_out;
      if (!idle || core.clock().now() >= exit.moved() + limits::tunnel_udp_idle_max) break;
    }
  }
  stream->set_datagram_sink(nullptr);
  (void)co_await exit.stop();
  (void)co_await stream->shutdown_write();
  stream->close();
}

}  // namespace village::service
