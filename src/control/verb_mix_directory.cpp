// villaged mix directory: each step of the directory by hand.
#include <algorithm>
#include <cstdio>
#include <set>

#include "control/files.hpp"
#include "control/identity.hpp"
#include "control/json.hpp"
#include "control/mix_commands.hpp"
#include "control/status_text.hpp"
#include "control/suggest.hpp"
#include "control/text_forms.hpp"
#include "village/control/config.hpp"
#include "village/net/clock.hpp"
#include "village/service/mix_directory.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using mix::JsonValue;

const std::vector<std::string> words{"sign", "verify", "show"};
constexpr std::size_t depth_max = mix::limits::directory_depth_max;

/// value_of turns any JSON into the kinds that canonical JSON has; nothing if it uses others.
std::optional<JsonValue> value_of(const Json& json, std::size_t depth = 0) {
  if (depth > depth_max) return std::nullopt;
  if (json.is_boolean()) return JsonValue{json.get<bool>()};
  if (json.is_string()) return JsonValue{json.get<std::string>()};
  if (json.is_number_unsigned() &&
      json.get<std::uint64_t>() > static_cast<std::uint64_t>(mix::json_integer_max))
    return std::nullopt;
  if (json.is_number_integer()) {
    const auto number = json.get<std::int64_t>();
    if (number < -mix::json_integer_max || number > mix::json_integer_max) return std::nullopt;
    return JsonValue{number};
  }
  if (json.is_array()) {
    JsonValue::Array out;
    for (const auto& item : json) {
      auto value = value_of(item, depth + 1);
      if (!value) return std::nullopt;
      out.push_back(*std::move(value));
    }
    return JsonValue{std::move(out)};
  }
  if (!json.is_object()) return std::nullopt;
  std::set<std::string> names;
  JsonValue::Object out;
  for (const auto& [member_name, item] : json.items()) {
    auto value = value_of(item, depth + 1);
    if (!value || !names.insert(member_name).second) return std::nullopt;
    out.push_back({member_name, *std::move(value)});
  }
  return JsonValue{std::move(out)};
}

std::optional<crypto::Ed25519KeyPair> signing_key(const Arguments& arguments, std::string& problem) {
  if (const auto path = arguments.value("--key")) return read_identity(*path, problem);
  const auto path = config_path(arguments);
  const auto outcome = load_config(path, false);
  if (!outcome.config) {
    problem = "--key FILE names the key to sign with; there is no good configuration in " + path;
    return std::nullopt;
  }
  return read_identity(outcome.config->node.identity_path, problem);
}

/// sign_descriptor signs a draft; "id" and "key" may be missing in it.
std::optional<std::string> sign_descriptor(Json draft, const crypto::Ed25519KeyPair& key,
                                           std::string& problem) {
  draft["key"] = wire::base64url(key.public_key);
  draft["id"] = node_name(key.public_key);
  if (!draft.contains("vrf_proofs")) draft["vrf_proofs"] = Json::array();
  const auto value = value_of(draft);
  const auto descriptor =
      value ? mix::parse_descriptor_value(*value) : Result<mix::Descriptor>{fail(Errc::malformed)};
  const auto made =
      descriptor ? mix::sign(*descriptor, key) : Result<mix::SignedDescriptor>{descriptor.error()};
  if (made) return mix::to_json(*made);
  problem = "this is no descriptor that anybody would take: " + mix::directory_problem(made.error());
  return std::nullopt;
}

/// sign_document adds a signature to a document, signed already or not.
std::optional<std::string> sign_document(const Json& draft, const crypto::Ed25519KeyPair& key,
                                         std::string& problem) {
  const auto whole =
      draft.contains("document") ? draft : Json{{"document", draft}, {"signatures", Json::array()}};
  const auto value = value_of(whole);
  auto document = value ? mix::parse_signed_document(as_bytes(mix::canonical_json(*value)))
                        : Result<mix::SignedDocument>{fail(Errc::malformed)};
  if (!document) {
    problem = mix::directory_problem(document.error());
    return std::nullopt;
  }
  auto& signatures = document->signatures;
  std::erase_if(signatures, [&key](const auto& each) { return each.authority == key.public_key; });
  signatures.push_back(mix::sign(mix::digest(document->document), key));
  std::sort(signatures.begin(), signatures.end(),
            [](const auto& a, const auto& b) { return a.authority < b.authority; });
  return mix::to_json(*document);
}

