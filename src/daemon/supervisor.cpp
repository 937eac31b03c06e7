#include "daemon/supervisor.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "daemon/limits.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"

namespace village::daemon {
namespace {

metrics::Counter stalls{"villaged_daemon_core_stalls_total",
                        "Heartbeat rounds that a core did not answer in time."};

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

void ring(int event) {
  const std::uint64_t one = 1;
  VG_EXPECT(::write(event, &one, sizeof one) == sizeof one);
}

/// watchdog_share: three rounds within the manager's patience, so that one late answer does not end us.
constexpr int watchdog_share = 3;

}  // namespace

void block_signals() {
  const auto set = awaited_signals();
  VG_CHECK(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
  VG_CHECK(::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

Supervisor::Supervisor(Node& node, Notifier notifier, std::optional<Duration> watchdog)
    : node_{node},
      notifier_{std::move(notifier)},
      interval_{watchdog ? *watchdog / watchdog_share : limits::heartbeat_interval},
      heartbeat_{node.cores()} {
  const auto set = awaited_signals();
  signals_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  VG_CHECK(signals_ >= 0 && wake_ >= 0);
}

Supervisor::~Supervisor() {
  ::close(signals_);
  ::close(wake_);
}

Instant Supervisor::now() const { return node_.runtime().core(0).clock().now(); }

int Supervisor::run() {
  node_.start();
  if (!await_first_heartbeat()) {
    VG_LOG(error, "daemon", "start failed: core {} did not answer within {} s", heartbeat_.missing(),
           std::chrono::duration_cast<std::chrono::seconds>(limits::start_max).count());
    ::_exit(1);  // a core that does not turn cannot be joined either
  }
  if (node_.failed()) {
    node_.runtime().call(0, [this](net::Core&) { return node_.drain(now()); });
    node_.stop();
    return 1;
  }
  node_.confine();
  node_.announce();
  notifier_.ready(fmt::format("{} cores, {} listeners", node_.cores(), node_.listening().size()));
  VG_LOG(info, "daemon", "ready cores={} pid={}", node_.cores(), ::getpid());
  next_check_ = now() + interval_;
  while (!drained_.load()) {
    wait(next_check_ - now());
    if (handle_waiting_signals()) {
      VG_LOG(warn, "daemon", "second signal: leaving at once");
      ::_exit(0);
    }
    if (reloaded_.exchange(false)) notifier_.ready("reloaded");
    if (now() >= next_check_) check_heartbeat();
  }
  node_.stop();
  VG_LOG(info, "daemon", "stopped");
  return 0;
}

bool Supervisor::await_first_heartbeat() {
  const auto deadline = now() + limits::start_max;
  begin_round();
  while (!heartbeat_.complete() && now() < deadline) wait(deadline - now());
  return heartbeat_.complete();
}

void Supervisor::begin_round() {
  const auto round = heartbeat_.begin_round();
  for (std::size_t i = 0; i < heartbeat_.cores(); ++i) {
    node_.runtime().run_on(i, [this, i, round](net::Core&) {
      heartbeat_.answer(i, round);
      ring(wake_);
    });
  }
}

void Supervisor::check_heartbeat() {
  next_check_ = now() + interval_;
  node_.tick();
  if (heartbeat_.complete()) {
    if (std::exchange(stalled_, false)) VG_LOG(info, "daemon", "all cores turn again");
    notifier_.watchdog();
    begin_round();
    return;
  }
  // No new round: it would pile work up on a core that does not get to it. The watchdog goes hungry.
  stalls.add();
  if (!std::exchange(stalled_, true)) {
    VG_LOG(error, "daemon", "core {} has not turned for {} s", heartbeat_.missing(),
           std::chrono::duration_cast<std::chrono::seconds>(interval_).count());
  }
}

void Supervisor::begin_reload() {
  notifier_.reloading(now());
  node_.runtime().spawn_on(0, [this](net::Core&) -> asio::awaitable<void> {
    (void)co_await node_.reload();
    reloaded_.store(true);
    ring(wake_);
  });
}

void Supervisor::begin_drain() {
  notifier_.stopping("draining");
  node_.runtime().spawn_on(0, [this, begin = now()](net::Core&) -> asio::awaitable<void> {
    const auto timeout = node_.config().control.drain_timeout;  // core 0 writes the configuration on reload
    VG_LOG(info, "daemon", "stopping drain_timeout_ms={}",
           std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
    co_await node_.drain(begin + timeout);
    drained_.store(true);
    ring(wake_);
  });
}

bool Supervisor::handle_signal(int signal) {
  if (signal == SIGHUP) {
    if (!draining_) begin_reload();
    return false;
  }
  if (std::exchange(draining_, true)) return true;
  begin_drain();
  return false;
}

bool Supervisor::handle_waiting_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == sizeof info) {
    if (handle_signal(static_cast<int>(info.ssi_signo))) return true;
  }
  return false;
}

void Supervisor::wait(Duration at_most) {
  std::array<pollfd, 2> files{{{signals_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(std::max(at_most, Duration{0})).count();
  if (::poll(files.data(), files.size(), static_cast<int>(std::min<std::int64_t>(millis, 60'000))) < 0) {
    VG_EXPECT(errno == EINTR);
    return;
  }
  std::uint64_t count = 0;
  if (files[1].revents != 0) VG_EXPECT(::read(wake_, &count, sizeof count) == sizeof count);
}

}  // namespace village::daemon
