#pragma once
// Document: what all nodes of a mixnet agree on for one epoch, signed by t of n authorities. Formats:
// docs/protocols/mix.md section 3.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/mix/descriptor.hpp"

namespace village::mix {

/// AuthoritySet is who may sign documents: configuration of every node, the same everywhere.
struct AuthoritySet {
  std::vector<crypto::Ed25519Public> keys;
  std::size_t threshold = 0;  ///< t: how many of them must sign
  bool holds(const crypto::Ed25519Public& key) const;
};
/// check: 1 to 9 distinct keys, and more than half of them as threshold (two documents of one epoch could
/// both be signed otherwise). More than two thirds resists authorities that sign twice. Errors: bad_argument.
Result<void> check(const AuthoritySet& authorities);
/// threshold_of is the threshold to choose for n authorities: more than two thirds.
constexpr std::size_t threshold_of(std::size_t authorities) { return 2 * authorities / 3 + 1; }

/// Parameters are equal for all, so that nobody stands out by his own.
struct Parameters {
  Duration delay_mean = std::chrono::milliseconds{50};   ///< of one hop
  Duration delay_max = std::chrono::seconds{10};         ///< of one hop
  Duration client_mean = std::chrono::milliseconds{20};  ///< between packets of a client's stream (lambda_P)
  Duration loop_mean = std::chrono::milliseconds{200};   ///< between loop packets; 0 = none
  Duration drop_mean = std::chrono::milliseconds{200};   ///< between drop packets; 0 = none
  std::size_t hops = 4;  ///< of a path, the recipient's gateway included; 1 to 5
  std::string profile = "n2048";
  /// No two hops of a path in one /16 (IPv4) or /32 (IPv6). Off for networks on one machine or in one rack.
  bool distinct_networks = true;
  friend bool operator==(const Parameters&, const Parameters&) = default;
};

/// Document is a value; the node list is sorted by id, no two of one mix address.
struct Document {
  Epoch epoch = 0;
  WallTime valid_from{}, valid_until{};  ///< whole milliseconds
  Parameters parameters;
  ByteArray<32> randomness{};     ///< SHA-256 over the sorted reveals of the authorities
  std::vector<Descriptor> nodes;  ///< each with a Sphinx key for this epoch
  friend bool operator==(const Document&, const Document&) = default;
};

/// document_text is the signed object in canonical bytes. Needs a document that parse_document would accept.
std::string document_text(const Document& document);
Result<Document> parse_document_value(const JsonValue& value);

struct DocumentSignature {
  crypto::Ed25519Public authority{};
  crypto::Ed25519Signature signature{};
  friend bool operator==(const DocumentSignature&, const DocumentSignature&) = default;
};

/// SignedDocument is what is published: {"document": {...}, "signatures": [...]}.
struct SignedDocument {
  Document document;
  std::vector<DocumentSignature> signatures;  ///< up to 16, sorted by authority; one may stand there twice
  friend bool operator==(const SignedDocument&, const SignedDocument&) = default;
};

std::string to_json(const SignedDocument& signed_document);
/// parse_signed_document reads the canonical bytes; nothing of the signatures or dates is judged. Errors:
/// those of parse_canonical_json; malformed (a rule of Document is broken). About 15 ms for 1,000 nodes.
Result<SignedDocument> parse_signed_document(ByteView text);

/// digest identifies a document: SHA-256 of its canonical bytes.
ByteArray<32> digest(const Document& document);
/// sign signs "villaged-mixdir-v1" | digest.
DocumentSignature sign(const ByteArray<32>& digest, const crypto::Ed25519KeyPair& authority);
[[nodiscard]] bool verify(const ByteArray<32>& digest, const DocumentSignature& signature);

/// DocumentFault says why a document does not hold; it is the detail of an Error with Errc::protocol.
enum class DocumentFault : std::uint32_t {
  wrong_epoch = 1,  ///< it is of another epoch than was asked for
  other_epochs,     ///< its dates do not fit the configured length of epochs
  not_yet_valid,
  expired,
  rolled_back,  ///< older than what was seen (SeenDirectory)
  contradicts,  ///< another one of the same epoch was seen (SeenDirectory)
};

/// verify_signatures: t of n good signatures of configured authorities, each counted once; others are
/// ignored. Errors: bad_signature (detail = how many counted).
Result<void> verify_signatures(const SignedDocument& signed_document, const AuthoritySet& authorities);
/// verify_dates: of the epoch asked for and fitting the division of time, whatever the clock says.
Result<void> verify_dates(const Document& document, Epoch epoch, const Epochs& epochs);
/// verify_now: inside its dates, or within `early` before them. Packets may be made and forwarded by it.
Result<void> verify_now(const Document& document, WallTime now, Duration early = Duration{0});

/// directory_problem says in one sentence what an Error of parsing, verifying or choosing paths means.
std::string directory_problem(const Error& error);

}  // namespace village::mix
