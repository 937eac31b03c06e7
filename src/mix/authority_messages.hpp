#pragma once
// What authorities say to each other. Formats: docs/protocols/mix.md section 3.
#include <string>
#include <variant>
#include <vector>

#include "mix/document_fields.hpp"

namespace village::mix {

struct Vote {
  crypto::Ed25519Public authority{};
  Epoch epoch = 0;
  ByteArray<32> commit{};
  Parameters parameters;
  std::vector<SignedDescriptor> descriptors;  ///< sorted by id
};

struct Reveal {
  crypto::Ed25519Public authority{};
  Epoch epoch = 0;
  ByteArray<32> number{};
};

/// commit_of binds a secret number to its author and epoch.
ByteArray<32> commit_of(const Reveal& reveal);

struct Statement {
  std::variant<Vote, Reveal> content;
  bool is_vote() const { return std::holds_alternative<Vote>(content); }
  Epoch epoch() const;
  const crypto::Ed25519Public& author() const;
};

struct Endorsement {
  crypto::Ed25519Public authority{};
  crypto::Ed25519Signature signature{};
};

/// EndorsedStatement: a statement and those who say that they have seen it, the author among them.
struct EndorsedStatement {
  Statement statement;
  ByteArray<32> digest{};                 ///< SHA-256 of the canonical statement
  std::vector<Endorsement> endorsements;  ///< sorted by authority
};

EndorsedStatement endorsed(Statement statement);  ///< by nobody yet
/// endorse adds a signature, unless that authority's is there.
void endorse(EndorsedStatement& statement, const crypto::Ed25519KeyPair& authority);
/// keep_good_endorsements drops all endorsements but those of authorities with good signatures, so that none
/// stands in the way of an honest one when it is passed on, and counts what is left; 0 if the author's is not
/// among them.
std::size_t keep_good_endorsements(EndorsedStatement& statement, const AuthoritySet& authorities);
std::string to_json(const EndorsedStatement& statement);
Result<EndorsedStatement> parse_endorsed_statement(ByteView text);

/// SignatureEntry is an authority's signature of a document. The seal binds it to the epoch, so that an old
/// signature cannot be shown as a second one of another epoch.
struct SignatureEntry {
  crypto::Ed25519Public authority{};
  Epoch epoch = 0;
  ByteArray<32> digest{};
  crypto::Ed25519Signature signature{};
  crypto::Ed25519Signature seal{};
};
SignatureEntry sign_entry(Epoch epoch, const ByteArray<32>& digest, const crypto::Ed25519KeyPair& authority);
[[nodiscard]] bool verify(const SignatureEntry& entry);
std::string to_json(const std::vector<SignatureEntry>& entries);
Result<std::vector<SignatureEntry>> parse_signature_entries(ByteView text);

}  // namespace village::mix
