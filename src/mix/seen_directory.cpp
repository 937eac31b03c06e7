#include "village/mix/seen_directory.hpp"

#include "mix/json_fields.hpp"

namespace village::mix {
namespace {

constexpr std::size_t file_bytes_max = 256 * limits::seen_nodes_max;
constexpr JsonLimits file_limits{file_bytes_max, 4, 4 * limits::seen_nodes_max + 64};
constexpr std::size_t name_bytes_max = 64;

Error fault(DocumentFault what) { return fail(Errc::protocol, static_cast<std::uint32_t>(what)); }

}  // namespace

Result<void> SeenDirectory::check(const Document& document) const {
  const auto known = documents_.find(document.epoch);
  if (known != documents_.end()) {
    if (known->second != digest(document)) return fault(DocumentFault::contradicts);
    return ok();
  }
  if (document.epoch < newest()) return fault(DocumentFault::rolled_back);
  for (const auto& node : document.nodes) {
    const auto seen = nodes_.find(node.id());
    if (seen != nodes_.end() && node.sequence < seen->second.sequence) {
      return fault(DocumentFault::rolled_back);
    }
  }
  return ok();
}

Result<void> SeenDirectory::accept(const Document& document) {
  VG_TRY_VOID(check(document));
  if (documents_.contains(document.epoch)) return ok();
  documents_[document.epoch] = digest(document);
  while (documents_.size() > documents_kept) documents_.erase(documents_.begin());
  for (const auto& node : document.nodes) {
    nodes_.insert_or_assign(node.id(), Node{node.sequence, document.epoch});
  }
  forget_old_nodes();
  return ok();
}

void SeenDirectory::forget_old_nodes() {
  while (nodes_.size() > limits::seen_nodes_max) {
    const auto oldest = std::min_element(nodes_.begin(), nodes_.end(), [](const auto& a, const auto& b) {
      return a.second.epoch < b.second.epoch;
    });
    nodes_.erase(oldest);
  }
}

std::string SeenDirectory::to_json() const {
  JsonValue::Array documents, nodes;
  for (const auto& [epoch, digest] : documents_) {
    documents.push_back({JsonValue::Object{{"digest", json_bytes(digest)}, {"epoch", json_integer(epoch)}}});
  }
  for (const auto& [id, node] : nodes_) {
    nodes.push_back({JsonValue::Object{{"epoch", json_integer(node.epoch)},
                                       {"id", {id.name()}},
                                       {"sequence", json_integer(node.sequence)}}});
  }
  return canonical_json(
      {JsonValue::Object{{"documents", {std::move(documents)}}, {"nodes", {std::move(nodes)}}}});
}

Result<SeenDirectory> SeenDirectory::parse(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, file_limits));
  JsonReader reader{value};
  const auto& documents = reader.array("documents", documents_kept);
  const auto& nodes = reader.array("nodes", limits::seen_nodes_max);
  VG_TRY_VOID(reader.finish());
  SeenDirectory out;
  for (const auto& item : documents) {
    JsonReader fields{item};
    const auto epoch = read_unsigned(fields, "epoch");
    fields.bytes("digest", out.documents_[epoch]);
    VG_TRY_VOID(fields.finish());
  }
  for (const auto& item : nodes) {
    JsonReader fields{item};
    const Node node{read_unsigned(fields, "sequence"), read_unsigned(fields, "epoch")};
    const auto& name = fields.text("id", name_bytes_max);
    VG_TRY_VOID(fields.finish());
    VG_TRY(id, wire::NodeId::parse(name));
    out.nodes_.insert_or_assign(id, node);
  }
  return out;
}

}  // namespace village::mix
