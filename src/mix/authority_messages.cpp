#include "mix/authority_messages.hpp"

#include <algorithm>

#include "mix/json_fields.hpp"
#include "village/crypto/hash.hpp"

namespace village::mix {
namespace {

constexpr std::string_view statement_domain = "villaged-mixvote-v1";
constexpr std::string_view commit_domain = "villaged-mixcommit-v1";
constexpr std::string_view seal_domain = "villaged-mixseal-v1";
constexpr std::size_t kind_bytes_max = 8;
constexpr std::size_t signatures_bytes_max = 16 * 1024;
constexpr JsonLimits statement_limits{limits::statement_bytes_max, limits::directory_depth_max,
                                      limits::document_values_max};
constexpr JsonLimits signatures_limits{signatures_bytes_max, 4, 16 * limits::authorities_max};

JsonValue statement_value(const Statement& statement) {
  JsonValue::Object out;
  out.push_back({"authority", json_bytes(statement.author())});
  out.push_back({"epoch", json_integer(statement.epoch())});
  if (const auto* reveal = std::get_if<Reveal>(&statement.content)) {
    out.push_back({"kind", {"reveal"}});
    out.push_back({"number", json_bytes(reveal->number)});
    return {std::move(out)};
  }
  const auto& vote = std::get<Vote>(statement.content);
  JsonValue::Array descriptors;
  for (const auto& descriptor : vote.descriptors) descriptors.push_back(signed_descriptor_value(descriptor));
  out.push_back({"commit", json_bytes(vote.commit)});
  out.push_back({"descriptors", {std::move(descriptors)}});
  out.push_back({"kind", {"vote"}});
  out.push_back({"parameters", parameters_value(vote.parameters)});
  return {std::move(out)};
}

Result<Vote> parse_vote(JsonReader& reader, Vote out) {
  reader.bytes("commit", out.commit);
  const auto& descriptors = reader.array("descriptors", limits::nodes_max);
  const auto& parameters = reader.member("parameters");
  VG_TRY_VOID(reader.finish());
  JsonReader fields{parameters};
  read_parameters(fields, out.parameters);
  VG_TRY_VOID(fields.finish());
  out.descriptors.reserve(descriptors.size());
  for (const auto& item : descriptors) {
    VG_TRY(descriptor, parse_signed_descriptor_value(item));
    if (!out.descriptors.empty() && !(out.descriptors.back().descriptor.id() < descriptor.descriptor.id())) {
      return fail(Errc::not_canonical);
    }
    out.descriptors.push_back(std::move(descriptor));
  }
  return out;
}

Result<Statement> parse_statement(const JsonValue& value) {
  JsonReader reader{value};
  Vote vote;
  reader.bytes("authority", vote.authority);
  vote.epoch = read_unsigned(reader, "epoch");
  const auto& kind = reader.text("kind", kind_bytes_max);
  if (kind == "vote") {
    VG_TRY(whole, parse_vote(reader, std::move(vote)));
    return Statement{std::move(whole)};
  }
  reader.require(kind == "reveal", Errc::unsupported);
  Reveal reveal{vote.authority, vote.epoch, {}};
  reader.bytes("number", reveal.number);
  VG_TRY_VOID(reader.finish());
  return Statement{reveal};
}

Bytes seal_bytes(const SignatureEntry& entry) {
  JsonValue::Object out;
  out.push_back({"authority", json_bytes(entry.authority)});
  out.push_back({"digest", json_bytes(entry.digest)});
  out.push_back({"epoch", json_integer(entry.epoch)});
  out.push_back({"signature", json_bytes(entry.signature)});
  return signing_bytes(seal_domain, canonical_json({std::move(out)}));
}

}  // namespace

Epoch Statement::epoch() const {
  return std::visit([](const auto& said) { return said.epoch; }, content);
}

const crypto::Ed25519Public& Statement::author() const {
  return std::visit([](const auto& said) -> const crypto::Ed25519Public& { return said.authority; }, content);
}

ByteArray<32> commit_of(const Reveal& reveal) {
  ByteArray<8> epoch;
  for (std::size_t i = 0; i < epoch.size(); ++i)
    epoch[i] = static_cast<std::byte>(reveal.epoch >> (56 - 8 * i));
  return crypto::sha256({as_bytes(commit_domain), epoch, reveal.authority, reveal.number});
}

EndorsedStatement endorsed(Statement statement) {
  const auto digest = crypto::sha256(as_bytes(canonical_json(statement_value(statement))));
  return {std::move(statement), digest, {}};
}

void endorse(EndorsedStatement& statement, const crypto::Ed25519KeyPair& authority) {
  const Endorsement own{authority.public_key,
                        authority.sign(signing_bytes(statement_domain, statement.digest))};
  const auto at =
      std::lower_bound(statement.endorsements.begin(), statement.endorsements.end(), own,
                       [](const Endorsement& a, const Endorsement& b) { return a.authority < b.authority; });
  if (at != statement.endorsements.end() && at->authority == own.authority) return;
  statement.endorsements.insert(at, own);
}

std::size_t keep_good_endorsements(EndorsedStatement& statement, const AuthoritySet& authorities) {
  const auto message = signing_bytes(statement_domain, statement.digest);
  auto& endorsements = statement.endorsements;
  std::erase_if(endorsements, [&](const Endorsement& each) {
    return !authorities.holds(each.authority) || !crypto::verify(each.authority, message, each.signature);
  });
  const bool by_author = std::any_of(endorsements.begin(), endorsements.end(), [&](const Endorsement& each) {
    return each.authority == statement.statement.author();
  });
  return by_author ? endorsements.size() : 0;
}

std::string to_json(const EndorsedStatement& statement) {
  JsonValue::Array endorsements;
  for (const auto& endorsement : statement.endorsements) {
    endorsements.push_back({JsonValue::Object{{"authority", json_bytes(endorsement.authority)},
                                              {"signature", json_bytes(endorsement.signature)}}});
  }
  return canonical_json({JsonValue::Object{{"endorsements", {std::move(endorsements)}},
                                           {"statement", statement_value(statement.statement)}}});
}

Result<EndorsedStatement> parse_endorsed_statement(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, statement_limits));
  JsonReader reader{value};
  const auto& endorsements = reader.array("endorsements", limits::authorities_max);
  const auto& inner = reader.member("statement");
  VG_TRY_VOID(reader.finish());
  EndorsedStatement out;
  for (const auto& item : endorsements) {
    JsonReader fields{item};
    Endorsement endorsement;
    fields.bytes("authority", endorsement.authority);
    fields.bytes("signature", endorsement.signature);
    VG_TRY_VOID(fields.finish());
    if (!out.endorsements.empty() && !(out.endorsements.back().authority < endorsement.authority)) {
      return fail(Errc::not_canonical);
    }
    out.endorsements.push_back(endorsement);
  }
  out.digest = crypto::sha256(as_bytes(canonical_json(inner)));
  VG_TRY(statement, parse_statement(inner));
  out.statement = std::move(statement);
  return out;
}

