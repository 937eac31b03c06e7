#include "village/mix/descriptor.hpp"

#include <limits>

#include "mix/json_fields.hpp"
#include "village/crypto/hash.hpp"
#include "village/mix/limits.hpp"
#include "village/wire/utf8.hpp"

namespace village::mix {
namespace {

constexpr std::string_view descriptor_domain = "villaged-mixdesc-v1";
constexpr std::size_t address_bytes_max = 300;  ///< of text
constexpr std::size_t profile_bytes_max = 16;
constexpr JsonLimits signed_limits{limits::descriptor_bytes_max, limits::directory_depth_max,
                                   limits::descriptor_values_max};

/// read_target reads "host:port" in the one form that to_text writes.
Target read_target(JsonReader& reader, std::string_view name) {
  const auto& text = reader.text(name, address_bytes_max);
  if (reader.failed()) return {};
  auto target = parse_target(text);
  reader.require(target.has_value());
  if (!target) return {};
  reader.require(to_text(*target) == text, Errc::not_canonical);
  return *std::move(target);
}

sphinx::NodeAddress read_node_address(JsonReader& reader, std::string_view name) {
  const auto target = read_target(reader, name);
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) {
    return sphinx::node_address(*v4, target.port);
  }
  if (const auto* v6 = std::get_if<Ipv6Address>(&target.host)) {
    return sphinx::node_address(*v6, target.port);
  }
  reader.require(false);
  return {};
}

bool is_profile(std::string_view name) {
  return !name.empty() && name.size() <= profile_bytes_max &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

std::vector<std::string> read_profiles(JsonReader& reader) {
  std::vector<std::string> out;
  for (const auto& item : reader.array("profiles", limits::profiles_max)) {
    const auto* name = item.text();
    reader.require(name != nullptr && is_profile(*name));
    if (name != nullptr) out.push_back(*name);
  }
  reader.require(!out.empty() && is_increasing(out, [](const std::string& name) { return name; }));
  return out;
}

JsonValue roles_value(const Roles& roles) {
  JsonValue::Array out;
  if (roles.authority) out.push_back({"authority"});
  if (roles.gateway) out.push_back({"gateway"});
  if (roles.mix) out.push_back({"mix"});
  return {std::move(out)};
}

Roles read_roles(JsonReader& reader) {
  Roles roles;
  std::vector<std::string> names;
  for (const auto& item : reader.array("roles", 3)) {
    if (const auto* name = item.text()) names.push_back(*name);
    if (item.text() == nullptr) reader.require(false);
  }
  for (const auto& name : names) {
    if (name == "authority") {
      roles.authority = true;
    } else if (name == "gateway") {
      roles.gateway = true;
    } else {
      reader.require(name == "mix", Errc::unsupported);
      roles.mix = true;
    }
  }
  reader.require(!names.empty() && is_increasing(names, [](const std::string& name) { return name; }));
  return roles;
}

/// read_sphinx_keys: consecutive epochs, at least one.
std::vector<SphinxKey> read_sphinx_keys(JsonReader& reader) {
  std::vector<SphinxKey> out;
  for (const auto& item : reader.array("sphinx_keys", limits::sphinx_keys_max)) {
    JsonReader fields{item};
    SphinxKey key{read_unsigned(fields, "epoch"), {}};
    fields.bytes("key", key.key);
    const auto read = fields.finish();
    reader.require(read.has_value(), read ? Errc::malformed : read.error().code);
    reader.require(out.empty() || key.epoch == out.back().epoch + 1);
    out.push_back(key);
  }
  reader.require(!out.empty());
  return out;
}

std::vector<EpochProof> read_vrf_proofs(JsonReader& reader) {
  std::vector<EpochProof> out;
  for (const auto& item : reader.array("vrf_proofs", limits::vrf_proofs_max)) {
    JsonReader fields{item};
    EpochProof proof{read_unsigned(fields, "epoch"), {}};
    fields.bytes("proof", proof.proof);
    const auto read = fields.finish();
    reader.require(read.has_value(), read ? Errc::malformed : read.error().code);
    reader.require(out.empty() || proof.epoch > out.back().epoch);
    out.push_back(proof);
  }
  return out;
}

JsonValue delay_value(const DelayStatement& delay) {
  JsonValue::Array bins;
  for (const auto& bin : delay.bins) {
    bins.push_back({JsonValue::Array{json_integer(static_cast<std::uint64_t>(bin.from.count())),
                                     json_integer(static_cast<std::uint64_t>(bin.to.count())),
                                     json_integer(bin.weight)}});
  }
  return {JsonValue::Object{{"bins", {std::move(bins)}},
                            {"max_ns", json_integer(static_cast<std::uint64_t>(delay.delay_max.count()))},
                            {"policy", {std::string{name(delay.policy)}}}}};
}

/// read_bin reads [from ns, to ns, weight].
DelayBin read_bin(JsonReader& reader, const JsonValue& item) {
  const auto* parts = item.array();
  const bool three = parts != nullptr && parts->size() == 3 &&
                     std::all_of(parts->begin(), parts->end(), [](const JsonValue& part) {
                       return part.integer() != nullptr && *part.integer() >= 0;
                     });
  reader.require(three);
  if (!three) return {};
  const auto weight = *(*parts)[2].integer();
  reader.require(weight <= std::numeric_limits<std::uint32_t>::max(), Errc::limit_exceeded);
  return {Duration{*(*parts)[0].integer()}, Duration{*(*parts)[1].integer()},
          static_cast<std::uint32_t>(weight)};
}

/// read_delay: the usual statement is made by silence, so that each has one form and readers who know of none
/// take the descriptors of most nodes.
DelayStatement read_delay(JsonReader& reader) {
  DelayStatement out;
  const auto* value = reader.optional("delay");
  if (value == nullptr) return out;
  JsonReader fields{*value};
  for (const auto& item : fields.array("bins", limits::stated_bins_max))
    out.bins.push_back(read_bin(fields, item));
  out.delay_max = Duration{fields.integer("max_ns", 1, limits::delay_max.count())};
  const auto policy = delay_policy(fields.text("policy", profile_bytes_max));
  fields.require(policy.has_value(), Errc::unsupported);
  out.policy = policy.value_or(DelayPolicy::header);
  fields.require(out.bins.empty() ||
                 (out.policy != DelayPolicy::header && DelayDistribution::bins(out.bins)));
  const auto read = fields.finish();
  reader.require(read.has_value(), read ? Errc::malformed : read.error().code);
  reader.require(out != DelayStatement{}, Errc::not_canonical);
  return out;
}

}  // namespace

Bytes signing_bytes(std::string_view domain, const ByteArray<32>& digest) {
  Bytes out(domain.size() + digest.size());
  std::copy(digest.begin(), digest.end(), std::ranges::copy(as_bytes(domain), out.begin()).out);
  return out;
}

Bytes signing_bytes(std::string_view domain, std::string_view canonical) {
  return signing_bytes(domain, crypto::sha256(as_bytes(canonical)));
}

const crypto::X25519Public* Descriptor::sphinx_key(Epoch epoch) const {
  for (const auto& candidate : sphinx_keys) {
    if (candidate.epoch == epoch) return &candidate.key;
  }
  return nullptr;
}

JsonValue descriptor_value(const Descriptor& descriptor) {
  JsonValue::Array keys, proofs, profiles;
  for (const auto& key : descriptor.sphinx_keys) {
    keys.push_back({JsonValue::Object{{"epoch", json_integer(key.epoch)}, {"key", json_bytes(key.key)}}});
  }
  for (const auto& proof : descriptor.vrf_proofs) {
    proofs.push_back(
        {JsonValue::Object{{"epoch", json_integer(proof.epoch)}, {"proof", json_bytes(proof.proof)}}});
  }
  for (const auto& profile : descriptor.profiles) profiles.push_back({profile});
  const auto address = sphinx::target_of(descriptor.mix_address);
  JsonValue::Object out;
  out.push_back({"capacity_pps", json_integer(descriptor.capacity_pps)});
  if (descriptor.delay != DelayStatement{}) out.push_back({"delay", delay_value(descriptor.delay)});
  out.push_back({"id", {descriptor.id().name()}});
  out.push_back({"key", json_bytes(descriptor.key)});
  out.push_back({"link", {to_text(descriptor.link)}});
  out.push_back({"mix_address", {address ? to_text(*address) : std::string{}}});
  out.push_back({"operator", {descriptor.operator_name}});
  out.push_back({"profiles", {std::move(profiles)}});
  out.push_back({"roles", roles_value(descriptor.roles)});
  out.push_back({"sequence", json_integer(descriptor.sequence)});
  out.push_back({"software", {descriptor.software}});
  out.push_back({"sphinx_keys", {std::move(keys)}});
  out.push_back({"vrf_key", json_bytes(descriptor.vrf_key)});
  out.push_back({"vrf_proofs", {std::move(proofs)}});
  return {std::move(out)};
}

Result<Descriptor> parse_descriptor_value(const JsonValue& value) {
  JsonReader reader{value};
  Descriptor out;
  out.capacity_pps = static_cast<std::uint64_t>(
      reader.integer("capacity_pps", 1, static_cast<std::int64_t>(limits::capacity_pps_max)));
  out.delay = read_delay(reader);
  const auto& id = reader.text("id", address_bytes_max);
  reader.bytes("key", out.key);
  reader.require(id == out.id().name());
  out.link = read_target(reader, "link");
  out.mix_address = read_node_address(reader, "mix_address");
  out.operator_name = reader.text("operator", limits::operator_bytes_max);
  out.profiles = read_profiles(reader);
  out.roles = read_roles(reader);
  out.sequence = read_unsigned(reader, "sequence");
  out.software = reader.text("software", limits::software_bytes_max);
  out.sphinx_keys = read_sphinx_keys(reader);
  reader.bytes("vrf_key", out.vrf_key);
  reader.require(out.vrf_key != out.key);
  out.vrf_proofs = read_vrf_proofs(reader);
  reader.require(out.vrf_proofs.empty() || out.sphinx_keys.empty() ||
                 out.vrf_proofs.back().epoch < out.sphinx_keys.front().epoch);
  VG_TRY_VOID(reader.finish());
  return out;
}

Result<SignedDescriptor> sign(Descriptor descriptor, const crypto::Ed25519KeyPair& node) {
  descriptor.key = node.public_key;
  for (const auto& text : {descriptor.operator_name, descriptor.software, to_text(descriptor.link)}) {
    if (!wire::is_utf8(as_bytes(text))) return fail(Errc::malformed);
  }
  VG_TRY_VOID(parse_descriptor_value(descriptor_value(descriptor)));
  const auto text = canonical_json(descriptor_value(descriptor));
  SignedDescriptor out{std::move(descriptor), node.sign(signing_bytes(descriptor_domain, text))};
  VG_TRY_VOID(parse_signed_descriptor(as_bytes(to_json(out))));
  return out;
}

bool verify(const SignedDescriptor& signed_descriptor) {
  const auto text = canonical_json(descriptor_value(signed_descriptor.descriptor));
  return crypto::verify(signed_descriptor.descriptor.key, signing_bytes(descriptor_domain, text),
                        signed_descriptor.signature);
}

JsonValue signed_descriptor_value(const SignedDescriptor& signed_descriptor) {
  return {JsonValue::Object{{"descriptor", descriptor_value(signed_descriptor.descriptor)},
                            {"signature", json_bytes(signed_descriptor.signature)}}};
}

std::string to_json(const SignedDescriptor& signed_descriptor) {
  return canonical_json(signed_descriptor_value(signed_descriptor));
}

Result<SignedDescriptor> parse_signed_descriptor_value(const JsonValue& value) {
  JsonReader reader{value};
  SignedDescriptor out;
  const auto& inner = reader.member("descriptor");
  reader.bytes("signature", out.signature);
  VG_TRY_VOID(reader.finish());
  VG_TRY(descriptor, parse_descriptor_value(inner));
  out.descriptor = std::move(descriptor);
  return out;
}

Result<SignedDescriptor> parse_signed_descriptor(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, signed_limits));
  return parse_signed_descriptor_value(value);
}

}  // namespace village::mix
