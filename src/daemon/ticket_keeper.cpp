#include "daemon/ticket_keeper.hpp"

#include "daemon/limits.hpp"
#include "daemon/process.hpp"
#include "village/base/log.hpp"
#include "village/crypto/random.hpp"
#include "village/wire/base64.hpp"

namespace village::daemon {

using service::TicketKeyring;

std::string TicketKeeper::open(const service::TunnelOptions& options) {
  if (!service::asks_tickets(options)) return {};
  const std::lock_guard lock{mutex_};
  options_ = options.tickets;
  auto ring = TicketKeyring::read_or_make(options_.key_path, clock_.wall());
  if (!ring) return options_.key_path + ": cannot use the ticket keys: " + describe(ring.error());
  ring_ = *std::move(ring);
  wall_seen_ = clock_.wall();
  told_at_ = seen_at_ = steady_since_ = clock_.now();
  accepted_ = ring_.accepted_count(wall_seen_, options_.overlap);
  desk_ = std::make_shared<service::TicketDesk>(options_, ring_.accepted(accepted_), clock_);
  return {};
}

void TicketKeeper::take(TicketKeyring ring) {
  ring_ = std::move(ring);
  accepted_ = 0;
  accept(clock_.wall());
}

/// accept has the desk take what the clock of now allows.
void TicketKeeper::accept(WallTime now) {
  const auto count = ring_.accepted_count(now, options_.overlap);
  const auto before = std::exchange(accepted_, count);
  if (count == before) return;
  desk_->set_keys(ring_.accepted(count));
  if (count < before)
    VG_LOG(info, "htx", "ticket key ended: tickets of older invitations are refused from now on");
}

void TicketKeeper::reload(const service::TunnelOptions& options) {
  if (!desk_) return;
  const std::lock_guard lock{mutex_};
  options_ = options.tickets;
  desk_->set_options(options_);
  auto ring = TicketKeyring::read_or_make(options_.key_path, clock_.wall());
  if (!ring) {
    VG_LOG(error, "htx", "ticket keys kept path={} reason=\"{}\"", options_.key_path, describe(ring.error()));
    return;
  }
  take(*std::move(ring));
  VG_LOG(info, "htx", "ticket keys read count={} current={}", ring_.keys().size(),
         wire::base64url(ring_.keys().front().secret.open.id));
}

void TicketKeeper::tick() {
  if (!desk_) return;
  desk_->refresh();
  report_unknown_keys();
  const std::lock_guard lock{mutex_};
  const auto wall = clock_.wall();
  const auto now = clock_.now();
  watch_clock(wall, now);
  const auto steady = now - steady_since_;
  if (ring_.is_due(wall, options_.rotation) && (!jumped_ || steady >= limits::ticket_rotate_after_jump))
    rotate(wall);
  accept(wall);
  if (accepted_ < ring_.keys().size() && steady >= limits::ticket_delete_steady) delete_ended(wall);
}

void TicketKeeper::watch_clock(WallTime wall, Instant now) {
  const auto step = (wall - wall_seen_) - (now - seen_at_);
  wall_seen_ = wall;
  seen_at_ = now;
  if (step < limits::wall_jump_min && step > -limits::wall_jump_min) return;
  steady_since_ = now;
  jumped_ = true;
  VG_LOG(info, "htx", "wall clock jumped seconds={}: ticket keys do not change by age for now",
         std::chrono::duration_cast<std::chrono::seconds>(step).count());
}

void TicketKeeper::rotate(WallTime now) {
  // Somebody may have rotated by hand since we read the file.
  bool rotated = false;
  auto ring = TicketKeyring::update(options_.key_path, [&](TicketKeyring& keys) {
    if (keys.empty() || !keys.is_due(now, options_.rotation)) return false;
    crypto::SystemRandom random;
    keys.rotate(now, random);
    return rotated = true;
  });
  if (!ring || ring->empty()) {
    VG_LOG(error, "htx", "ticket key not rotated path={} reason=\"{}\"", options_.key_path,
           ring ? "the file is empty" : describe(ring.error()));
    return;
  }
  take(*std::move(ring));
  if (!rotated) return;
  VG_LOG(info, "htx", "ticket key rotated current={} overlap_hours={}: invite peers again",
         wire::base64url(ring_.keys().front().secret.open.id),
         std::chrono::duration_cast<std::chrono::hours>(options_.overlap).count());
}

// Under the lock and from the file: keys revoked by hand since we read it must not come back.
void TicketKeeper::delete_ended(WallTime now) {
  auto ring = TicketKeyring::update(options_.key_path,
                                    [&](TicketKeyring& keys) { return keys.prune(now, options_.overlap); });
  if (ring && !ring->empty()) return take(*std::move(ring));
  VG_LOG(warn, "htx", "ended ticket keys not deleted path={}", options_.key_path);
  steady_since_ = clock_.now();  // not again for each tick
}

// A peer whose invitation is older than our keys looks like a stranger, to us and to itself: it gets what the
// cover site answers. This line is the operator's only hint.
void TicketKeeper::report_unknown_keys() {
  const auto now = clock_.now();
  const std::lock_guard lock{mutex_};
  if (now - told_at_ < limits::ticket_report_interval) return;
  told_at_ = now;
  const auto total = service::TicketDesk::judged(htx::TicketVerdict::unknown_key);
  if (const auto count = total - std::exchange(unknown_keys_told_, total); count != 0) {
    VG_LOG(info, "htx", "tickets of unknown keys count={} in the last hour: peers with an old invitation?",
           count);
  }
}

std::optional<control::TicketStatus> TicketKeeper::status() const {
  if (!desk_) return std::nullopt;
  const auto desk = desk_->status();
  const std::lock_guard lock{mutex_};
  const auto now = clock_.wall();
  control::TicketStatus status;
  status.remembered = desk.replays;
  status.sources = desk.sources;
  status.on_disk = desk.on_disk;
  for (std::size_t i = 0; i < accepted_; ++i) {
    const auto& key = ring_.keys()[i];
    const auto& id = key.secret.open.id;
    control::TicketStatus::Key row{wire::base64url(id), now - key.made, 0, std::nullopt};
    for (const auto& use : desk.keys) {
      if (use.id != id) continue;
      row.accepted = use.accepted;
      row.since_last = now - use.last;
    }
    status.keys.push_back(std::move(row));
  }
  return status;
}

}  // namespace village::daemon
