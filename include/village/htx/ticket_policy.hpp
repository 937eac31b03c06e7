#pragma once
// TicketPolicy: how tickets travel, as a server says it and a dialer does it:
//
//   BN-Ticket: v1; carriers=cookie:0.5,query:0.5; len=24..64
//
// `len` is the range of the padding, not of the ticket. Source: Betanet 1.1 section 5.2; htx.md 3.1.
#include <cstdint>
#include <string>
#include <string_view>

#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/htx/access_ticket.hpp"

namespace village::htx {

/// TicketCarrier is where a ticket stands in the request. `body` is known by name only: our way in is a GET.
enum class TicketCarrier : std::uint8_t { cookie, query, body };

/// TicketPolicy has weights in ten-thousandths; only their ratio counts.
struct TicketPolicy {
  std::uint16_t cookie = 5'000;
  std::uint16_t query = 5'000;
  std::uint16_t body = 0;
  TicketPadding padding;
  friend bool operator==(const TicketPolicy&, const TicketPolicy&) = default;

  /// draw chooses cookie or query by their weights; cookie when both are 0.
  TicketCarrier draw(RandomSource& random) const;
};

inline constexpr std::size_t ticket_policy_text_max = 256;

/// parse_ticket_policy reads the text behind "BN-Ticket: " (or with it). Carriers in any order, each at most
/// once, weights 0 to 1 with up to four decimals, at least one not 0; blanks around ';' and ',' are allowed.
/// Missing carriers or len: the defaults; unknown parameters are passed over. Errors: limit_exceeded (longer
/// than 256), malformed (detail = offset), version (not v1).
Result<TicketPolicy> parse_ticket_policy(std::string_view text);
/// to_text writes "v1; carriers=cookie:0.5,query:0.5; len=24..64"; carriers of weight 0 are left out.
std::string to_text(const TicketPolicy& policy);

}  // namespace village::htx
