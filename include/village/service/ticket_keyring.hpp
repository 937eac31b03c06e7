#pragma once
// TicketKeyring: the node's ticket keys with their ages, and the file that holds them.
//
//   # comment
//   <key id, 11 base64url letters> <private key, 43 letters> <unix seconds when it was made>
//
// Newest first: the first is told to new peers, the others are accepted until they have been replaced for as
// long as the overlap says. What is accepted follows the clock, forth and back; what is deleted from the file
// is the owner's decision, for a clock may be wrong.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/error.hpp"
#include "village/base/time.hpp"
#include "village/htx/ticket_gate.hpp"

namespace village::service {

struct TicketKey {
  htx::TicketSecret secret;
  WallTime made{};
};

/// TicketKeyring is a value; what the desk uses is made by accepted().
class TicketKeyring {
 public:
  TicketKeyring() = default;
  explicit TicketKeyring(std::vector<TicketKey> keys) : keys_{std::move(keys)} {}

  /// parse reads the file's text. Errors: malformed (detail = line number), limit_exceeded (more than
  /// htx::limits::ticket_keys_max keys), already_exists (an id stands there twice; detail = line number).
  static Result<TicketKeyring> parse(std::string_view text);
  /// read reads the file. Errors: those of parse; io (detail = errno; ENOENT = none yet), denied (others than
  /// its owner can read it).
  static Result<TicketKeyring> read(const std::string& path);
  /// update reads the file under a lock that other processes respect, lets `change` have it (empty if there
  /// is none) and writes it if that returns true. Returns what stands there now. Errors: those of read,
  /// write; busy (others kept the lock for seconds).
  static Result<TicketKeyring> update(const std::string& path,
                                      const std::function<bool(TicketKeyring&)>& change);
  /// read_or_make reads the file, or makes it with one key if it is not there. Errors: those of update.
  static Result<TicketKeyring> read_or_make(const std::string& path, WallTime now);
  /// write puts the keys in the place of the file at once, mode 0600, synced; the owner of a file that was
  /// there stays, a new one gets that of its folder. Errors: io.
  Result<void> write(const std::string& path) const;

  /// rotate makes a new first key. Beyond ticket_keys_max the oldest goes; none goes by age.
  void rotate(WallTime now, RandomSource& random);
  /// accepted_count is how many keys, from the first on, have not been replaced for longer than `overlap`;
  /// the first always counts.
  std::size_t accepted_count(WallTime now, Duration overlap) const;
  /// prune drops keys replaced for longer than `overlap`, and what is too many; true if there were any.
  bool prune(WallTime now, Duration overlap);
  /// is_due tells whether the first key has reached that age; never with 0.
  bool is_due(WallTime now, Duration rotation) const;

  const std::vector<TicketKey>& keys() const { return keys_; }
  bool empty() const { return keys_.empty(); }
  /// accepted is what a TicketDesk takes: the first `count` keys.
  std::shared_ptr<const htx::TicketKeys> accepted(std::size_t count = SIZE_MAX) const;

 private:
  std::vector<TicketKey> keys_;
};

/// ticket_text and parse_ticket_public are the form of an invitation: "<key id>.<public key>" in base64url.
std::string ticket_text(const htx::TicketPublic& ticket);
Result<htx::TicketPublic> parse_ticket_public(std::string_view text);

}  // namespace village::service
