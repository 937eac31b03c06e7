#include "village/htx/ticket_gate.hpp"

#include <algorithm>

#include "village/base/limits.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

constexpr village::limits::Row rows[] = {
    {"htx", "ticket_keys_max", limits::ticket_keys_max, sizeof(TicketSecret),
     "current ticket key and former ones that are still accepted"},
    {"htx", "ticket_replays_max", limits::ticket_replays_max, 56,
     "the most that tickets.replays_max may say: tickets accepted within two to three hours"},
    {"htx", "ticket_sources_max", limits::ticket_sources_max, 18,
     "networks whose bad tickets are counted; others share a bucket for each group of 8"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

}  // namespace

std::string_view name(TicketVerdict verdict) {
  switch (verdict) {
    case TicketVerdict::accepted:
      return "accepted";
    case TicketVerdict::malformed:
      return "malformed";
    case TicketVerdict::unknown_key:
      return "unknown_key";
    case TicketVerdict::no_pretag:
      return "no_pretag";
    case TicketVerdict::replayed:
      return "replayed";
    case TicketVerdict::rate_limited:
      return "rate_limited";
    case TicketVerdict::low_order:
      return "low_order";
    case TicketVerdict::wrong_tag:
      return "wrong_tag";
    case TicketVerdict::stale:
      return "stale";
    case TicketVerdict::full:
      return "full";
    case TicketVerdict::count:
      break;
  }
  return "other";
}

const TicketSecret* TicketKeys::find(const TicketKeyId& id) const {
  const auto found = std::find_if(secrets.begin(), secrets.end(),
                                  [&id](const TicketSecret& secret) { return secret.open.id == id; });
  return found == secrets.end() ? nullptr : &*found;
}

ExaminedTicket examine_ticket(std::string_view text, const TicketKeys& keys, bool pretag_required) {
  ExaminedTicket examined;
  const auto ticket = parse_ticket(text);
  if (!ticket) return examined;
  examined.ticket = *ticket;
  examined.secret = keys.find(ticket->key_id);
  if (examined.secret == nullptr) {
    examined.verdict = TicketVerdict::unknown_key;
  } else if (pretag_required && !has_pretag(*ticket, examined.secret->open)) {
    examined.verdict = TicketVerdict::no_pretag;
  } else {
    examined.verdict = TicketVerdict::accepted;
  }
  return examined;
}

TicketGate::TicketGate(const TicketRules& rules, RandomSource& random)
    : rules_{rules},
      replays_{std::min(rules.replays_max, limits::ticket_replays_max), random},
      buckets_{rules.bucket, limits::ticket_sources_max, random} {}

TicketVerdict TicketGate::admit(std::string_view text, const TicketKeys& keys, SourcePrefix source,
                                WallTime wall, Instant now) {
  const auto examined = examine_ticket(text, keys, rules_.pretag_required);
  if (examined.verdict != TicketVerdict::accepted) return examined.verdict;
  const auto hour = ticket_hour(wall);
  auto verdict = look(examined.ticket, source, hour, now);
  if (verdict == TicketVerdict::rate_limited) return verdict;
  if (verdict == TicketVerdict::accepted) {
    const auto matched = verify_ticket(examined.ticket, *examined.secret, hour);
    verdict = matched ? enter(examined.ticket, *matched) : verdict_of(matched.error());
  }
  if (is_charged(verdict)) charge(source, now);
  return verdict;
}

TicketVerdict TicketGate::look(const AccessTicket& ticket, SourcePrefix source, std::uint64_t hour,
                               Instant now) {
  replays_.drop_expired(hour);
  if (!buckets_.has_token(source, now)) return TicketVerdict::rate_limited;
  return replays_.contains(ticket.tag) ? TicketVerdict::replayed : TicketVerdict::accepted;
}

TicketVerdict TicketGate::enter(const AccessTicket& ticket, std::uint64_t matched_hour) {
  switch (replays_.take({ticket.tag, matched_hour})) {
    case TicketReplays::Taken::added:
      return TicketVerdict::accepted;
    case TicketReplays::Taken::repeated:
      return TicketVerdict::replayed;
    case TicketReplays::Taken::stale:
      return TicketVerdict::stale;
    case TicketReplays::Taken::full:
      break;
  }
  return TicketVerdict::full;
}

TicketVerdict TicketGate::verdict_of(Error error) {
  return error.code == Errc::bad_key ? TicketVerdict::low_order : TicketVerdict::wrong_tag;
}

void TicketGate::set_rules(const TicketRules& rules) {
  rules_ = rules;
  replays_.set_entries_max(std::min(rules.replays_max, limits::ticket_replays_max));
  buckets_.set_rules(rules.bucket);
}

}  // namespace village::htx
