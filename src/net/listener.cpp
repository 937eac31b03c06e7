#include "village/net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <mutex>
#include <vector>

#include "net/await.hpp"
#include "net/listen_socket.hpp"
#include "net/metrics.hpp"
#include "net/sockaddr.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/net/nursery.hpp"
#include "village/net/unix.hpp"

namespace village::net {
namespace {

using Waiter = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

/// Acceptor is one core's listening socket while serve() runs there.
struct Acceptor {
  Acceptor(Core& owner, int fd) : core{owner}, socket{owner.io().get_executor()} {
    boost::system::error_code code;
    socket.assign(fd, code);
    VG_CHECK(!code);
  }
  Core& core;
  Waiter socket;
};

bool out_of_resources(int code) {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

}  // namespace

struct Listener::State {
  ListenOptions options;
  std::string name;
  std::optional<Endpoint> local;
  std::string unlink_path;  ///< of a Unix socket that is ours
  dev_t device = 0;
  ino_t inode = 0;
  std::atomic<std::size_t> alive{0};
  std::mutex mutex;  ///< guards what follows: the start and end of serve(), and close()
  bool closed = false;
  std::vector<Fd> sockets;                         ///< by core, until serve() takes it
  std::vector<std::weak_ptr<Acceptor>> acceptors;  ///< by core; serve() owns them

  static asio::awaitable<void> serve(std::shared_ptr<State> state, Core& core, ConnectionHandler handler);

  std::shared_ptr<Acceptor> open(Core& core) {
    const std::lock_guard lock{mutex};
    const auto i = core.index();
    VG_CHECK(i < sockets.size());
    if (closed) return nullptr;
    VG_CHECK(sockets[i].get() >= 0);
    auto acceptor = std::make_shared<Acceptor>(core, sockets[i].release());
    acceptors[i] = acceptor;
    return acceptor;
  }
};

namespace {

/// Turn is what one round of accepting came to.
enum class Turn { emptied, more, out_of_resources };

/// Alive counts one connection for as long as it runs.
struct Alive {
  std::atomic<std::size_t>& all;
  std::size_t& here;
  Alive(std::atomic<std::size_t>& all_cores, std::size_t& this_core) : all{all_cores}, here{this_core} {
    ++all;
    ++here;
    metric::connections_current.add();
  }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() {
    --all;
    --here;
    metric::connections_current.sub();
  }
};

/// Loop is one core's accept loop.
struct Loop {
  Core& core;
  Listener::ConnectionHandler& handler;
  const ListenOptions& options;
  std::atomic<std::size_t>& alive;
  Nursery& connections;
  std::size_t here = 0;

  asio::awaitable<void> connection(std::unique_ptr<Accepted> accepted) {
    const Alive counted{alive, here};
    co_await handler(core, std::move(*accepted));
  }

  void take(int fd, const SocketAddress& from) {
    if (here >= options.connections_max) {
      metric::connections_refused.add();
      ::close(fd);
      return;
    }
    metric::connections_accepted.add();
    auto accepted = std::make_unique<Accepted>();
    accepted->peer = from_address(from.get(), from.size);
    if (accepted->peer) {
      accepted->stream = std::make_unique<TcpStream>(core, fd, options.tcp);
    } else {
      accepted->stream = std::make_unique<UnixStream>(core, fd);
    }
    connections.spawn([this, owned = std::move(accepted)]() mutable { return connection(std::move(owned)); });
  }

  Turn turn(int listening) {
    for (std::size_t i = 0; i < limits::accepts_per_turn; ++i) {
      SocketAddress from;
      from.size = sizeof from.storage;
      const int fd = ::accept4(listening, from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        take(fd, from);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        return Turn::emptied;
      } else if (out_of_resources(errno)) {
        metric::accept_no_descriptors.add();
        return Turn::out_of_resources;
      } else if (errno != EINTR) {
        metric::accept_errors.add();  // the peer went away before we came: ECONNABORTED, EPROTO, ...
      }
    }
    return Turn::more;
  }

