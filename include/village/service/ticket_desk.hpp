#pragma once
// TicketDesk: where the cores of a node have access tickets judged. Owns the ticket keys in use, the buckets
// and the memory of accepted tickets, also on disk.
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/time.hpp"
#include "village/htx/ticket_gate.hpp"
#include "village/net/address.hpp"
#include "village/service/ticket_options.hpp"

namespace village::service {

class ReplayFile;

/// TicketDesk is one for the node; admit and the setters may be called on any thread. The mutex guards table
/// look-ups and a write of 40 bytes; base64, hashes and X25519 run outside it.
class TicketDesk {
 public:
  using Keys = std::shared_ptr<const htx::TicketKeys>;

  /// Reads the replay file, if options name one; when it cannot be kept, that is logged and counted, and
  /// tickets are remembered in memory only. `clock` outlives the desk.
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

  /// refresh brings the gauges up to date that change by time alone, and tries again to keep a replay file
  /// that failed. Now and then.
  void refresh();
  /// KeyUse tells whether peers still come by a key.
  struct KeyUse {
    htx::TicketKeyId id{};
    std::uint64_t accepted = 0;
    WallTime last{};
  };
  struct Status {
    std::size_t replays = 0;   ///< accepted tickets remembered
    std::size_t sources = 0;   ///< networks whose bucket is not full
    bool on_disk = false;      ///< the replay file is kept, and holds every ticket of `replays`
    std::vector<KeyUse> keys;  ///< since start; keys that were never used are not there
  };
  Status status() const;
  /// judged is how many tickets of the process had that verdict.
  static std::uint64_t judged(htx::TicketVerdict verdict);

 private:
  htx::TicketVerdict judge(std::string_view ticket_text, const net::Ip& from);
  Result<void> keep_on_disk();
  htx::TicketVerdict enter(const htx::AccessTicket& ticket, std::uint64_t hour);
  void note_use(const htx::TicketKeyId& id);
  void show(std::size_t sources);

  const Clock& clock_;
  mutable std::mutex mutex_;  ///< of all that follows
  Keys keys_;
  bool pretag_required_;
  htx::TicketGate gate_;
  const std::string replay_path_;
  std::unique_ptr<ReplayFile> file_;  ///< null = none
  bool behind_ = false;               ///< the file lacks a ticket, or could not be made
  Instant retry_at_{};
  std::vector<KeyUse> uses_;  ///< one for each key there was, at most ticket_keys_max
  std::size_t replays_shown_ = 0, sources_shown_ = 0;
};

}  // namespace village::service
