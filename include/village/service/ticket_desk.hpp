#pragma once
// TicketDesk: where the cores of a node have access tickets judged. Owns the ticket keys in use, the buckets
// and the memory of accepted tickets, also on disk.
#include <memory>
#include <mutex>
#include <string_view>

#include "village/base/time.hpp"
#include "village/htx/ticket_gate.hpp"
#include "village/net/address.hpp"
#include "village/service/ticket_options.hpp"

namespace village::service {

/// TicketDesk is one for the node; admit and the setters may be called on any thread. The mutex guards table
/// look-ups and a write of 40 bytes; base64, hashes and X25519 run outside it.
class TicketDesk {
 public:
  using Keys = std::shared_ptr<const htx::TicketKeys>;

  /// `clock` outlives the desk.
  TicketDesk(const TicketOptions& options, Keys keys, const Clock& clock);
  ~TicketDesk();

  /// admit spends a ticket that came from `from`. After ok() the ticket is in the replay file, and the 101
  /// may leave. Errors: denied (detail = the htx::TicketVerdict); the peer must not notice more than it would
  /// without a ticket. Counted by verdict. About 0.3 us for rubbish, 45 us for a good ticket.
  Result<void> admit(std::string_view ticket_text, const net::Ip& from);

  /// set_keys replaces the accepted keys; set_options what can change under way (not the paths).
  void set_keys(Keys keys);
  void set_options(const TicketOptions& options);
  Keys keys() const;

 private:
  htx::TicketVerdict judge(std::string_view ticket_text, const net::Ip& from);

  const Clock& clock_;
  mutable std::mutex mutex_;  ///< of all that follows
  Keys keys_;
  bool pretag_required_;
  htx::TicketGate gate_;
};

}  // namespace village::service
