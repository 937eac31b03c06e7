#pragma once
// Resolver: names to addresses by c-ares on one core, cached, without ever blocking the thread.
#include <memory>
#include <string>
#include <vector>

#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/limits.hpp"
#include "village/net/stream.hpp"

namespace village::net {

struct ResolverOptions {
  std::vector<Endpoint> servers;  ///< empty: those of /etc/resolv.conf
  std::string hosts_file =
      "/etc/hosts";  ///< empty: none. Reread when it changed, looked at once a second at most
  Duration time_max = limits::dns_time_max;
  Duration server_timeout =
      std::chrono::milliseconds{1'500};  ///< first wait for one server; doubled on each retry
  int tries = 3;
  std::size_t cache_entries = limits::dns_cache_entries;
  std::size_t lookups_max = limits::dns_lookups_max;
};

/// ResolverStatistics counts since start.
struct ResolverStatistics {
  std::uint64_t asked = 0, local = 0, cache_hits = 0, joined = 0, queries = 0, refused = 0;
  std::size_t cached = 0, in_flight = 0;
};

/// Resolver lives on one core. Equal look-ups under way share one question. Literals, "localhost" (RFC
/// 6761 6.3) and names of the hosts file need no question. The cache holds positive answers for their TTL (at
/// most an hour), "no such name" for 5 s and failures for 1 s.
class Resolver {
 public:
  Resolver(Core& core, ResolverOptions options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  /// resolve gives at least one address, in the order to dial them: families alternating, IPv6 first (RFC
  /// 8305 section 4). A and AAAA are asked at once; when one family has answered the other is waited for 50
  /// ms more. Errors: name_not_found, name_failed (no server answered, also after 5 s), timed_out
  /// (`deadline`), busy (too many look-ups under way), cancelled, closed.
  Task<std::vector<Ip>> resolve(std::string name, Instant deadline);
  Task<std::vector<Ip>> resolve(const Host& host, Instant deadline);

  /// close ends what is under way with `closed`; later calls fail at once. The runtime calls it when it
  /// stops.
  void close();
  /// forget empties the cache.
  void forget();
  ResolverStatistics statistics() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace village::net
