#pragma once
// Notifier: the readiness protocol of systemd: one datagram of KEY=value lines to the socket named in
// NOTIFY_SOCKET. Source: sd_notify(3), sd_watchdog_enabled(3).
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "village/base/error.hpp"
#include "village/base/time.hpp"

namespace village::daemon {

/// WatchdogSetting is what the service manager asked for in WATCHDOG_USEC and WATCHDOG_PID.
std::optional<Duration> watchdog_interval(const char* usec, const char* pid, int own_pid);

/// Notifier is silent (every call succeeds and does nothing) when no service manager listens. Any thread.
class Notifier {
 public:
  Notifier() = default;
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&&) = delete;
  ~Notifier();
  /// open connects to `path`: an absolute path, or "@name" in the abstract name space. Errors: bad_argument,
  /// io.
  static Result<Notifier> open(std::string_view path);
  /// from_environment reads NOTIFY_SOCKET and removes it, so that no child takes it for its own.
  static Notifier from_environment();

  bool active() const { return socket_ >= 0; }
  void ready(std::string_view status) { (void)send("READY=1", status); }
  void reloading(Instant now);
  void stopping(std::string_view status) { (void)send("STOPPING=1", status); }
  void watchdog() { (void)send("WATCHDOG=1", {}); }
  void status(std::string_view status) { (void)send({}, status); }

 private:
  bool send(std::string_view state, std::string_view status);
  int socket_ = -1;
};

}  // namespace village::daemon
