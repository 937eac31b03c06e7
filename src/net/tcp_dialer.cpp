// Happy Eyeballs (RFC 8305): addresses in order, a new attempt every 250 ms or as soon as the last one
// failed, the first connection wins and the rest are cancelled.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "net/await.hpp"
#include "net/metrics.hpp"
#include "net/sockaddr.hpp"
#include "net/tcp_connect.hpp"
#include "village/net/deadline.hpp"
#include "village/net/nursery.hpp"
#include "village/net/resolver.hpp"
#include "village/net/tcp.hpp"

namespace village::net {
namespace {

using TcpResult = Result<std::unique_ptr<TcpStream>>;

/// Race is what the attempts of one dial share; it lives in the dialling coroutine.
struct Race {
  explicit Race(Core& core) : changed{core} {}
  Event changed;
  std::unique_ptr<TcpStream> winner;
  std::optional<Error> first_error;
  std::size_t running = 0;
};

asio::awaitable<void> attempt(Core& core, Race& race, Endpoint endpoint, const TcpDialerOptions& options) {
  auto stream = co_await tcp_connect_one(core, endpoint, options.tcp, options.source);
  --race.running;
  if (stream.has_value()) {
    if (!race.winner) race.winner = std::move(*stream);
  } else if (!race.first_error) {
    race.first_error = stream.error();
  }
  race.changed.notify();
}

Task<std::unique_ptr<TcpStream>> run_race(Core& core, const std::vector<Endpoint>& endpoints,
                                          const TcpDialerOptions& options) {
  Race race{core};
  Nursery attempts{core};
  std::size_t next = 0;
  bool cancelled = false;
  while (!race.winner && !cancelled && (race.running > 0 || next < endpoints.size())) {
    if (next < endpoints.size()) {
      ++race.running;
      const auto endpoint = endpoints[next++];
      attempts.spawn([&core, &race, &options, endpoint] { return attempt(core, race, endpoint, options); });
    }
    const auto until = next < endpoints.size() ? after(core, options.stagger) : Instant::max();
    const auto woken = co_await race.changed.wait_until(until);
    cancelled = woken.has_error() && woken.error().code == Errc::cancelled;
  }
  attempts.cancel();
  co_await attempts.join();
  if (race.winner && !cancelled) co_return std::move(race.winner);
  if (cancelled) co_return fail(Errc::cancelled);
  co_return race.first_error.value_or(fail(Errc::internal));
}

Task<std::unique_ptr<TcpStream>> connect_all(Core& core, Target target, const TcpDialerOptions& options,
                                             Instant deadline) {
  auto addresses = co_await core.resolver().resolve(target.host, deadline);
  if (addresses.has_error()) co_return addresses.error();
  std::vector<Endpoint> endpoints;
  for (const auto& ip : *addresses) {
    if (!options.allow || options.allow(unmapped(ip))) endpoints.push_back({ip, target.port, 0});
  }
  if (endpoints.empty()) co_return fail(Errc::denied);
  if (endpoints.size() == 1) {
    auto stream = co_await tcp_connect_one(core, endpoints.front(), options.tcp, options.source);
    co_return stream;
  }
  auto stream = co_await run_race(core, endpoints, options);
  co_return stream;
}

}  // namespace

Task<std::unique_ptr<TcpStream>> tcp_connect_one(Core& core, Endpoint endpoint, TcpOptions options,
                                                 std::optional<Ip> source) {
  VG_CO_STOP_IF_CANCELLED();
  const int fd = ::socket(family_of(endpoint), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (fd < 0) co_return errno_error(errno);
  auto socket = std::make_unique<TcpStream>(core, fd, TcpOptions{.congestion = {}});
  if (source && is_v4(*source) == is_v4(endpoint.ip)) {
    const auto from = to_address({*source, 0, 0});
    if (::bind(fd, from.get(), from.size) != 0) co_return errno_error(errno);
  }
  const auto to = to_address(endpoint);
  if (::connect(fd, to.get(), to.size) != 0) {
    if (errno != EINPROGRESS) co_return errno_error(errno);
    const auto waited = co_await socket->wait_writable();
    if (waited.has_error()) co_return waited.error();
    const int code = option(fd, SOL_SOCKET, SO_ERROR);
    if (code != 0) co_return errno_error(code);
  }
  apply_tcp_options(fd, options);
  co_return std::move(socket);
}

TcpDialer::TcpDialer(Core& core, TcpDialerOptions options) : core_{core}, options_{std::move(options)} {}

Task<std::unique_ptr<TcpStream>> TcpDialer::connect(Target target, Instant deadline) {
  auto stream =
      co_await with_deadline(core_, connect_all(core_, std::move(target), options_, deadline), deadline);
  if (stream.has_value()) {
    metric::count_dial_success();
  } else {
    metric::count_dial_failure(stream.error().code);
  }
  co_return stream;
}

Task<StreamPtr> TcpDialer::dial(Target target, Instant deadline) {
  auto stream = co_await connect(std::move(target), deadline);
  if (stream.has_error()) co_return stream.error();
  co_return StreamPtr{std::move(*stream)};
}

}  // namespace village::net
