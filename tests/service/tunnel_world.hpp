#pragma once
// TunnelWorld: nodes with tunnels, targets and hostile relays in one process, on a runtime of two cores.
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "village/base/metrics.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/crypto/random.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/tunnel.hpp"

namespace village::test {

using asio_void = boost::asio::awaitable<void>;

// What listens lives on core 0 (listeners with one socket), what dials on core 1.
inline constexpr std::size_t servers = 0;
inline constexpr std::size_t clients = 1;

/// Node is one daemon's worth of tunnel on one core.
struct Node {
  std::string name;
  std::size_t core = 0;
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;
  std::shared_ptr<service::TunnelOptions> options;
  std::unique_ptr<net::TcpDialer> exit;
  std::unique_ptr<service::Tunnel> tunnel;
  std::shared_ptr<service::TicketDesk> desk;  ///< set by asks_for_tickets()
  std::shared_ptr<net::Listener> listener;
  Target address{Ipv4Address{}, 0};  ///< where it listens, once started
  crypto::SpkiPin pin{};             ///< of its certificate, outer tls
};

/// Tamper is a TCP relay in front of an address that can flip bits and cut connections. Among the servers.
struct Tamper {
  Target address{Ipv4Address{}, 0};
  Target upstream{Ipv4Address{}, 0};
  enum class Way { none, to_server, to_client } way = Way::none;
  std::size_t flip_at = 0;          ///< offset in that direction of the byte whose lowest bit flips
  std::list<net::Stream*> streams;  ///< of living connections
  std::size_t accepted = 0;
  bool refuse = false;  ///< close new connections at once
  bool stall = false;   ///< swallow everything
};

class TunnelWorld {
 public:
  TunnelWorld();
  ~TunnelWorld();

  /// node makes a node that is not started yet; its options may be changed until then.
  Node& node(std::string name, std::size_t core);
  /// listens makes `node` listen with that outer (a certificate is made for tls).
  void listens(Node& node, service::Outer outer);
  /// asks_for_tickets makes `node` want tickets, and `peer`, which knows it already, able to make them.
  void asks_for_tickets(Node& node, Node& peer);
  /// start makes the tunnel and serves.
  void start(Node& node);
  /// knows adds `peer` to `node`'s peers: dialled if it listens (at `via` if given), accepted if
  /// `allow_inbound`.
  service::TunnelPeer& knows(Node& node, const Node& peer, bool allow_inbound, const Target* via = nullptr);
  /// pair makes an exit and an entry, on different cores, that know each other, started.
  struct Pair {
    Node& entry;
    Node& exit;
  };
  Pair pair(service::Outer outer, const std::function<void(Node& entry, Node& exit)>& change = {});

  /// serve runs `handler` for each connection to a fresh loopback port.
  using Handler = std::function<asio_void(net::Core&, net::StreamPtr)>;
  Target serve(Handler handler);
  Target echo();         ///< sends back what comes, then the FIN
  Target closed_port();  ///< nobody listens there
  Tamper& tamper(const Target& upstream);
  void cut(Tamper& relay);  ///< closes all its connections

  /// run runs the coroutine of make(Core&) on a core and waits for its value.
  template <class Make>
  auto run(std::size_t core, Make make) {
    return runtime_->call(core, std::move(make));
  }
  /// dial opens a stream through `node`'s peer; on its core.
  net::Task<net::StreamPtr> dial(Node& node, std::string peer, Target target,
                                 Duration within = std::chrono::seconds{20});
  /// until polls a condition on a core, for at most 20 s: for what no event tells.
  bool until(std::size_t core, std::function<bool()> condition);
  void stop(Node& node);  ///< drains at once and destroys the tunnel

  net::Runtime& runtime() { return *runtime_; }
  std::string folder() const { return folder_; }

 private:
  std::string folder_;
  std::unique_ptr<net::Runtime> runtime_;
  crypto::SystemRandom random_;
  std::list<Node> nodes_;
  std::list<Tamper> tampers_;
  std::list<std::shared_ptr<net::Listener>> listeners_;
  std::unique_ptr<net::Nursery> tasks_;  ///< of the servers' core
};

/// read_all reads until the FIN and returns everything; nothing on an error.
net::Task<Bytes> read_all(net::Stream& stream, std::size_t bytes_max = 1 << 30);
/// read_exactly reads that many bytes.
net::Task<Bytes> read_exactly(net::Stream& stream, std::size_t bytes);
/// pattern gives `size` reproducible bytes.
Bytes pattern(std::size_t size, std::uint64_t seed);

/// echo_digest sends `size` pseudo-random bytes to an echo while reading them back, and ends both sides; true
/// if both digests agree.
net::Task<bool> echo_digest(net::Core& core, net::Stream& stream, std::size_t size, std::uint64_t seed);
/// dial_error is the error of a dial that must fail; Errc::internal if it did not.
Error dial_error(TunnelWorld& world, Node& from, const std::string& peer, const Target& target,
                 Duration within = std::chrono::seconds{20});

/// refusal is dial_error of a dial that a peer must refuse. The dialer tries again until its time is up and
/// then says why the last try failed, so each dial is short; one that no answer reached is repeated with more
/// time.
Error refusal(TunnelWorld& world, Node& from, const std::string& peer, const Target& target);

/// code_of is the error's code, Errc{} of a success.
template <class T>
Errc code_of(const Result<T>& result) {
  return result ? Errc{} : result.error().code;
}

/// metric reads a counter or gauge by its name and labels; fails the test if there is none.
std::int64_t metric(std::string_view name, std::string_view labels = {});

}  // namespace village::test
