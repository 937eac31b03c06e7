#pragma once
// GatewayWorld: one gateway on a real runtime, with servers beside it. The tests' clients block in their own
// thread.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "blocking_client.hpp"
#include "village/base/metrics.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/gateway.hpp"

namespace village::service::test {

namespace asio = boost::asio;

/// FakePeer stands for a tunnel: it notes what it is asked for and opens something else, or fails.
class FakePeer : public net::Dialer {
 public:
  explicit FakePeer(net::Core& core) : core_{core}, tcp_{core} {}
  FakePeer(net::Core& core, Target instead) : FakePeer{core} { instead_.emplace(std::move(instead)); }
  net::Task<net::StreamPtr> dial(Target target, Instant deadline) override {
    asked = to_text(target);
    if (!instead_) {
      VG_CO_TRY_VOID(co_await net::sleep_until(core_, deadline));
      co_return fail(Errc::timed_out);
    }
    auto stream = co_await tcp_.dial(*instead_, deadline);
    co_return stream;
  }
  /// associate gives a path whose far end sends everything back, with "far " in front.
  net::Task<net::DatagramPathPtr> associate(net::DatagramPath::Receive receive, Instant deadline) override {
    if (!instead_) {
      VG_CO_TRY_VOID(co_await net::sleep_until(core_, deadline));
      co_return fail(Errc::timed_out);
    }
    co_return std::make_unique<FakePath>(core_, std::move(receive));
  }
  std::string asked;

 private:
  class FakePath final : public net::DatagramPath {
   public:
    FakePath(net::Core& core, Receive receive) : receive_{std::move(receive)}, over_{core} {}
    Result<void> send(const Target& target, ByteView data) override {
      if (data.size() > 9'000) return fail(Errc::limit_exceeded);
      receive_(target, as_bytes("far " + std::string{as_text(data)}));
      return ok();
    }
    net::Task<void> wait_end() override { return over_.wait_until(Instant::max()); }

   private:
    Receive receive_;
    net::Event over_;
  };
  net::Core& core_;
  net::TcpDialer tcp_;
  std::optional<Target> instead_;
};

inline GatewayOptions default_options() {
  GatewayOptions options;
  GatewayInbound inbound;
  inbound.name = "in";
  options.inbounds = {inbound};
  options.outbounds = {{"direct", OutboundKind::direct, {}},
                       {"block", OutboundKind::block, {}},
                       {"far", OutboundKind::htx, "peer"},
                       {"gone", OutboundKind::htx, "nobody"}};
  return options;
}

inline GatewayOptions with_users(GatewayOptions options = default_options()) {
  options.inbounds[0].users = {{"alice", "s3cret"}, {"bob", "pass"}};
  return options;
}

inline GatewayOptions by_default(std::string outbound) {
  auto options = default_options();
  options.default_outbound = std::move(outbound);
  return options;
}

class GatewayWorld {
 public:
  using Server = std::function<asio::awaitable<void>(net::Core&, net::Accepted)>;

  explicit GatewayWorld(GatewayOptions options = default_options(), net::Endpoint listen = net::loopback_v4(),
                        net::ResolverOptions resolver = {})
      : runtime_{one_core(std::move(resolver))}, core_{runtime_.core(0)}, direct_{core_}, servers_{core_} {
    gateway_.emplace(core_, std::make_shared<GatewayOptions>(std::move(options)), direct_,
                     [this](std::string_view peer) { return peer == "peer" ? peer_.get() : nullptr; });
    std::shared_ptr<net::Listener> listener = *net::Listener::bind_tcp(listen, 1);
    entry_ = *listener->local();
    gateway_->serve(std::move(listener), "in");
    runtime_.start();
  }
  ~GatewayWorld() {
    drain(net::after(core_, 0s));
    runtime_.call(0, [this](net::Core&) -> asio::awaitable<void> {
      servers_.cancel();
      co_await servers_.join();
    });
    runtime_.stop();
    runtime_.join();
  }

