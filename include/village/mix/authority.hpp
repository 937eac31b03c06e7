#pragma once
// Authority: one of the n that make the directory, without sockets. Source: decisions/mix, Directory; docs/
// decisions/009; the broadcast is that of Dolev and Strong (1983).
//
// For each epoch that begins at S (length L), with f = n - t authorities that may be bad and R = f + 1
// rounds:
//
//   .. S - L/4           collect descriptors of nodes
//   R slots   vote       each says which descriptors it has, its parameters, and SHA-256 of a secret number
//   R slots   reveal     each says its secret number
//   1 slot    signature  each makes the document from all votes and reveals and signs it
//   1 slot    echo       each tells all signatures it has seen
//   S - L/10             publish, if t signed the same document
//
// A vote or reveal counts when it came in slot r with the signatures of r authorities, and is then signed and
// passed on: so either all good authorities count it or none does, and one that says two things to two others
// is found out by all. Clocks must agree within half a slot, messages arrive within one.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/document.hpp"

namespace village::mix {

struct AuthorityOptions {
  AuthoritySet authorities;  ///< this one too
  Epochs epochs;             ///< length in whole milliseconds, a second at least
  Parameters parameters;     ///< what it votes for; the median of all votes is taken
  /// admitted are the nodes whose descriptors it takes. A node must be in more than half of the votes.
  std::vector<wire::NodeId> admitted;
  /// open: it takes those of others too, each from the address that it names, a few of one network
  /// (open_network_nodes_max; not without parameters.distinct_networks), and none that claims more than
  /// open_capacity_pps_max. Without it, and with nobody admitted, the directory stays empty.
  bool open = false;
};

/// AuthorityReport is something an operator should know.
struct AuthorityReport {
  enum class Kind : std::uint8_t {
    two_votes,       ///< an authority voted twice: its votes do not count
    two_reveals,     ///< it revealed two numbers: none counts
    wrong_reveal,    ///< its number is not the one it was bound to
    two_signatures,  ///< it signed two documents: neither counts
    missing_vote,    ///< nothing came of it in time
    missing_reveal,
    missing_signature,
    other_document,    ///< it signed another document than this one made
    node_equivocates,  ///< a node signed two descriptors with one sequence number: left out until a higher
                       ///< one
    no_document,       ///< fewer than t agreed: this authority publishes none for the epoch
  };
  Kind kind;
  Epoch epoch;
  crypto::Ed25519Public who{};  ///< the authority or node
};
std::string_view name(AuthorityReport::Kind kind);

/// AuthorityMessage is for another authority; sending it again does no harm.
struct AuthorityMessage {
  enum class Kind : std::uint8_t { statement, signatures };  ///< statement: a vote or a reveal
  Kind kind;
  Epoch epoch;  ///< worth nothing after that epoch has begun
  crypto::Ed25519Public to{};
  std::shared_ptr<const std::string> text;  ///< at most limits::statement_bytes_max
};

/// Authority is a state machine: time and input in, messages and documents out. Single thread. What others
/// can make it keep: nodes_max descriptors, and two votes, reveals and signatures of each authority.
class Authority {
 public:
  /// Takes valid options (check(); the key is one of the authorities'). `random` must outlive it. Rounds
  /// whose votes began before the first advance() are left out: what it said in them before a restart is not
  /// known.
  Authority(AuthorityOptions options, const crypto::Ed25519KeyPair& key, RandomSource& random);
  ~Authority();

  /// on_descriptor takes what a node sent, `from` its IP address, as far as that is proven (by TCP).
  /// Errors: those of parse_signed_descriptor; bad_signature, denied (not admitted; or open, but `from` is
  /// not its mix address, or it claims too much), replayed (a lower sequence number than seen),
  /// already_exists (two of one sequence number, or another node holds its address), timed_out (its keys are
  /// of the past), unsupported (of a far future), busy (there is no place for strangers, or none for more of
  /// its network).
  Result<void> on_descriptor(ByteView text, const std::optional<Host>& from, WallTime now);
  /// on_statement and on_signatures take what an authority sent. Errors: those of parsing; denied (not of the
  /// round under way, or too late), bad_signature.
  Result<void> on_statement(ByteView text, WallTime now);
  Result<void> on_signatures(ByteView text, WallTime now);
  /// advance does what is due. Call it at least at next_time(); clocks may jump: what was missed is missed.
  void advance(WallTime now);
  /// next_time is when advance() has something to do.
  WallTime next_time(WallTime now) const;

  /// take_messages gives what is to be sent, once. Write memory() to disk first.
  std::vector<AuthorityMessage> take_messages();
  std::vector<AuthorityReport> take_reports();

  /// published gives the text of a signed document of this or the last limits::documents_kept - 1 epochs,
  /// null if there is none.
  std::shared_ptr<const std::string> published(Epoch epoch) const;
  /// adopt takes a document that others published. Errors: those of verify_signatures and verify_dates.
  Result<void> adopt(const SignedDocument& signed_document);

  /// memory is what must survive a restart, in canonical JSON; memory_version changes when it does.
  std::string memory() const;
  std::uint64_t memory_version() const;
  /// restore takes it back before the first advance(). Errors: those of parsing.
  Result<void> restore(ByteView text);

  std::size_t descriptors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// AuthoritySchedule is when things happen for one epoch.
struct AuthoritySchedule {
  std::size_t rounds;  ///< R
  WallTime collect_end, publish;
  Duration slot;
  AuthoritySchedule(const AuthoritySet& authorities, const Epochs& epochs, Epoch epoch);
  std::size_t slots() const { return 2 * rounds + 2; }
  /// slot_at is the slot of a moment, counted from 0; -1 up to one slot before the first, -2 earlier.
  std::int64_t slot_at(WallTime now) const;
  WallTime start_of(std::size_t slot_index) const {
    return collect_end + slot * static_cast<Duration::rep>(slot_index);
  }
};

}  // namespace village::mix
