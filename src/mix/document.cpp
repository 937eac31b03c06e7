#include "village/mix/document.hpp"

#include <set>

#include "mix/document_fields.hpp"
#include "mix/json_fields.hpp"
#include "village/crypto/hash.hpp"
#include "village/sphinx/limits.hpp"

namespace village::mix {
namespace {

constexpr std::string_view document_domain = "villaged-mixdir-v1";
constexpr std::string_view document_type = "villaged-mix-document-1";
constexpr std::size_t profile_bytes_max = 16;
constexpr JsonLimits signed_limits{limits::document_bytes_max, limits::directory_depth_max,
                                   limits::document_values_max};

JsonValue nanoseconds(Duration duration) { return {std::int64_t{duration.count()}}; }
Duration read_duration(JsonReader& reader, std::string_view name, std::int64_t low) {
  return Duration{reader.integer(name, low, static_cast<std::int64_t>(limits::delay_max_ns))};
}

JsonValue milliseconds(WallTime time) {
  const auto since = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  return {std::int64_t{since.count()}};
}
WallTime read_time(JsonReader& reader, std::string_view name) {
  constexpr std::int64_t high = std::int64_t{1} << 42;  // the year 2109; fits in 64 bits of nanoseconds
  return WallTime{std::chrono::milliseconds{reader.integer(name, 0, high)}};
}

void write_parameters(JsonValue::Object& out, const Parameters& parameters) {
  out.push_back({"client_mean_ns", nanoseconds(parameters.client_mean)});
  out.push_back({"delay_max_ns", nanoseconds(parameters.delay_max)});
  out.push_back({"delay_mean_ns", nanoseconds(parameters.delay_mean)});
  out.push_back({"distinct_networks", {parameters.distinct_networks}});
  out.push_back({"drop_mean_ns", nanoseconds(parameters.drop_mean)});
  out.push_back({"hops", json_integer(parameters.hops)});
  out.push_back({"loop_mean_ns", nanoseconds(parameters.loop_mean)});
  out.push_back({"profile", {parameters.profile}});
}

}  // namespace

JsonValue parameters_value(const Parameters& parameters) {
  JsonValue::Object out;
  write_parameters(out, parameters);
  return {std::move(out)};
}

void read_parameters(JsonReader& reader, Parameters& out) {
  out.client_mean = read_duration(reader, "client_mean_ns", 1);
  out.delay_max = read_duration(reader, "delay_max_ns", 1);
  out.delay_mean = read_duration(reader, "delay_mean_ns", 1);
  out.distinct_networks = reader.boolean("distinct_networks");
  out.drop_mean = read_duration(reader, "drop_mean_ns", 0);
  out.hops = static_cast<std::size_t>(reader.integer("hops", 1, sphinx::limits::hops_max));
  out.loop_mean = read_duration(reader, "loop_mean_ns", 0);
  out.profile = reader.text("profile", profile_bytes_max);
  reader.require(!out.profile.empty());
}

bool AuthoritySet::holds(const crypto::Ed25519Public& key) const {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

Result<void> check(const AuthoritySet& authorities) {
  const auto count = authorities.keys.size();
  const std::set<crypto::Ed25519Public> distinct{authorities.keys.begin(), authorities.keys.end()};
  if (count == 0 || count > limits::authorities_max || distinct.size() != count) {
    return fail(Errc::bad_argument, count);
  }
  if (2 * authorities.threshold <= count || authorities.threshold > count) {
    return fail(Errc::bad_argument, authorities.threshold);
  }
  return ok();
}

JsonValue document_value(const Document& document) {
  JsonValue::Array nodes;
  nodes.reserve(document.nodes.size());
  for (const auto& node : document.nodes) nodes.push_back(descriptor_value(node));
  JsonValue::Object out;
  write_parameters(out, document.parameters);
  out.push_back({"epoch", json_integer(document.epoch)});
  out.push_back({"nodes", {std::move(nodes)}});
  out.push_back({"randomness", json_bytes(document.randomness)});
  out.push_back({"type", {std::string{document_type}}});
  out.push_back({"valid_from_ms", milliseconds(document.valid_from)});
  out.push_back({"valid_until_ms", milliseconds(document.valid_until)});
  return {std::move(out)};
}

std::string document_text(const Document& document) { return canonical_json(document_value(document)); }

Result<Document> parse_document_value(const JsonValue& value) {
  JsonReader reader{value};
  Document out;
  read_parameters(reader, out.parameters);
  out.epoch = read_unsigned(reader, "epoch");
  const auto& nodes = reader.array("nodes", limits::nodes_max);
  reader.bytes("randomness", out.randomness);
  reader.require(reader.text("type", document_type.size()) == document_type, Errc::unsupported);
  out.valid_from = read_time(reader, "valid_from_ms");
  out.valid_until = read_time(reader, "valid_until_ms");
  reader.require(out.valid_from < out.valid_until);
  VG_TRY_VOID(reader.finish());
  std::set<sphinx::NodeAddress> addresses;
  out.nodes.reserve(nodes.size());
  for (const auto& item : nodes) {
    VG_TRY(node, parse_descriptor_value(item));
    const bool fits = node.sphinx_key(out.epoch) != nullptr && addresses.insert(node.mix_address).second;
    if (!fits || (!out.nodes.empty() && !(out.nodes.back().id() < node.id()))) return fail(Errc::malformed);
    out.nodes.push_back(std::move(node));
  }
  return out;
}

std::string to_json(const SignedDocument& signed_document) {
  JsonValue::Array signatures;
  for (const auto& signature : signed_document.signatures) {
    signatures.push_back({JsonValue::Object{{"authority", json_bytes(signature.authority)},
                                            {"signature", json_bytes(signature.signature)}}});
  }
  return canonical_json({JsonValue::Object{{"document", document_value(signed_document.document)},
                                           {"signatures", {std::move(signatures)}}}});
}

Result<SignedDocument> parse_signed_document(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, signed_limits));
  JsonReader reader{value};
  const auto& inner = reader.member("document");
  const auto& items = reader.array("signatures", limits::signatures_max);
  VG_TRY_VOID(reader.finish());
  SignedDocument out;
  for (const auto& item : items) {
    JsonReader fields{item};
    DocumentSignature signature;
    fields.bytes("authority", signature.authority);
    fields.bytes("signature", signature.signature);
    VG_TRY_VOID(fields.finish());
    if (!out.signatures.empty() && signature.authority < out.signatures.back().authority) {
      return fail(Errc::not_canonical);
    }
    out.signatures.push_back(signature);
  }
  VG_TRY(document, parse_document_value(inner));
  out.document = std::move(document);
  return out;
}