  const net::Endpoint& entry() const { return entry_; }
  Client client() { return Client{entry_}; }
  /// serve starts a server and returns where it listens.
  net::Endpoint serve(Server handler, net::Endpoint at = net::loopback_v4()) {
    std::shared_ptr<net::Listener> listener = *net::Listener::bind_tcp(at, 1);
    const auto local = *listener->local();
    runtime_.call(0, [this, listener, handler](net::Core&) -> asio::awaitable<void> {
      servers_.spawn([this, listener, handler] { return listener->serve(core_, handler); });
      co_return;
    });
    return local;
  }
  /// tunnel makes the outbound "far" lead to `instead`.
  void tunnel(const Target& instead) { put_peer(std::make_shared<FakePeer>(core_, instead)); }
  /// silent_tunnel makes it lead nowhere in time.
  void silent_tunnel() { put_peer(std::make_shared<FakePeer>(core_)); }
  /// asked is the target that the tunnel was asked for last.
  std::string asked() {
    return runtime_.call(0, [this](net::Core&) -> asio::awaitable<std::string> { co_return peer_->asked; });
  }
  void reload(GatewayOptions options) {
    const auto changed = std::make_shared<GatewayOptions>(std::move(options));
    runtime_.call(0, [this, changed](net::Core&) -> asio::awaitable<void> {
      gateway_->reload(changed);
      co_return;
    });
  }
  void drain(Instant deadline) {
    runtime_.call(0, [this, deadline](net::Core&) -> asio::awaitable<void> {
      (void)co_await gateway_->drain(deadline);
    });
  }
  GatewayStatus status() {
    return runtime_.call(
        0, [this](net::Core&) -> asio::awaitable<GatewayStatus> { co_return gateway_->status(); });
  }
  /// settle waits until the status is as wanted; each look is a turn of the core's loop.
  template <class Wanted>
  bool settle(Wanted wanted) {
    for (int look = 0; look < 200'000; ++look) {
      if (wanted(status())) return true;
    }
    return false;
  }
  net::Core& core() { return core_; }

 private:
  void put_peer(std::shared_ptr<FakePeer> peer) {
    runtime_.call(0, [this, peer](net::Core&) -> asio::awaitable<void> {
      peer_ = peer;
      co_return;
    });
  }
  static net::RuntimeOptions one_core(net::ResolverOptions resolver) {
    net::RuntimeOptions options;
    options.cores = 1;
    options.resolver = std::move(resolver);
    return options;
  }
  net::Runtime runtime_;
  net::Core& core_;
  net::TcpDialer direct_;
  std::shared_ptr<FakePeer> peer_;
  net::Nursery servers_;
  std::optional<Gateway> gateway_;
  net::Endpoint entry_;
};

/// echo sends everything back and finishes when the client does.
inline asio::awaitable<void> echo(net::Core&, net::Accepted accepted) {
  Bytes buffer(16 * 1024);
  for (;;) {
    const auto read = co_await accepted.stream->read_some(buffer);
    if (!read || *read == 0) break;
    const auto sent = co_await accepted.stream->write_all(ByteView{buffer}.first(*read));
    if (!sent) co_return;
  }
  (void)co_await accepted.stream->shutdown_write();
}

/// ClosedPort is an address of this machine where nobody listens: bound, so that nobody else gets it.
class ClosedPort : public BlockingSocket {
 public:
  ClosedPort() : BlockingSocket{net::loopback_v4(), SOCK_STREAM} {
    const auto [address, size] = to_sockaddr(net::loopback_v4());
    VG_CHECK(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  }
};

/// counted is the present value of a counter: `counted("villaged_proxy_refused_total",
/// "reason=\"blocked\"")`.
inline std::uint64_t counted(std::string_view name, std::string_view labels) {
  for (const auto* metric : metrics::all()) {
    if (metric->name() == name && metric->labels() == labels) {
      return static_cast<const metrics::Counter*>(metric)->total();
    }
  }
  ADD_FAILURE() << "no metric " << name << "{" << labels << "}";
  return 0;
}
inline std::uint64_t refused(std::string_view reason) {
  return counted("villaged_proxy_refused_total", "reason=\"" + std::string{reason} + "\"");
}

}  // namespace village::service::test
