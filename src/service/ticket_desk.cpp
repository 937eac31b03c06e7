#include "village/service/ticket_desk.hpp"

#include <variant>

#include "service/ticket_metrics.hpp"
#include "village/crypto/random.hpp"

namespace village::service {

using htx::TicketVerdict;

namespace {

htx::TicketGate make_gate(const htx::TicketRules& rules) {
  crypto::SystemRandom random;
  return {rules, random};
}

htx::SourcePrefix prefix_of(const net::Ip& ip) {
  return std::visit([](const auto& address) { return htx::source_prefix(address); }, ip);
}

}  // namespace

TicketDesk::TicketDesk(const TicketOptions& options, Keys keys, const Clock& clock)
    : clock_{clock},
      keys_{std::move(keys)},
      pretag_required_{options.rules.pretag_required},
      gate_{make_gate(options.rules)} {}

TicketDesk::~TicketDesk() = default;

Result<void> TicketDesk::admit(std::string_view ticket_text, const net::Ip& from) {
  const auto verdict = judge(ticket_text, from);
  ticket_metrics::judged(verdict);
  if (verdict != TicketVerdict::accepted) return fail(Errc::denied, static_cast<std::uint64_t>(verdict));
  return ok();
}

TicketVerdict TicketDesk::judge(std::string_view ticket_text, const net::Ip& from) {
  std::unique_lock lock{mutex_};
  const auto keys = keys_;
  const bool pretag_required = pretag_required_;
  lock.unlock();
  const auto examined = htx::examine_ticket(ticket_text, *keys, pretag_required);
  if (examined.verdict != TicketVerdict::accepted) return examined.verdict;

  const auto source = prefix_of(from);
  const auto now = clock_.now();
  const auto hour = htx::ticket_hour(clock_.wall());
  lock.lock();
  auto verdict = gate_.look(examined.ticket, source, hour, now);
  lock.unlock();
  if (verdict == TicketVerdict::rate_limited) return verdict;
  Result<std::uint64_t> matched = fail(Errc::bad_tag);
  if (verdict == TicketVerdict::accepted) {
    matched = htx::verify_ticket(examined.ticket, *examined.secret, hour);
    if (!matched) verdict = htx::TicketGate::verdict_of(matched.error());
  }

  lock.lock();
  if (matched) verdict = gate_.enter(examined.ticket, *matched);
  if (htx::is_charged(verdict)) gate_.charge(source, now);
  return verdict;
}

void TicketDesk::set_keys(Keys keys) {
  const std::lock_guard lock{mutex_};
  keys_.swap(keys);
}

void TicketDesk::set_options(const TicketOptions& options) {
  const std::lock_guard lock{mutex_};
  pretag_required_ = options.rules.pretag_required;
  gate_.set_rules(options.rules);
}

TicketDesk::Keys TicketDesk::keys() const {
  const std::lock_guard lock{mutex_};
  return keys_;
}

}  // namespace village::service
