#include "net/ares_channel.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <mutex>

#include "net/sockaddr.hpp"
#include "village/base/check.hpp"

namespace village::net {

/// Watch is one socket of c-ares. Its handlers may run after the channel is gone: `owner` is null then.
struct AresChannel::Watch {
  Watch(AresChannel& channel, ares_socket_t socket)
      : owner{&channel}, fd{socket}, descriptor{channel.core_.io().get_executor()} {
    boost::system::error_code code;
    descriptor.assign(socket, code);
    VG_CHECK(!code);
  }
  /// forget stops watching; the socket stays open, for c-ares closes it.
  void forget() {
    owner = nullptr;
    (void)descriptor.release();
  }
  AresChannel* owner;
  ares_socket_t fd;
  Descriptor descriptor;
  bool want_read = false, want_write = false;
  bool waits_read = false, waits_write = false;
};

Result<std::unique_ptr<AresChannel>> AresChannel::make(Core& core, const ResolverOptions& options) {
  static std::once_flag once;
  std::call_once(once, [] { ares_library_init(ARES_LIB_INIT_ALL); });
  std::unique_ptr<AresChannel> channel{new AresChannel{core}};
  VG_TRY_VOID(channel->open(options));
  return channel;
}

AresChannel::AresChannel(Core& core) : core_{core}, timer_{core.io()} {}

AresChannel::~AresChannel() {
  if (channel_ != nullptr) ares_destroy(channel_);
  for (auto& [fd, watched] : watches_) watched->forget();
}

Result<void> AresChannel::open(const ResolverOptions& options) {
  ares_options wanted{};
  char lookups[] = "b";  // the hosts file is ours
  wanted.lookups = lookups;
  wanted.timeout = static_cast<int>(options.server_timeout / 1ms);
  wanted.tries = options.tries;
  wanted.sock_state_cb = &AresChannel::on_socket;
  wanted.sock_state_cb_data = this;
  const int mask = ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (ares_init_options(&channel_, &wanted, mask) != ARES_SUCCESS) return fail(Errc::name_failed);
  if (!options.servers.empty()) return set_servers(options.servers);
  return ok();
}

Result<void> AresChannel::set_servers(const std::vector<Endpoint>& servers) {
  std::vector<ares_addr_port_node> nodes(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    auto& node = nodes[i];
    node.next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    node.family = family_of(servers[i]);
    node.udp_port = node.tcp_port = servers[i].port;
    if (const auto* v4 = std::get_if<Ipv4Address>(&servers[i].ip)) {
      std::memcpy(&node.addr.addr4, v4->data(), v4->size());
    } else {
      std::memcpy(&node.addr.addr6, std::get<Ipv6Address>(servers[i].ip).data(), 16);
    }
  }
  if (ares_set_servers_ports(channel_, nodes.data()) != ARES_SUCCESS) return fail(Errc::bad_argument);
  return ok();
}

void AresChannel::ask(const std::string& name, int family, Callback callback) {
  auto question = std::make_unique<Callback>(std::move(callback));
  ares_addrinfo_hints hints{};
  hints.ai_flags = ARES_AI_NOSORT;
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &AresChannel::on_answer, question.release());
  set_timer();
}

void AresChannel::on_answer(void* question, int status, int /*timeouts*/, ares_addrinfo* found) {
  const std::unique_ptr<Callback> callback{static_cast<Callback*>(question)};
  AresAnswer answer;
  if (status == ARES_SUCCESS && found != nullptr) {
    int ttl = 86'400;
    for (auto* node = found->nodes; node != nullptr; node = node->ai_next) {
      ttl = std::min(ttl, node->ai_ttl);
      const auto endpoint = from_address(node->ai_addr, node->ai_addrlen);
      if (endpoint && answer.addresses.size() < limits::addresses_per_name)
        answer.addresses.push_back(endpoint->ip);
    }
    for (auto* alias = found->cnames; alias != nullptr; alias = alias->next) ttl = std::min(ttl, alias->ttl);
    answer.ttl = std::chrono::seconds{std::max(ttl, 0)};
    answer.kind = answer.addresses.empty() ? AresAnswer::Kind::no_such_name : AresAnswer::Kind::found;
  } else if (status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME) {
    answer.kind = AresAnswer::Kind::no_such_name;
  }
  if (found != nullptr) ares_freeaddrinfo(found);
  (*callback)(std::move(answer));
}

void AresChannel::on_socket(void* self, ares_socket_t fd, int readable, int writable) {
  static_cast<AresChannel*>(self)->watch(fd, readable != 0, writable != 0);
}

void AresChannel::watch(ares_socket_t fd, bool read, bool write) {
  auto place = watches_.find(fd);
  if (!read && !write) {
    if (place == watches_.end()) return;
    place->second->forget();
    watches_.erase(place);
    return;
  }
  if (place == watches_.end()) place = watches_.emplace(fd, std::make_shared<Watch>(*this, fd)).first;
  place->second->want_read = read;
  place->second->want_write = write;
  arm(place->second);
}

void AresChannel::arm(const std::shared_ptr<Watch>& watched) {
  if (watched->want_read && !watched->waits_read) {
    watched->waits_read = true;
    watched->descriptor.async_wait(Descriptor::wait_read, [watched](const boost::system::error_code& code) {
      watched->waits_read = false;
      if (code || watched->owner == nullptr) return;
      watched->owner->process(watched->fd, ARES_SOCKET_BAD);
      if (watched->owner != nullptr) watched->owner->arm(watched);
    });
  }
  if (watched->want_write && !watched->waits_write) {
    watched->waits_write = true;
    watched->descriptor.async_wait(Descriptor::wait_write, [watched](const boost::system::error_code& code) {
      watched->waits_write = false;
      if (code || watched->owner == nullptr) return;
      watched->owner->process(ARES_SOCKET_BAD, watched->fd);
      if (watched->owner != nullptr) watched->owner->arm(watched);
    });
  }
}

void AresChannel::process(ares_socket_t read, ares_socket_t write) {
  ares_process_fd(channel_, read, write);
  set_timer();
}

// c-ares tells when it wants to be called again; an earlier call does no harm, so the timer is only ever
// moved forward.
void AresChannel::set_timer() {
  timeval wait{};
  if (ares_timeout(channel_, nullptr, &wait) == nullptr) return;
  const auto at = std::chrono::steady_clock::now() + std::chrono::seconds{wait.tv_sec} +
                  std::chrono::microseconds{wait.tv_usec} + std::chrono::milliseconds{1};
  if (at >= timer_at_) return;
  timer_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this, life = std::weak_ptr<int>{life_}](const boost::system::error_code& code) {
    if (code || life.expired()) return;
    timer_at_ = std::chrono::steady_clock::time_point::max();
    process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace village::net
