// A look-up asks both families at once and is shared by all who want the same name. It is ready when both
// have answered, or 50 ms after the first address came. What arrives later goes to the cache.
#include "village/net/resolver.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "net/ares_channel.hpp"
#include "net/await.hpp"
#include "net/hosts_file.hpp"
#include "net/metrics.hpp"
#include "net/name_cache.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"

namespace village::net {
namespace {

using Answer = NameCache::Answer;

/// alternate gives the addresses in the order to dial them. RFC 8305 section 4.
std::vector<Ip> alternate(const std::vector<Ip>& v6, const std::vector<Ip>& v4) {
  std::vector<Ip> all;
  for (std::size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    if (i < v6.size()) all.push_back(v6[i]);
    if (i < v4.size()) all.push_back(v4[i]);
  }
  return all;
}

/// Lookup is one name being asked for.
struct Lookup {
  explicit Lookup(Core& core) : changed{core} {}
  Event changed;
  std::optional<AresAnswer> v6, v4;
  std::optional<Instant> first_found;
  Instant give_up;
  bool closed = false;

  bool complete() const { return v6.has_value() && v4.has_value(); }
  bool ready(Instant now) const {
    return closed || complete() || (first_found && now >= *first_found + limits::dns_family_delay);
  }
  Answer answer() const {
    if (closed) return fail(Errc::closed);
    static const std::vector<Ip> none;
    auto all = alternate(v6 ? v6->addresses : none, v4 ? v4->addresses : none);
    if (!all.empty()) return all;
    const auto missing = [](const std::optional<AresAnswer>& family) {
      return family && family->kind == AresAnswer::Kind::no_such_name;
    };
    return fail(missing(v6) && missing(v4) ? Errc::name_not_found : Errc::name_failed);
  }
  /// lifetime is how long the complete answer may be kept.
  Duration lifetime() const {
    std::optional<Duration> shortest;
    for (const auto* family : {&v6, &v4}) {
      if (!*family || (*family)->kind != AresAnswer::Kind::found) continue;
      const Duration ttl = std::min<Duration>((*family)->ttl, limits::dns_ttl_max);
      shortest = shortest ? std::min(*shortest, ttl) : ttl;
    }
    if (shortest) return *shortest;
    const auto failed = answer();
    return failed.error().code == Errc::name_not_found ? Duration{limits::dns_ttl_negative}
                                                       : limits::dns_ttl_failure;
  }
};

bool is_localhost(const std::string& name) {
  static constexpr std::string_view suffix = ".localhost";
  return name == "localhost" || (name.size() > suffix.size() && name.ends_with(suffix));
}

}  // namespace

struct Resolver::State : std::enable_shared_from_this<State> {
  State(Core& owner, ResolverOptions given)
      : core{owner}, options{std::move(given)}, hosts{options.hosts_file}, cache{options.cache_entries} {}

  std::optional<std::vector<Ip>> local(const std::string& name) {
    const auto host = parse_host(name);
    if (host.has_value()) {
      if (const auto* v4 = std::get_if<Ipv4Address>(&*host)) return std::vector<Ip>{*v4};
      if (const auto* v6 = std::get_if<Ipv6Address>(&*host)) return std::vector<Ip>{*v6};
    }
    auto relative = name;
    if (relative.ends_with('.')) relative.pop_back();
    if (is_localhost(relative)) return std::vector<Ip>{loopback_v6().ip, loopback_v4().ip};
    const auto& listed = hosts.find(relative, core.clock().now());
    if (!listed.empty()) return listed;
    return std::nullopt;
  }

  Result<std::shared_ptr<Lookup>> start(const std::string& name) {
    if (lookups.size() >= options.lookups_max || questions >= 2 * options.lookups_max) {
      ++numbers.refused;
      return fail(Errc::busy);
    }
    if (!channel) {
      VG_TRY(made, AresChannel::make(core, options));
      channel = std::move(made);
    }
    auto lookup = std::make_shared<Lookup>(core);
    lookup->give_up = core.clock().now() + options.time_max;
    lookups[name] = lookup;
    ++numbers.queries;
    // A name with a dot in it is asked as it is: search domains would turn another man's typo into a name of
    // ours.
    const auto asked = name.find('.') != std::string::npos && !name.ends_with('.') ? name + "." : name;
    for (const int family : {AF_INET6, AF_INET}) {
      ++questions;
      channel->ask(asked, family, [this, name, lookup, family](AresAnswer answer) {
        --questions;
        answered(name, lookup, family, std::move(answer));
      });
    }
    return lookup;
  }

