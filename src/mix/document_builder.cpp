#include "mix/document_builder.hpp"

#include <map>
#include <set>

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"

namespace village::mix {
namespace {

struct Listed {
  const SignedDescriptor* best = nullptr;
  bool equivocates = false;  ///< two good descriptors of the best's sequence number
  std::size_t votes = 0;
};

/// list adds what one vote says of one node.
void list(Listed& node, const SignedDescriptor& said) {
  ++node.votes;
  if (node.best == nullptr || said.descriptor.sequence > node.best->descriptor.sequence) {
    node.best = &said;
    node.equivocates = false;
  } else if (said.descriptor.sequence == node.best->descriptor.sequence) {
    node.equivocates = node.equivocates || said.descriptor != node.best->descriptor;
  }
}

template <class Value>
Value median(const std::vector<const Vote*>& votes, Value Parameters::*field) {
  std::vector<Value> values;
  for (const auto* vote : votes) values.push_back(vote->parameters.*field);
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

Parameters median_parameters(const std::vector<const Vote*>& votes) {
  Parameters out;
  out.delay_mean = median(votes, &Parameters::delay_mean);
  out.delay_max = median(votes, &Parameters::delay_max);
  out.client_mean = median(votes, &Parameters::client_mean);
  out.loop_mean = median(votes, &Parameters::loop_mean);
  out.drop_mean = median(votes, &Parameters::drop_mean);
  out.hops = median(votes, &Parameters::hops);
  out.profile = median(votes, &Parameters::profile);
  out.distinct_networks = median(votes, &Parameters::distinct_networks);
  return out;
}

std::map<wire::NodeId, Listed> listed_nodes(const std::vector<const Vote*>& votes, Epoch epoch) {
  std::map<wire::NodeId, Listed> out;
  std::map<wire::NodeId, SignedDescriptor> good;  // the last that verified: most votes say the same
  for (const auto* vote : votes) {
    for (const auto& said : vote->descriptors) {
      if (said.descriptor.sphinx_key(epoch) == nullptr) continue;
      const auto id = said.descriptor.id();
      const auto known = good.find(id);
      if (known == good.end() || known->second != said) {
        if (!verify(said)) continue;
        good.insert_or_assign(id, said);
      }
      list(out[id], said);
    }
  }
  return out;
}

}  // namespace

BuiltDocument build_document(const std::vector<const Vote*>& votes, const std::vector<ByteArray<32>>& numbers,
                             Epoch epoch, const Epochs& epochs) {
  VG_CHECK(!votes.empty());
  BuiltDocument out;
  auto& document = out.document;
  document.epoch = epoch;
  document.valid_from = epochs.start(epoch);
  document.valid_until = epochs.end(epoch);
  document.parameters = median_parameters(votes);
  auto sorted = numbers;
  std::sort(sorted.begin(), sorted.end());
  crypto::HashStream randomness{crypto::HashAlgorithm::sha256};
  for (const auto& number : sorted) randomness.update(number);
  const auto digest = randomness.finish();
  std::copy_n(digest.view().begin(), document.randomness.size(), document.randomness.begin());
  std::set<sphinx::NodeAddress> addresses;
  for (const auto& [id, node] : listed_nodes(votes, epoch)) {
    if (node.equivocates) out.equivocating_nodes.push_back(node.best->descriptor.key);
    if (node.equivocates || 2 * node.votes <= votes.size()) continue;
    if (document.nodes.size() == limits::nodes_max) break;
    if (addresses.insert(node.best->descriptor.mix_address).second) {
      document.nodes.push_back(node.best->descriptor);
    }
  }
  return out;
}

}  // namespace village::mix
