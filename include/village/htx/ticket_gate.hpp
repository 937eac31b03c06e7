#pragma once
// TicketGate: who may come in by an access ticket. In this order, cheapest first, so that rubbish costs
// little:
//
//   form -> known key -> pre-tag -> seen before, bucket -> X25519 and tags of three hours -> remember -> in
//
// Only a ticket that had a right pre-tag and then failed is charged to the bucket of its source's network:
// its sender had an invitation, or a copy of somebody's ticket, and cost us a scalar multiplication.
// Strangers' rubbish is not charged, so it cannot shut out neighbours.
//
// The steps are separate so that an owner with several threads can run the expensive ones, which touch no
// state (examine_ticket, verify_ticket), outside the lock that the others (look, enter, charge) need.
#include <cstdint>
#include <string_view>
#include <vector>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/htx/access_ticket.hpp"
#include "village/htx/source_buckets.hpp"
#include "village/htx/ticket_replays.hpp"

namespace village::htx {

/// TicketVerdict says what became of a ticket; each is a label of villaged_htx_tickets_total.
enum class TicketVerdict : std::uint8_t {
  accepted,
  malformed,     ///< length, base64url, version
  unknown_key,   ///< no ticket key with that id: an old invitation, or a guess
  no_pretag,     ///< was not made with our ticket key
  replayed,      ///< opened the door before
  rate_limited,  ///< too many failures from that network
  low_order,     ///< the client's key gives a zero secret
  wrong_tag,     ///< no hour matches: forged, or a clock more than an hour off
  stale,         ///< of an hour whose tickets are forgotten already: this node's clock was set back
  full,          ///< no memory for another accepted ticket
  count
};
std::string_view name(TicketVerdict verdict);
/// is_charged: replayed, low_order and wrong_tag cost the source's network a token. Not rate_limited, which
/// would keep a bucket empty for ever, nor what is our own trouble.
constexpr bool is_charged(TicketVerdict verdict) {
  return verdict == TicketVerdict::replayed || verdict == TicketVerdict::low_order ||
         verdict == TicketVerdict::wrong_tag;
}

struct TicketRules {
  bool pretag_required = true;
  BucketRules bucket;
  std::size_t replays_max = 262'144;
};

/// TicketKeys are the keys that are accepted now, the one to give to new peers first. Immutable once shared.
struct TicketKeys {
  std::vector<TicketSecret> secrets;  ///< at most limits::ticket_keys_max
  const TicketSecret* find(const TicketKeyId& id) const;
};

/// ExaminedTicket is what stands before the expensive step; `secret` points into the keys.
struct ExaminedTicket {
  TicketVerdict verdict = TicketVerdict::malformed;  ///< accepted = so far
  AccessTicket ticket;
  const TicketSecret* secret = nullptr;
};
/// examine_ticket does form, key and pre-tag; no state, any thread. 0.3 us for rubbish, 1 us else.
ExaminedTicket examine_ticket(std::string_view text, const TicketKeys& keys, bool pretag_required);

/// TicketGate keeps the two memories. One thread at a time.
class TicketGate {
 public:
  TicketGate(const TicketRules& rules, RandomSource& random);

  /// admit runs all steps; what one thread needs, and what tests use.
  TicketVerdict admit(std::string_view text, const TicketKeys& keys, SourcePrefix source, WallTime wall,
                      Instant now);

  /// look: seen before, or no token left? `accepted` = go on.
  TicketVerdict look(const AccessTicket& ticket, SourcePrefix source, std::uint64_t hour, Instant now);
  /// enter remembers a ticket whose tag matched `matched_hour`. accepted, replayed (a twin was faster), stale
  /// or full.
  TicketVerdict enter(const AccessTicket& ticket, std::uint64_t matched_hour);
  /// charge takes a token for a ticket that failed after its pre-tag was right.
  void charge(SourcePrefix source, Instant now) { buckets_.take(source, now); }
  /// verdict_of names the failure of verify_ticket.
  static TicketVerdict verdict_of(Error error);

  void set_rules(const TicketRules& rules);
  const TicketRules& rules() const { return rules_; }
  TicketReplays& replays() { return replays_; }
  const TicketReplays& replays() const { return replays_; }
  const SourceBuckets& buckets() const { return buckets_; }

 private:
  TicketRules rules_;
  TicketReplays replays_;
  SourceBuckets buckets_;
};

}  // namespace village::htx