  void answered(const std::string& name, const std::shared_ptr<Lookup>& lookup, int family,
                AresAnswer answer) {
    const auto now = core.clock().now();
    if (answer.kind == AresAnswer::Kind::found && !lookup->first_found) lookup->first_found = now;
    (family == AF_INET6 ? lookup->v6 : lookup->v4) = std::move(answer);
    if (lookup->complete() && !closed) {
      cache.put(name, lookup->answer(), now + lookup->lifetime());
      const auto place = lookups.find(name);
      if (place != lookups.end() && place->second == lookup) lookups.erase(place);
    }
    lookup->changed.notify();
  }

  void give_up(const std::string& name, const std::shared_ptr<Lookup>& lookup) {
    const auto place = lookups.find(name);
    if (place != lookups.end() && place->second == lookup) lookups.erase(place);
    cache.put(name, fail(Errc::name_failed), core.clock().now() + limits::dns_ttl_failure);
  }

  void close() {
    if (closed) return;
    closed = true;
    for (auto& [name, lookup] : lookups) {
      lookup->closed = true;
      lookup->changed.notify();
    }
    channel.reset();
    lookups.clear();
  }

  Core& core;
  ResolverOptions options;
  HostsFile hosts;
  NameCache cache;
  std::map<std::string, std::shared_ptr<Lookup>> lookups;
  std::size_t questions = 0;  ///< that c-ares still works on, those given up included
  std::size_t waiters = 0;
  ResolverStatistics numbers;
  bool closed = false;
  std::unique_ptr<AresChannel> channel;
};

Resolver::Resolver(Core& core, ResolverOptions options)
    : state_{std::make_shared<State>(core, std::move(options))} {}
Resolver::~Resolver() { state_->close(); }
void Resolver::close() { state_->close(); }
void Resolver::forget() { state_->cache.clear(); }

ResolverStatistics Resolver::statistics() const {
  auto numbers = state_->numbers;
  numbers.cached = state_->cache.size();
  numbers.in_flight = state_->lookups.size();
  return numbers;
}

namespace {

void count(const Answer& answer) {
  if (answer.has_value()) return metric::dns_found.add();
  switch (answer.error().code) {
    case Errc::name_not_found:
      return metric::dns_not_found.add();
    case Errc::timed_out:
      return metric::dns_timed_out.add();
    case Errc::busy:
      return metric::dns_busy.add();
    default:
      return metric::dns_failed.add();
  }
}

/// Waiting counts a waiter while it waits.
struct Waiting {
  std::size_t& count;
  explicit Waiting(std::size_t& counter) : count{counter} { ++count; }
  ~Waiting() { --count; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
};

}  // namespace

Task<std::vector<Ip>> Resolver::resolve(const Host& host, Instant deadline) {
  return resolve(to_text(host), deadline);
}

Task<std::vector<Ip>> Resolver::resolve(std::string name, Instant deadline) {
  VG_CO_STOP_IF_CANCELLED();
  const auto state = state_;
  auto& numbers = state->numbers;
  ++numbers.asked;
  if (state->closed) co_return fail(Errc::closed);
  name = lower(std::move(name));
  if (auto known = state->local(name)) {
    ++numbers.local;
    metric::dns_local.add();
    co_return std::move(*known);
  }
  if (const auto* kept = state->cache.find(name, state->core.clock().now())) {
    ++numbers.cache_hits;
    metric::dns_cached.add();
    co_return *kept;
  }
  if (state->waiters >= limits::dns_waiters_max) {
    metric::dns_busy.add();
    co_return fail(Errc::busy);
  }
  std::shared_ptr<Lookup> lookup;
  if (const auto under_way = state->lookups.find(name); under_way != state->lookups.end()) {
    ++numbers.joined;
    lookup = under_way->second;
  } else {
    const auto started = state->start(name);
    if (started.has_error()) {
      count(started.error());
      co_return started.error();
    }
    lookup = *started;
  }
  const Waiting waiting{state->waiters};
  for (;;) {
    const auto now = state->core.clock().now();
    if (lookup->ready(now)) break;
    if (now >= lookup->give_up) state->give_up(name, lookup);
    if (now >= std::min(deadline, lookup->give_up)) {
      const auto failed = fail(now >= lookup->give_up ? Errc::name_failed : Errc::timed_out);
      count(failed);
      co_return failed;
    }
    auto until = std::min(deadline, lookup->give_up);
    if (lookup->first_found)
      until = std::min<Instant>(until, *lookup->first_found + limits::dns_family_delay);
    const auto woken = co_await lookup->changed.wait_until(until);
    if (woken.has_error() && woken.error().code == Errc::cancelled) co_return woken.error();
  }
  const auto answer = lookup->answer();
  count(answer);
  co_return answer;
}

}  // namespace village::net