int sign(const Arguments& arguments, const std::string& path) {
  std::string problem;
  const auto text = read_file(path, mix::limits::document_bytes_max, problem);
  if (!text) return mix_problem(problem, exit_usage);
  const auto draft = Json::parse(*text, nullptr, false, true);
  if (!draft.is_object()) return mix_problem(path + " is not a JSON object", exit_usage);
  const auto key = signing_key(arguments, problem);
  if (!key) return mix_problem(problem, exit_usage);
  const bool descriptor = draft.contains("descriptor") || draft.contains("sphinx_keys");
  const auto made =
      descriptor ? sign_descriptor(draft.contains("descriptor") ? draft["descriptor"] : draft, *key, problem)
                 : sign_document(draft, *key, problem);
  if (!made) return mix_problem(path + ": " + problem, exit_usage);
  const auto out = arguments.value("--out");
  if (!out) {
    print(*made + "\n");
  } else if (!write_new_file(*out, *made, 0644, problem)) {
    return mix_problem(problem, exit_failed);
  }
  return exit_fine;
}

/// Authorities are those to verify by, and the division of time if a configuration says it.
struct Trust {
  mix::AuthoritySet authorities;
  std::optional<mix::Epochs> epochs;
};

std::optional<Trust> trust_of(const Arguments& arguments, std::string& problem) {
  Trust out;
  if (const auto keys = arguments.value("--authorities")) {
    for (std::string_view rest = *keys; !rest.empty();) {
      const auto end = std::min(rest.find(','), rest.size());
      crypto::Ed25519Public key;
      if (!wire::from_base64url(rest.substr(0, end), ByteSpan{key})) {
        problem = "--authorities takes public keys in base64url, with commas between them";
        return std::nullopt;
      }
      out.authorities.keys.push_back(key);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    const auto threshold =
        number_option(arguments, "--threshold", mix::threshold_of(out.authorities.keys.size()), 1,
                      mix::limits::authorities_max, problem);
    if (!threshold) return std::nullopt;
    out.authorities.threshold = *threshold;
  } else {
    const auto path = config_path(arguments);
    const auto outcome = load_config(path, false);
    if (!outcome.config || outcome.config->mix.directory.authorities.empty()) {
      problem = "whose signatures count? " + path + " names no authorities; --authorities KEY,KEY does";
      return std::nullopt;
    }
    const auto& directory = outcome.config->mix.directory;
    out.authorities = service::authority_set(directory.authorities, directory.threshold);
    out.epochs = outcome.config->mix.epochs;
  }
  if (!mix::check(out.authorities)) {
    problem = mix::directory_problem(fail(Errc::bad_argument));
    return std::nullopt;
  }
  return out;
}

int verify_descriptor(const mix::SignedDescriptor& descriptor) {
  if (!mix::verify(descriptor)) return mix_problem("the signature is not the node's", exit_failed);
  print("good descriptor of " + descriptor.descriptor.id().name() + ", sequence " +
        std::to_string(descriptor.descriptor.sequence) + "\n");
  return exit_fine;
}

int verify(const Arguments& arguments, const std::optional<std::string>& path) {
  std::string problem;
  if (path) {
    auto text = read_file(*path, mix::limits::document_bytes_max, problem);
    if (!text) return mix_problem(problem, exit_usage);
    if (text->ends_with('\n')) text->pop_back();
    const auto descriptor = mix::parse_signed_descriptor(as_bytes(*text));
    if (descriptor) return verify_descriptor(*descriptor);
  }
  const auto named = find_document(arguments, path, problem);
  if (!named) return mix_problem(problem, exit_usage);
  const auto trust = trust_of(arguments, problem);
  if (!trust) return mix_problem(problem, exit_usage);
  const auto& document = named->document.document;
  auto holds = mix::verify_signatures(named->document, trust->authorities);
  const auto epoch = number_option(arguments, "--epoch", document.epoch, 0, mix::json_integer_max, problem);
  if (!epoch) return mix_problem(problem, exit_usage);
  if (holds && *epoch != document.epoch) {
    holds = fail(Errc::protocol, static_cast<std::uint32_t>(mix::DocumentFault::wrong_epoch));
  }
  if (holds && trust->epochs) holds = mix::verify_dates(document, *epoch, *trust->epochs);
  const auto now = mix::verify_now(document, net::SystemClock{}.wall());
  const auto state = now ? std::string{"valid now"} : mix::directory_problem(now.error());
  if (arguments.has("--json")) {
    print(Json{{"holds", holds.has_value()},
               {"epoch", document.epoch},
               {"valid_now", now.has_value()},
               {"problem", holds ? "" : mix::directory_problem(holds.error())}}
              .dump(2) +
          "\n");
    return holds ? exit_fine : exit_failed;
  }
  if (!holds) return mix_problem(named->source + ": " + mix::directory_problem(holds.error()), exit_failed);
  print("good document of epoch " + std::to_string(document.epoch) + ", signed by " +
        std::to_string(trust->authorities.threshold) + " or more of " +
        std::to_string(trust->authorities.keys.size()) + "; " + state + "\n");
  return exit_fine;
}

std::string mix_address_text(const sphinx::NodeAddress& address) {
  const auto target = sphinx::target_of(address);
  return target ? to_text(*target) : "?";
}

std::string document_table(const mix::SignedDocument& signed_document) {
  const auto& document = signed_document.document;
  const auto& parameters = document.parameters;
  const auto view = mix::MixView::make(document);
  std::string out = "document of epoch " + std::to_string(document.epoch) + ", " +
                    utc_text(document.valid_from) + " to " + utc_text(document.valid_until) + "\n";
  out += "digest " + to_hex(mix::digest(document)) + ", " +
         std::to_string(signed_document.signatures.size()) + " signatures\n";
  out += parameters.profile + ", " + std::to_string(parameters.hops) + " hops, delay " +
         duration_text(parameters.delay_mean) + " each (at most " + duration_text(parameters.delay_max) +
         "), a client's packets every " + duration_text(parameters.client_mean) + ", loops every " +
         duration_text(parameters.loop_mean) + ", drops every " + duration_text(parameters.drop_mean) + "\n";
  if (!parameters.distinct_networks) out += "paths may use one network (/16) twice\n";
  std::vector<std::vector<std::string>> table{
      {"NODE", "LAYER", "ROLES", "MIX ADDRESS", "LINK", "PACKETS/S", "DELAYS", "OPERATOR", "SEQUENCE"}};
  for (std::size_t i = 0; i < document.nodes.size(); ++i) {
    const auto& node = document.nodes[i];
    const auto layer = view->nodes()[i].layer;
    table.push_back({node.id().name(), layer == 0 ? "-" : std::to_string(layer), roles_text(node.roles),
                     mix_address_text(node.mix_address), to_text(node.link),
                     std::to_string(node.capacity_pps), std::string{mix::name(node.delay.policy)},
                     node.operator_name.empty() ? "-" : node.operator_name, std::to_string(node.sequence)});
  }
  return out + "\n" + table_text(table);
}

int show(const Arguments& arguments, const std::optional<std::string>& path) {
  std::string problem;
  const auto named = find_document(arguments, path, problem);
  if (!named) return mix_problem(problem, exit_usage);
  if (!arguments.has("--json")) {
    print(document_table(named->document));
    return exit_fine;
  }
  auto out = Json::parse(mix::to_json(named->document));
  out["digest"] = to_hex(mix::digest(named->document.document));
  out["layers"] = Json::object();
  const auto view = mix::MixView::make(named->document.document);
  for (const auto& node : view->nodes()) {
    out["layers"][node.id.name()] = node.layer;
  }
  print(out.dump(2) + "\n");
  return exit_fine;
}

int run(const Arguments& arguments) {
  const auto& rest = arguments.rest();
  if (rest.size() < 2) return mix_problem("directory: say what: " + quoted_list(words), exit_usage);
  if (rest.size() > 3) return mix_problem("unexpected \"" + rest[3] + "\"", exit_usage);
  const auto path = rest.size() == 3 ? std::optional{rest[2]} : std::nullopt;
  if (rest[1] == "sign") {
    if (!path) return mix_problem("name the file to sign: villaged mix directory sign FILE", exit_usage);
    return sign(arguments, *path);
  }
  if (rest[1] == "verify") return verify(arguments, path);
  if (rest[1] == "show") return show(arguments, path);
  const auto meant = nearest(rest[1], words);
  return mix_problem(
      "directory: unknown \"" + rest[1] + "\"; " +
          (meant.empty() ? "expected " + quoted_list(words) : "did you mean \"" + meant + "\"?"),
      exit_usage);
}

}  // namespace

MixCommand mix_directory_command() {
  return {
      "directory",
      {"directory sign FILE [--key FILE] [--out FILE]",
       "directory verify [FILE] [--authorities KEY,KEY] [--threshold N] [--epoch N] [--json]",
       "directory show [FILE] [--from ADDRESS:PORT] [--epoch N] [--epoch-length TIME] [--json]"},
      "directory sign signs a descriptor's draft as its node, or adds an authority's signature to a "
      "document; any JSON\n"
      "form will do. --key names the identity file, else that of the configuration (--config FILE) is "
      "taken.\n"
      "directory verify checks a document by the authorities of the configuration or by --authorities; or "
      "a descriptor\n"
      "by its own key. directory show prints a document with the layers that follow from it. Without FILE "
      "they take what\n"
      "--from, an authority, says of --epoch, or what this node has kept.\n",
      {"directory sign draft.json --key identity.key --out descriptor.json",
       "directory show --from 192.0.2.1:9080"},
      {"--key FILE", "--out FILE", "--config FILE", "--authorities KEYS", "--threshold N", "--epoch N",
       "--epoch-length TIME", "--from ADDRESS", "--json"},
      run};
}

}  // namespace village::control
