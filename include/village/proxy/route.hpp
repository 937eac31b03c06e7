#pragma once
// RouteTable: which way out a connection takes. First rule that matches wins.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"

namespace village::proxy {

enum class Network : std::uint8_t { tcp, udp };

/// AddressBlock is a CIDR block: 4 or 16 bytes; bits behind the prefix are ignored.
struct AddressBlock {
  std::vector<std::byte> address;
  unsigned bits = 0;
};

struct PortSpan {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};

/// RouteRule matches when every list that is not empty has a match; the three domain lists and `blocks` count
/// as one list, the destination. Names match without regard to ASCII case and to one trailing dot.
struct RouteRule {
  std::vector<std::string> inbounds{};
  std::vector<std::string> domains{};   ///< the whole name
  std::vector<std::string> suffixes{};  ///< "example.org": itself and every subdomain
  std::vector<std::string> keywords{};  ///< anywhere in the name
  std::vector<AddressBlock>
      blocks{};  ///< literal addresses; a mapped IPv4 address is looked up in both forms
  std::vector<PortSpan> ports{};
  std::optional<Network> network{};
};

/// RouteTable is compiled once and then immutable; any number of threads may ask it.
class RouteTable {
 public:
  /// compile checks and indexes the rules. Errors (detail = index of the rule): bad_argument (empty name,
  /// block of wrong size or with too many bits, first port above last), limit_exceeded
  /// (limits::route_rules_max, route_entries_max).
  static Result<RouteTable> compile(const std::vector<RouteRule>& rules);
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;
  ~RouteTable();

  /// match gives the index of the first rule that matches, nullopt if none does. A name costs one hash
  /// look-up for each of its labels and a search for each keyword of a rule before the best so far; an
  /// address costs one look-up for each prefix length in use. Rules without a destination are tried in order.
  std::optional<std::size_t> match(std::string_view inbound, Network network, const Target& target) const;

 private:
  struct State;
  explicit RouteTable(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace village::proxy
