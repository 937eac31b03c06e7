#pragma once
// Tools against a running node: crowds of strangers, honest clients beside them, and a server that only hangs
// up.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/deadline.hpp"
#include "village/net/tcp.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::flood {

/// Kind is what a stranger does on a connection.
enum class Kind : std::uint8_t {
  silent,       ///< says nothing
  garbage,      ///< 300 random bytes
  half_hello,   ///< the first half of a TLS hello
  slow_hello,   ///< a TLS hello, a byte at a time
  noise,        ///< 'HTX' suite and a first message of the right size, of random bytes (outer none)
  tls_garbage,  ///< TLS, then 300 random bytes
  tls_slow,     ///< TLS, then a request's head, a byte at a time
  tls_silent,   ///< TLS, then nothing
  wrong_tag,    ///< TLS, then a well-formed ticket whose pre-tag is wrong
  wrong_hour,   ///< TLS, then a ticket with a valid pre-tag that is five hours old
};
std::optional<Kind> kind_of(std::string_view name);

/// Crowd is a flood: `count` connections, `per_second` of them begun each second, from 127.1.0.0/16, each
/// held for at most `hold`. It always ends.
struct Crowd {
  Kind kind{};
  Target target{Ipv4Address{}, 0};
  std::uint32_t count = 0, per_second = 0;
  Duration hold{0};
  std::optional<service::TunnelPeer> peer;  ///< tickets and pin, for the kinds with TLS
};
struct CrowdReport {
  std::uint32_t connected = 0, refused = 0, hung_up = 0, answered = 0, left = 0;
};
net::Task<CrowdReport> run_crowd(net::Core& core, Crowd crowd);

/// Guests are honest clients from 127.200.0.0/16: each comes in by itself, has `echo` send a KiB back through
/// the exit, and leaves.
struct Guests {
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;
  std::optional<service::TunnelPeer> peer;
  Target echo{Ipv4Address{}, 0};
  std::uint32_t count = 0;
  unsigned at_once = 2;
};
struct GuestsReport {
  std::vector<Duration> times;  ///< of those who succeeded
  std::vector<Error> failures;
};
net::Task<GuestsReport> run_guests(net::Core& core, Guests guests);

/// source_in draws an address of 127.<second>.0.0/16.
net::Ip source_in(std::uint8_t second, RandomSource& random);

}  // namespace village::flood
