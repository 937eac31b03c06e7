#pragma once
// AuthorityRound: how the document of one epoch comes about at one authority.
#include <map>
#include <optional>
#include <set>

#include "mix/document_builder.hpp"
#include "village/mix/authority.hpp"

namespace village::mix {

class AuthorityRound {
 public:
  /// Until begin() it listens only.
  AuthorityRound(const AuthorityOptions& options, const crypto::Ed25519KeyPair& key, Epoch epoch);

  /// begin makes the own vote.
  void begin(std::vector<SignedDescriptor> descriptors, RandomSource& random);
  /// on_statement: errors denied (too late, or too few endorsements for that), bad_signature.
  Result<void> on_statement(EndorsedStatement statement, std::int64_t slot);
  Result<void> on_signature(const SignatureEntry& entry, std::int64_t slot);
  /// enter_slot does what is due when a slot begins; slots() = the end. In order, none twice.
  void enter_slot(std::size_t slot);

  const AuthoritySchedule& schedule() const { return schedule_; }
  std::size_t next_slot() const { return next_slot_; }
  /// result is the document, once the last slot is over and t agreed.
  const std::optional<SignedDocument>& result() const { return result_; }

  std::vector<AuthorityMessage> messages;
  std::vector<AuthorityReport> reports;
  /// counted_votes are those of authorities that voted once; settled when the reveals begin.
  std::vector<const Vote*> counted_votes() const;

 private:
  /// Heard is what one author said: one statement counts, two are proof against him.
  struct Heard {
    std::vector<EndorsedStatement> votes, reveals;
    std::vector<SignatureEntry> signatures;
  };
  const EndorsedStatement* only_vote(const crypto::Ed25519Public& author) const;
  void send(AuthorityMessage::Kind kind, std::string text);
  void report(AuthorityReport::Kind kind, const crypto::Ed25519Public& who);
  void pass_on(EndorsedStatement& statement);
  void accept(std::vector<EndorsedStatement>& heard, EndorsedStatement statement);
  void settle_votes();
  void settle_reveals_and_sign();
  void tell_signatures();
  void conclude();

  const AuthorityOptions& options_;
  const crypto::Ed25519KeyPair& key_;
  Epoch epoch_;
  AuthoritySchedule schedule_;
  std::size_t next_slot_ = 0;
  Reveal own_reveal_;
  bool takes_part_ = false;
  std::map<crypto::Ed25519Public, Heard> heard_;
  std::set<std::pair<AuthorityReport::Kind, crypto::Ed25519Public>> reported_;
  std::optional<Document> document_;
  ByteArray<32> digest_{};
  std::optional<SignedDocument> result_;
};

}  // namespace village::mix
