#pragma once
// Authorities and clients of a mixnet as texts of one line, as entries of the configuration, and in lists.
//
//   NAME=KEY@HOST:PORT     an authority; without NAME= it gets one
//   KEY@HOST:PORT          a gateway, for its clients
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/json.hpp"
#include "village/service/mix_options.hpp"

namespace village::control {

/// parse_authority reads one; its name is "" if the text has none. Otherwise nothing, and `problem` says why.
std::optional<service::MixAuthorityEntry> parse_authority(std::string_view text, std::string& problem);
/// parse_authorities reads a list with commas or blanks between; names that are missing are made up, and no
/// name or key stands there twice.
std::optional<std::vector<service::MixAuthorityEntry>> parse_authorities(std::string_view text,
                                                                         std::string& problem);
/// name_authorities gives a name to those that have none, beside those that have one.
void name_authorities(std::vector<service::MixAuthorityEntry>& list);

std::string authority_text(const service::MixAuthorityEntry& entry);
std::string authorities_text(const std::vector<service::MixAuthorityEntry>& list);
/// authority_json is an entry of mix.directory.authorities.
Json authority_json(const service::MixAuthorityEntry& entry);

/// mixnet_options is what "villaged init" must be told on every other node of the mixnet: its authorities,
/// and what differs from the defaults.
std::string mixnet_options(const service::MixOptions& mix);

}  // namespace village::control
