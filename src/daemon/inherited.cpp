#include "daemon/inherited.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "daemon/limits.hpp"

namespace village::daemon {
namespace {

constexpr int first_descriptor = 3;

std::optional<int> number(const char* text) {
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const char* end = text + std::strlen(text);
  const auto [last, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || last != end || value < 0) return std::nullopt;
  return value;
}

bool unnamed(const InheritedSocket& socket) {
  // systemd uses the unit's name where FileDescriptorName= is not set.
  return socket.name.empty() || socket.name == "unknown" || socket.name.ends_with(".socket");
}

}  // namespace

std::optional<std::vector<InheritedSocket>> parse_inherited(const char* pid, const char* count,
                                                            const char* names, int own_pid) {
  const auto amount = number(count);
  if (number(pid) != own_pid || !amount || static_cast<std::size_t>(*amount) > limits::inherited_sockets_max)
    return std::nullopt;
  std::vector<InheritedSocket> sockets;
  std::string_view rest = names == nullptr ? "" : names;
  for (int i = 0; i < *amount; ++i) {
    const auto colon = std::min(rest.find(':'), rest.size());
    sockets.push_back({first_descriptor + i, std::string{rest.substr(0, colon)}});
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return sockets;
}

std::vector<InheritedSocket> take_inherited() {
  auto sockets = parse_inherited(std::getenv("LISTEN_PID"), std::getenv("LISTEN_FDS"),
                                 std::getenv("LISTEN_FDNAMES"), ::getpid());
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(variable);
  if (!sockets) return {};
  for (const auto& socket : *sockets) ::fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC);
  return *std::move(sockets);
}

Assignment assign(const std::vector<InheritedSocket>& sockets, const std::vector<ListenSlot>& slots) {
  Assignment result;
  result.descriptors.assign(slots.size(), -1);
  std::vector<InheritedSocket> by_order;
  for (const auto& socket : sockets) {
    if (unnamed(socket)) {
      by_order.push_back(socket);
      continue;
    }
    const auto slot = std::find_if(slots.begin(), slots.end(), [&](const ListenSlot& candidate) {
      const auto taken = result.descriptors[static_cast<std::size_t>(&candidate - slots.data())] >= 0;
      return !taken && (candidate.name == socket.name || candidate.alias == socket.name);
    });
    if (slot == slots.end()) {
      result.unused.push_back(socket);
    } else {
      result.descriptors[static_cast<std::size_t>(slot - slots.begin())] = socket.descriptor;
    }
  }
  for (const auto& socket : by_order) {
    const auto free = std::find(result.descriptors.begin(), result.descriptors.end(), -1);
    if (free == result.descriptors.end()) {
      result.unused.push_back(socket);
    } else {
      *free = socket.descriptor;
    }
  }
  return result;
}

}  // namespace village::daemon
