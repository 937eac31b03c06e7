#include "daemon/notify.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace village::daemon {
namespace {

template <class T>
std::optional<T> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  T value{};
  const char* end = text + std::strlen(text);
  const auto [last, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || last != end) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Duration> watchdog_interval(const char* usec, const char* pid, int own_pid) {
  const auto interval = number<std::int64_t>(usec);
  if (!interval || *interval <= 0 || *interval > 86'400'000'000) return std::nullopt;
  if (pid != nullptr && number<int>(pid) != own_pid) return std::nullopt;  // meant for another process
  return std::chrono::microseconds{*interval};
}

Notifier::Notifier(Notifier&& other) noexcept : socket_{std::exchange(other.socket_, -1)} {}

Notifier::~Notifier() {
  if (socket_ >= 0) ::close(socket_);
}

Result<Notifier> Notifier::open(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path) return fail(Errc::bad_argument);
  if (path.front() != '/' && path.front() != '@') return fail(Errc::bad_argument);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';
  Notifier notifier;
  notifier.socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (notifier.socket_ < 0 ||
      ::connect(notifier.socket_, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return fail(Errc::io, static_cast<std::uint64_t>(errno));
  }
  return notifier;
}

Notifier Notifier::from_environment() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr) return {};
  auto notifier = open(path);
  ::unsetenv("NOTIFY_SOCKET");
  return notifier ? *std::move(notifier) : Notifier{};
}

void Notifier::reloading(Instant now) {
  const auto usec = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  (void)send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", usec), "reading the configuration");
}

bool Notifier::send(std::string_view state, std::string_view status) {
  if (!active()) return true;
  std::string text{state};
  if (!status.empty()) {
    if (!text.empty()) text += '\n';
    text += "STATUS=";
    for (const char c : status) text += c == '\n' ? ' ' : c;  // a line break would begin another assignment
  }
  return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

}  // namespace village::daemon
