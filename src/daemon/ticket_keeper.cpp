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
  ring_.prune(clock_.wall(), options_.overlap);
  desk_ = std::make_shared<service::TicketDesk>(options_, ring_.accepted(), clock_);
  told_at_ = clock_.now();
  return {};
}

void TicketKeeper::take(TicketKeyring ring) {
  ring_ = std::move(ring);
  desk_->set_keys(ring_.accepted());
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
  ring->prune(clock_.wall(), options_.overlap);
  take(*std::move(ring));
  VG_LOG(info, "htx", "ticket keys read count={} current={}", ring_.keys().size(),
         wire::base64url(ring_.keys().front().secret.open.id));
}

void TicketKeeper::tick() {
  if (!desk_) return;
  desk_->refresh();
  report_unknown_keys();
  const std::lock_guard lock{mutex_};
  const auto now = clock_.wall();
  if (ring_.is_due(now, options_.rotation)) {
    // Somebody may have rotated by hand since we read the file.
    auto ring = TicketKeyring::read_or_make(options_.key_path, now);
    if (ring && ring->is_due(now, options_.rotation)) {
      crypto::SystemRandom random;
      ring->rotate(now, options_.overlap, random);
      const auto written = ring->write(options_.key_path);
      if (!written) {
        VG_LOG(error, "htx", "ticket key not rotated path={} reason=\"{}\"", options_.key_path,
               describe(written.error()));
        return;
      }
      VG_LOG(info, "htx", "ticket key rotated current={} overlap_hours={}: invite peers again",
             wire::base64url(ring->keys().front().secret.open.id),
             std::chrono::duration_cast<std::chrono::hours>(options_.overlap).count());
    }
    if (ring) take(*std::move(ring));
  }
  if (ring_.prune(now, options_.overlap)) end_old_keys(now);
}

// The file is read again first: keys revoked by hand since we read it must not come back.
void TicketKeeper::end_old_keys(WallTime now) {
  VG_LOG(info, "htx", "ticket key ended: tickets of older invitations are refused from now on");
  desk_->set_keys(ring_.accepted());
  auto ring = TicketKeyring::read(options_.key_path);
  const bool readable = ring && !ring->empty();
  if (readable && ring->prune(now, options_.overlap)) {
    if (const auto written = ring->write(options_.key_path); !written)
      VG_LOG(warn, "htx", "ticket keys not written path={} reason=\"{}\"", options_.key_path,
             describe(written.error()));
  }
  if (readable) take(*std::move(ring));
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
  for (const auto& key : ring_.keys()) {
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