SignatureEntry sign_entry(Epoch epoch, const ByteArray<32>& digest, const crypto::Ed25519KeyPair& authority) {
  SignatureEntry out{authority.public_key, epoch, digest, sign(digest, authority).signature, {}};
  out.seal = authority.sign(seal_bytes(out));
  return out;
}

bool verify(const SignatureEntry& entry) {
  return crypto::verify(entry.authority, seal_bytes(entry), entry.seal) &&
         verify(entry.digest, DocumentSignature{entry.authority, entry.signature});
}

std::string to_json(const std::vector<SignatureEntry>& entries) {
  JsonValue::Array out;
  for (const auto& entry : entries) {
    out.push_back({JsonValue::Object{{"authority", json_bytes(entry.authority)},
                                     {"digest", json_bytes(entry.digest)},
                                     {"epoch", json_integer(entry.epoch)},
                                     {"seal", json_bytes(entry.seal)},
                                     {"signature", json_bytes(entry.signature)}}});
  }
  return canonical_json({JsonValue::Object{{"signatures", {std::move(out)}}}});
}

Result<std::vector<SignatureEntry>> parse_signature_entries(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, signatures_limits));
  JsonReader reader{value};
  const auto& items = reader.array("signatures", 2 * limits::authorities_max);
  VG_TRY_VOID(reader.finish());
  std::vector<SignatureEntry> out;
  for (const auto& item : items) {
    JsonReader fields{item};
    SignatureEntry entry;
    fields.bytes("authority", entry.authority);
    fields.bytes("digest", entry.digest);
    entry.epoch = read_unsigned(fields, "epoch");
    fields.bytes("seal", entry.seal);
    fields.bytes("signature", entry.signature);
    VG_TRY_VOID(fields.finish());
    out.push_back(entry);
  }
  return out;
}

}  // namespace village::mix
