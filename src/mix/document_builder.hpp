#pragma once
// build_document: from votes and reveals to the document, the same bytes wherever it is done.
#include "mix/authority_messages.hpp"

namespace village::mix {

/// BuiltDocument also names the nodes that were left out for signing twice.
struct BuiltDocument {
  Document document;
  std::vector<crypto::Ed25519Public> equivocating_nodes;
};

/// build_document takes one vote of each authority that counts, in any order, and their secret numbers.
/// Nodes: those that more than half of the votes list, with a good signature and a key for the epoch, each by
/// its highest sequence number; a node that signed two descriptors with that number is left out, and of nodes
/// of one mix address all but the one with the lowest id. Parameters: the lower median of each.
BuiltDocument build_document(const std::vector<const Vote*>& votes, const std::vector<ByteArray<32>>& numbers,
                             Epoch epoch, const Epochs& epochs);

}  // namespace village::mix