ByteArray<32> digest(const Document& document) { return crypto::sha256(as_bytes(document_text(document))); }

DocumentSignature sign(const ByteArray<32>& digest, const crypto::Ed25519KeyPair& authority) {
  return {authority.public_key, authority.sign(signing_bytes(document_domain, digest))};
}

bool verify(const ByteArray<32>& digest, const DocumentSignature& signature) {
  return crypto::verify(signature.authority, signing_bytes(document_domain, digest), signature.signature);
}

Result<void> verify_signatures(const SignedDocument& signed_document, const AuthoritySet& authorities) {
  VG_TRY_VOID(check(authorities));
  const auto document_digest = digest(signed_document.document);
  std::set<crypto::Ed25519Public> good;
  for (const auto& signature : signed_document.signatures) {
    if (good.contains(signature.authority) || !authorities.holds(signature.authority)) continue;
    if (verify(document_digest, signature)) good.insert(signature.authority);
  }
  if (good.size() < authorities.threshold) return fail(Errc::bad_signature, good.size());
  return ok();
}

Result<void> verify_dates(const Document& document, Epoch epoch, const Epochs& epochs) {
  const auto fault = [](DocumentFault what) {
    return fail(Errc::protocol, static_cast<std::uint32_t>(what));
  };
  if (document.epoch != epoch) return fault(DocumentFault::wrong_epoch);
  // Compared by division: a start computed from a stranger's number could overflow.
  const bool fits = document.valid_until - document.valid_from == epochs.length &&
                    epochs.at(document.valid_from) == epoch && epochs.start(epoch) == document.valid_from;
  if (!fits) return fault(DocumentFault::other_epochs);
  return ok();
}

Result<void> verify_now(const Document& document, WallTime now, Duration early) {
  const auto fault = [](DocumentFault what) {
    return fail(Errc::protocol, static_cast<std::uint32_t>(what));
  };
  if (now < document.valid_from - early) return fault(DocumentFault::not_yet_valid);
  if (now >= document.valid_until) return fault(DocumentFault::expired);
  return ok();
}

}  // namespace village::mix
