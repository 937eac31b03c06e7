#include "control/mix_members.hpp"

#include <algorithm>

#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "village/mix/document.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using service::MixAuthorityEntry;

bool is_separator(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

template <class Match>
bool holds(const std::vector<MixAuthorityEntry>& list, Match match) {
  return std::any_of(list.begin(), list.end(), match);
}

}  // namespace

std::optional<MixAuthorityEntry> parse_authority(std::string_view text, std::string& problem) {
  const auto whole = std::string{text};
  const auto refuse = [&](const std::string& why) {
    problem = "\"" + whole + "\" is no authority: " + why +
              "; \"villaged mix authority list\" prints NAME=KEY@HOST:PORT on an authority";
    return std::nullopt;
  };
  MixAuthorityEntry entry;
  if (const auto equals = text.find('='); equals != std::string_view::npos) {
    entry.name = std::string{text.substr(0, equals)};
    if (!is_label(entry.name)) return refuse("its name takes 1 to 63 characters of a-z, 0-9 and \"-\"");
    text.remove_prefix(equals + 1);
  }
  const auto at = text.find('@');
  const auto key = key_bytes(text.substr(0, at));
  if (!key) return refuse("a key has 43 characters of base64url");
  entry.key = *key;
  auto address = at == std::string_view::npos ? Result<Target>{fail(Errc::malformed)}
                                              : parse_target(text.substr(at + 1));
  if (!address) return refuse("behind @ stands host:port");
  entry.address = *std::move(address);
  return entry;
}

void name_authorities(std::vector<MixAuthorityEntry>& list) {
  for (auto& entry : list) {
    if (!entry.name.empty()) continue;
    std::string name;
    for (std::size_t i = 1;; ++i) {
      name = "authority-" + std::to_string(i);
      if (!holds(list, [&](const auto& each) { return each.name == name; })) break;
    }
    entry.name = name;
  }
}

std::optional<std::vector<MixAuthorityEntry>> parse_authorities(std::string_view text, std::string& problem) {
  std::vector<MixAuthorityEntry> list;
  while (!text.empty()) {
    const auto* const end = std::find_if(text.begin(), text.end(), is_separator);
    const auto word = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (word.empty()) continue;
    auto entry = parse_authority(word, problem);
    if (!entry) return std::nullopt;
    const bool twice = holds(list, [&](const auto& each) {
      return each.key == entry->key || (!entry->name.empty() && each.name == entry->name);
    });
    if (twice) {
      problem = "the authority \"" + std::string{word} + "\" has a name or key that stands there already";
      return std::nullopt;
    }
    list.push_back(*std::move(entry));
  }
  if (list.empty()) {
    problem = "the list of authorities is empty";
    return std::nullopt;
  }
  name_authorities(list);
  return list;
}

std::string authority_text(const MixAuthorityEntry& entry) {
  return entry.name + "=" + wire::base64url(entry.key) + "@" + to_text(entry.address);
}

std::string authorities_text(const std::vector<MixAuthorityEntry>& list) {
  std::string text;
  for (const auto& entry : list) text += (text.empty() ? "" : ",") + authority_text(entry);
  return text;
}

Json authority_json(const MixAuthorityEntry& entry) {
  return {{"name", entry.name}, {"key", wire::base64url(entry.key)}, {"address", to_text(entry.address)}};
}

std::string mixnet_options(const service::MixOptions& mix) {
  const auto& directory = mix.directory;
  auto text = "--authorities " + authorities_text(directory.authorities);
  if (directory.threshold != mix::threshold_of(directory.authorities.size()))
    text += " --threshold " + std::to_string(directory.threshold);
  if (mix.epochs.length != mix::Epochs{}.length) text += " --epoch " + duration_text(mix.epochs.length);
  return text;
}

}  // namespace village::control
