#pragma once
// TicketKeeper: the ticket keys of a running node: read or made at start, read again on reload, changed by
// age.
//
// Ages are told by the wall clock, which may be wrong for a while. Which keys are accepted follows it at
// once, forth and back. A key takes over by age only an hour after the clock last jumped (by an hour or more
// beside the monotonic clock), and one is deleted from the file only when there was no jump for a day of
// running.
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "village/control/server.hpp"
#include "village/service/ticket_desk.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::daemon {

/// TicketKeeper may be called on any thread, after open().
class TicketKeeper {
 public:
  /// `clock` outlives it.
  explicit TicketKeeper(const Clock& clock) : clock_{clock} {}

  /// open makes the desk if a listener asks for tickets. Returns a sentence for the operator; empty = fine.
  std::string open(const service::TunnelOptions& options);
  /// desk judges tickets; nullptr if nobody is asked for one.
  std::shared_ptr<service::TicketDesk> desk() const { return desk_; }
  /// reload takes changed options and a changed key file over; a file that cannot be read is logged, and the
  /// keys stay.
  void reload(const service::TunnelOptions& options);
  /// tick does what time alone asks for: rotation, the end of old keys, gauges, a line about old invitations.
  void tick();
  std::optional<control::TicketStatus> status() const;

 private:
  void take(service::TicketKeyring ring);
  void accept(WallTime now);
  void watch_clock(WallTime wall, Instant now);
  void rotate(WallTime now);
  void delete_ended(WallTime now);
  void report_unknown_keys();

  const Clock& clock_;
  std::shared_ptr<service::TicketDesk> desk_;
  mutable std::mutex mutex_;  ///< of all that follows
  service::TicketOptions options_;
  service::TicketKeyring ring_;  ///< as it stands in the file
  std::size_t accepted_ = 0;     ///< of its keys
  WallTime wall_seen_{};
  Instant seen_at_{}, steady_since_{};  ///< steady_since_: the start, or the last jump of the wall clock
  bool jumped_ = false;
  std::uint64_t unknown_keys_told_ = 0;
  Instant told_at_{};
};

}  // namespace village::daemon