  asio::awaitable<void> run(Acceptor& acceptor) {
    Duration pause = limits::accept_pause_min;
    for (;;) {
      const auto [code] = co_await acceptor.socket.async_wait(Waiter::wait_read, as_result);
      if (code) co_return;
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) co_return;
      const auto result = turn(acceptor.socket.native_handle());
      if (result != Turn::out_of_resources) {
        pause = limits::accept_pause_min;
        continue;
      }
      VG_LOG(debug, "net", "accept_paused core={} pause_ms={}", core.index(), pause / 1ms);
      const auto slept = co_await sleep_until(core, after(core, pause));
      if (slept.has_error() || !acceptor.socket.is_open()) co_return;
      pause = std::min<Duration>(pause * 2, limits::accept_pause_max);
    }
  }
};

}  // namespace

asio::awaitable<void> Listener::State::serve(std::shared_ptr<State> state, Core& core,
                                             ConnectionHandler handler) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto acceptor = state->open(core);  // the only owner: it dies with this frame, before the loop does
  if (!acceptor) co_return;
  Nursery connections{core};
  Loop loop{core, handler, state->options, state->alive, connections};
  co_await loop.run(*acceptor);
  boost::system::error_code code;
  acceptor->socket.close(code);
  // Closed from here: connections may end in peace, and join() cancels them when the caller is. Cancelled: at
  // once.
  co_await connections.join();
}

Listener::Listener(std::shared_ptr<State> state) : state_{std::move(state)} {}

Listener::~Listener() {
  close();
  if (state_->unlink_path.empty()) return;
  struct stat found {};
  const auto* path = state_->unlink_path.c_str();
  if (::lstat(path, &found) == 0 && found.st_dev == state_->device && found.st_ino == state_->inode)
    ::unlink(path);
}

Result<std::unique_ptr<Listener>> Listener::bind_tcp(const Endpoint& endpoint, std::size_t cores,
                                                     ListenOptions options) {
  VG_CHECK(cores > 0);
  VG_TRY(sockets, listen_tcp(endpoint, cores, static_cast<int>(options.backlog)));
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  state->local = socket_local(sockets.front().get());
  state->name = state->local ? to_text(*state->local) : "?";
  state->sockets = std::move(sockets);
  state->acceptors.resize(cores);
  return std::unique_ptr<Listener>{new Listener{std::move(state)}};
}

Result<std::unique_ptr<Listener>> Listener::bind_unix(const std::string& path, mode_t mode, std::size_t cores,
                                                      ListenOptions options) {
  VG_CHECK(cores > 0);
  VG_TRY(socket, listen_unix(path, mode, static_cast<int>(options.backlog)));
  auto state = std::make_shared<State>();
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return fail(Errc::not_found, static_cast<std::uint64_t>(errno));
  state->device = made.st_dev;
  state->inode = made.st_ino;
  state->unlink_path = path;
  VG_TRY(sockets, duplicate(std::move(socket), cores));
  state->options = std::move(options);
  state->name = path;
  state->sockets = std::move(sockets);
  state->acceptors.resize(cores);
  return std::unique_ptr<Listener>{new Listener{std::move(state)}};
}

Result<std::unique_ptr<Listener>> Listener::adopt(int fd, std::size_t cores, ListenOptions options) {
  VG_CHECK(cores > 0);
  if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM || option(fd, SOL_SOCKET, SO_ACCEPTCONN) != 1) {
    return fail(Errc::bad_argument);
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  VG_TRY(sockets, duplicate(Fd{fd}, cores));
  auto state = std::make_shared<State>();
  state->options = std::move(options);
  state->local = socket_local(fd);
  if (state->local) {
    state->name = to_text(*state->local);
  } else {
    sockaddr_un address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    state->name = std::string{address.sun_path, ::strnlen(address.sun_path, sizeof address.sun_path)};
  }
  state->sockets = std::move(sockets);
  state->acceptors.resize(cores);
  return std::unique_ptr<Listener>{new Listener{std::move(state)}};
}

std::optional<Endpoint> Listener::local() const { return state_->local; }
const std::string& Listener::name() const { return state_->name; }
std::size_t Listener::connections() const { return state_->alive; }

asio::awaitable<void> Listener::serve(Core& core, ConnectionHandler handler) {
  return State::serve(state_, core, std::move(handler));
}

void Listener::close() {
  const std::lock_guard lock{state_->mutex};
  if (state_->closed) return;
  state_->closed = true;
  state_->sockets = std::vector<Fd>(state_->sockets.size());
  for (const auto& serving : state_->acceptors) {
    const auto acceptor = serving.lock();
    if (!acceptor) continue;
    asio::post(acceptor->core.io(), [acceptor] {
      boost::system::error_code code;
      acceptor->socket.close(code);
    });
  }
}

}  // namespace village::net
