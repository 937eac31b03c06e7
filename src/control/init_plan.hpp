#pragma once
// What "villaged init" was asked for, and the configuration that follows from it.
#include <optional>
#include <string>
#include <vector>

#include "control/arguments.hpp"
#include "village/service/mix_options.hpp"
#include "village/service/tunnel_options.hpp"

namespace village::control {

enum class InitRole { exit, entry, mix, gateway, authority, client };
/// role_words lists them as the user types them, in the order of the enum.
const std::vector<std::string>& role_words();

/// InitPlan is what the user asked for, checked before anything is made.
struct InitPlan {
  std::string directory;
  std::string name;
  InitRole role = InitRole::entry;
  bool allow_private = false;
  std::optional<service::TunnelPeer> peer;  ///< entry: its exit; client: its gateway
  std::string listen, proxy, control;       ///< addresses; control may be "none"

  // --- roles of a mixnet
  bool open = false;              ///< authority: lists whoever comes
  std::string listen_tls;         ///< gateway: a second address, with outer TLS; "" = none
  std::optional<Target> address;  ///< where others reach this node
  std::string operator_name;
  std::vector<service::MixAuthorityEntry> authorities;  ///< without this node's own
  std::optional<std::uint32_t> threshold;
  mix::Epochs epochs;

  bool in_mixnet() const { return role != InitRole::exit && role != InitRole::entry; }
  /// has_tls: strangers can knock at a listener with outer TLS, so it needs a decoy and tickets.
  bool has_tls() const { return role == InitRole::exit || !listen_tls.empty(); }
  const std::string& role_word() const { return role_words()[static_cast<std::size_t>(role)]; }
  /// members are all authorities; `self` completes the list of an authority.
  std::vector<service::MixAuthorityEntry> members(const crypto::Ed25519Public& self) const;
};

/// read_plan fills `plan`; the text returned is what is wrong, "" if nothing.
std::string read_plan(const Arguments& arguments, InitPlan& plan);

/// config_of is the text of villaged.json for a node with this key.
std::string config_of(const InitPlan& plan, const crypto::Ed25519Public& self);

}  // namespace village::control
