#pragma once
// SeenDirectory: what a node has seen of the directory, so that nobody can take it back to an older state.
#include <map>
#include <string>
#include <vector>

#include "village/mix/document.hpp"

namespace village::mix {

/// SeenDirectory remembers the digests of the newest documents and each node's highest sequence number. A
/// value; the service keeps its text on disk and replaces it before it uses a document. About 100 bytes a
/// node, at most limits::seen_nodes_max of them.
class SeenDirectory {
 public:
  /// check compares a verified document with what was seen. Errors, Errc::protocol with a DocumentFault:
  /// rolled_back (its epoch is lower than the newest's and it is none of those remembered, or a node in it
  /// has a lower sequence number than in an older document), contradicts (another digest for that epoch).
  Result<void> check(const Document& document) const;
  /// accept checks and remembers.
  Result<void> accept(const Document& document);

  /// newest is the highest epoch seen, 0 if none.
  Epoch newest() const { return documents_.empty() ? 0 : documents_.rbegin()->first; }

  /// to_json and parse are the canonical form on disk. Errors: those of parse_canonical_json and JsonReader.
  std::string to_json() const;
  static Result<SeenDirectory> parse(ByteView text);

 private:
  struct Node {
    std::uint64_t sequence;
    Epoch epoch;  ///< of the newest document it was in
  };
  static constexpr std::size_t documents_kept = 3;
  void forget_old_nodes();

  std::map<Epoch, ByteArray<32>> documents_;
  std::map<wire::NodeId, Node> nodes_;
};

}  // namespace village::mix
