#include "village/service/ticket_desk.hpp"

#include <algorithm>
#include <variant>

#include "service/replay_file.hpp"
#include "service/ticket_metrics.hpp"
#include "village/base/log.hpp"
#include "village/crypto/random.hpp"
#include "village/service/tunnel_limits.hpp"

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
      gate_{make_gate(options.rules)},
      replay_path_{options.replay_path} {
  if (replay_path_.empty()) return;
  if (const auto kept = keep_on_disk(); !kept) {
    VG_LOG(error, "htx", "ticket replay file path={} errno={}: a restart will forget which tickets were used",
           replay_path_, kept.error().detail);
  }
  show(0);
}

TicketDesk::~TicketDesk() {
  ticket_metrics::replays.sub(static_cast<std::int64_t>(replays_shown_));
  ticket_metrics::sources.sub(static_cast<std::int64_t>(sources_shown_));
}

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
  if (matched) verdict = enter(examined.ticket, *matched);
  if (htx::is_charged(verdict)) gate_.charge(source, now);
  return verdict;
}

// In the file before anybody is told: what the file cannot take is still refused until the process ends.
TicketVerdict TicketDesk::enter(const htx::AccessTicket& ticket, std::uint64_t hour) {
  const auto verdict = gate_.enter(ticket, hour);
  if (verdict != TicketVerdict::accepted) return verdict;
  note_use(ticket.key_id);
  if (file_ == nullptr) return verdict;
  if (!file_->append({ticket.tag, hour}, gate_.replays())) {
    ticket_metrics::file_errors.add();
    behind_ = true;
  }
  return verdict;
}

/// keep_on_disk brings the file up to date, or begins it: what stands there already is taken over first.
Result<void> TicketDesk::keep_on_disk() {
  behind_ = true;
  retry_at_ = clock_.now() + limits::replay_file_retry;
  auto kept = Result<void>{ok()};
  if (file_ != nullptr) {
    kept = file_->rewrite(gate_.replays());
  } else {
    auto opened = ReplayFile::open(replay_path_, gate_.replays(), htx::ticket_hour(clock_.wall()));
    if (opened) {
      file_ = std::make_unique<ReplayFile>(*std::move(opened));
    } else {
      kept = opened.error();
    }
  }
  if (!kept) {
    ticket_metrics::file_errors.add();
    return kept;
  }
  behind_ = false;
  return kept;
}

void TicketDesk::note_use(const htx::TicketKeyId& id) {
  auto use = std::find_if(uses_.begin(), uses_.end(), [&id](const KeyUse& each) { return each.id == id; });
  if (use == uses_.end()) {
    std::erase_if(uses_, [this](const KeyUse& each) { return keys_->find(each.id) == nullptr; });
    uses_.push_back({id, 0, {}});
    use = uses_.end() - 1;
  }
  ++use->accepted;
  use->last = clock_.wall();
}

void TicketDesk::refresh() {
  const std::lock_guard lock{mutex_};
  gate_.replays().drop_expired(htx::ticket_hour(clock_.wall()));
  show(gate_.buckets().charged(clock_.now()));
  if (!behind_ || clock_.now() < retry_at_) return;
  if (keep_on_disk()) VG_LOG(info, "htx", "ticket replay file is whole again path={}", replay_path_);
}

void TicketDesk::show(std::size_t sources) {
  const auto entries = gate_.replays().entries().size();
  ticket_metrics::replays.add(static_cast<std::int64_t>(entries) - static_cast<std::int64_t>(replays_shown_));
  ticket_metrics::sources.add(static_cast<std::int64_t>(sources) - static_cast<std::int64_t>(sources_shown_));
  replays_shown_ = entries;
  sources_shown_ = sources;
}

std::uint64_t TicketDesk::judged(TicketVerdict verdict) { return ticket_metrics::judged_total(verdict); }

TicketDesk::Status TicketDesk::status() const {
  const std::lock_guard lock{mutex_};
  return {gate_.replays().entries().size(), gate_.buckets().charged(clock_.now()),
          file_ != nullptr && !behind_, uses_};
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
