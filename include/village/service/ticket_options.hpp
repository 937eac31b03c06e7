#pragma once
// What the operator can say about access tickets (config section `htx.tickets`).
#include <chrono>
#include <cstdint>
#include <string>

#include "village/base/time.hpp"
#include "village/htx/access_ticket.hpp"
#include "village/htx/ticket_gate.hpp"
#include "village/htx/ticket_policy.hpp"

namespace village::service {

/// TicketUse says whether listeners with outer tls ask for a ticket.
enum class TicketUse : std::uint8_t { off, required };

struct TicketOptions {
  TicketUse use = TicketUse::required;
  htx::TicketRules rules;    ///< server: pre-tag, buckets, memory
  htx::TicketPolicy policy;  ///< client: which carrier, how much padding; told in our invitations
  std::string key_path;      ///< server: file of ticket keys, in the state directory
  std::string replay_path;   ///< server: file of accepted tickets, in the state directory; "" = none
  Duration rotation{0};      ///< server: age at which a new key takes over; 0 = by hand only
  Duration overlap = std::chrono::hours{24 * 14};  ///< server: how long a replaced key is still accepted
};

}  // namespace village::service
