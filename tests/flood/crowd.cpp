#include <algorithm>
#include <utility>

#include "flood/flood.hpp"
#include "village/htx/access_ticket.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tls.hpp"
#include "village/proxy/upgrade.hpp"

namespace village::flood {
namespace {

using namespace std::chrono_literals;

constexpr std::pair<std::string_view, Kind> names[] = {
    {"silent", Kind::silent},         {"garbage", Kind::garbage},       {"half-hello", Kind::half_hello},
    {"slow-hello", Kind::slow_hello}, {"noise", Kind::noise},           {"tls-garbage", Kind::tls_garbage},
    {"tls-slow", Kind::tls_slow},     {"tls-silent", Kind::tls_silent}, {"wrong-tag", Kind::wrong_tag},
    {"wrong-hour", Kind::wrong_hour}};

bool by_tls(Kind kind) { return kind >= Kind::tls_garbage; }

Bytes random_bytes(net::Core& core, std::size_t size) {
  Bytes bytes(size);
  core.random().fill(bytes);
  return bytes;
}

/// hello makes the record and handshake heads of a ClientHello of 512 bytes; the rest is random.
Bytes hello(net::Core& core) {
  auto bytes = random_bytes(core, 517);
  constexpr unsigned head[] = {22, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3};
  std::transform(std::begin(head), std::end(head), bytes.begin(),
                 [](unsigned b) { return static_cast<std::byte>(b); });
  return bytes;
}

Bytes noise(net::Core& core) {
  constexpr std::size_t first_message = 1'248;  // suite 5: e, e1
  auto bytes = random_bytes(core, 6 + first_message);
  constexpr unsigned head[] = {'H', 'T', 'X', 5, first_message >> 8, first_message & 0xFF};
  std::transform(std::begin(head), std::end(head), bytes.begin(),
                 [](unsigned b) { return static_cast<std::byte>(b); });
  return bytes;
}

Result<std::string> request(net::Core& core, const Crowd& crowd) {
  auto server = *crowd.peer->ticket;
  auto now = core.clock().wall();
  if (crowd.kind == Kind::wrong_hour) now -= 5h;
  if (crowd.kind == Kind::wrong_tag) core.random().fill(server.key);
  VG_TRY(ticket, htx::make_ticket(server, now, core.random()));
  proxy::UpgradeKey key;
  core.random().fill(key);
  proxy::UpgradeRequest upgrade;
  upgrade.authority = "example.org";
  upgrade.place = crowd.peer->upgrade;
  upgrade.ticket = ticket;
  return proxy::write_upgrade_request(proxy::UpgradeProfile::chrome, upgrade, key);
}

/// One stranger's connection.
class Stranger {
 public:
  Stranger(net::Core& core, const Crowd& crowd, std::shared_ptr<net::TlsClientContext> tls,
           CrowdReport& report)
      : core_{core}, crowd_{crowd}, tls_{std::move(tls)}, report_{report} {}

  boost::asio::awaitable<void> run() {
    net::TcpDialerOptions options;
    options.source = source_in(1, core_.random());
    net::TcpDialer dialer{core_, std::move(options)};
    const auto until = net::after(core_, crowd_.hold);
    auto dialed = co_await dialer.dial(crowd_.target, until);
    if (!dialed) {
      ++report_.refused;
      co_return;
    }
    ++report_.connected;
    net::StreamPtr stream = std::move(*dialed);
    if (by_tls(crowd_.kind)) {
      net::TlsServerName server;
      server.trust.pin = crowd_.peer->pin;
      auto secured =
          co_await net::TlsStream::connect(core_, std::move(stream), tls_, std::move(server), until);
      if (!secured) {
        ++(secured.error().code == Errc::timed_out ? report_.left : report_.hung_up);
        co_return;
      }
      stream = std::move(*secured);
    }
    const auto ended = co_await net::with_deadline(core_, talk(*stream), until);
    ++(ended ? report_.hung_up : report_.left);
  }

 private:
  net::Task<void> talk(net::Stream& stream) {
    net::Nursery slow{core_};
    switch (crowd_.kind) {
      case Kind::silent:
      case Kind::tls_silent:
        break;
      case Kind::slow_hello:
        slow.spawn([&] { return trickle(stream, hello(core_)); });
        break;
      case Kind::tls_slow:
        slow.spawn(
            [&] { return trickle(stream, to_bytes("GET /" + std::string(5'000, 'a') + " HTTP/1.1\r\n")); });
        break;
      default: {
        const auto words = all();
        const auto sent = co_await stream.write_all(words);
        if (!sent) co_return ok();
      }
    }
    Bytes buffer(4'096);
    for (;;) {
      const auto read = co_await stream.read_some(buffer);
      if (!read && read.error().code == Errc::cancelled) {
        slow.cancel();
        co_await slow.join();
        co_return read.error();
      }
      if (!read || *read == 0) break;
      if (!std::exchange(heard_, true)) ++report_.answered;
    }
    slow.cancel();
    co_await slow.join();
    co_return ok();
  }

  /// all is what is said in one go.
  Bytes all() {
    switch (crowd_.kind) {
      case Kind::half_hello: {
        auto half = hello(core_);
        half.resize(half.size() / 2);
        return half;
      }
      case Kind::noise:
        return noise(core_);
      case Kind::wrong_tag:
      case Kind::wrong_hour: {
        const auto text = request(core_, crowd_);
        return text ? to_bytes(*text) : Bytes{};
      }
      default:
        return random_bytes(core_, 300);
    }
  }

  boost::asio::awaitable<void> trickle(net::Stream& stream, Bytes bytes) {
    for (const auto byte : bytes) {
      const auto sent = co_await stream.write_all(ByteView{&byte, 1});
      if (!sent) co_return;
      const auto slept = co_await net::sleep_until(core_, net::after(core_, 500ms));
      if (!slept) co_return;
    }
  }

  net::Core& core_;
  const Crowd& crowd_;
  std::shared_ptr<net::TlsClientContext> tls_;
  CrowdReport& report_;
  bool heard_ = false;
};

}  // namespace

std::optional<Kind> kind_of(std::string_view name) {
  for (const auto& [known, kind] : names) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

net::Ip source_in(std::uint8_t second, RandomSource& random) {
  const auto any = [&random] { return static_cast<std::byte>(1 + random.below(254)); };
  return Ipv4Address{std::byte{127}, static_cast<std::byte>(second), any(), any()};
}

net::Task<CrowdReport> run_crowd(net::Core& core, Crowd crowd) {
  CrowdReport report;
  std::shared_ptr<net::TlsClientContext> tls;
  if (by_tls(crowd.kind)) {
    if (!crowd.peer) co_return fail(Errc::bad_argument);
    VG_CO_TRY(made, net::TlsClientContext::make({{"http/1.1"}, net::TlsVersion::v1_3}));
    tls = std::move(made);
  }
  if (crowd.kind >= Kind::wrong_tag && !crowd.peer->ticket) co_return fail(Errc::not_found);
  net::Nursery strangers{core};
  const auto begin = core.clock().now();
  for (std::uint32_t i = 0; i < crowd.count; ++i) {
    const auto due = begin + std::chrono::seconds{1} * i / crowd.per_second;
    if (due > core.clock().now()) (void)co_await net::sleep_until(core, due);
    auto stranger = std::make_shared<Stranger>(core, crowd, tls, report);
    strangers.spawn([stranger] { return stranger->run(); });
  }
  co_await strangers.join();
  co_return report;
}

}  // namespace village::flood
