// The configuration that "villaged init" writes.
#include "control/config_text.hpp"
#include "control/init_plan.hpp"
#include "control/mix_members.hpp"
#include "control/peer_entry.hpp"
#include "control/text_forms.hpp"
#include "village/mix/document.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

Json listen_entry(const std::string& address, bool tls) {
  if (!tls) return {{"address", address}, {"outer", "none"}};
  return {
      {"address", address}, {"outer", "tls"}, {"certificate", "certificate.pem"}, {"key", "certificate.key"}};
}

Json htx_of(const InitPlan& plan) {
  Json htx = Json::object();
  const bool plain = plan.role == InitRole::mix || plan.role == InitRole::gateway;
  if (plain || plan.has_tls()) htx["listen"] = Json::array();
  if (plain) htx["listen"].push_back(listen_entry(plan.listen, false));
  if (plan.has_tls())
    htx["listen"].push_back(listen_entry(plan.role == InitRole::exit ? plan.listen : plan.listen_tls, true));
  if (plan.has_tls()) htx["decoy"] = {{"directory", "decoy"}};
  htx["peers"] = Json::array();
  if (plan.peer) htx["peers"].push_back(peer_entry(*plan.peer));
  if (plan.role == InitRole::exit) {
    htx["exit"] = {{"enabled", true}};
    if (plan.allow_private) htx["exit"]["allow_private"] = true;
  }
  return htx;
}

Json mix_of(const InitPlan& plan, const crypto::Ed25519Public& self) {
  Json mix{{"roles", Json::array({plan.role_word()})}};
  const auto members = plan.members(self);
  auto& directory = mix["directory"];
  directory["authorities"] = Json::array();
  for (const auto& entry : members) directory["authorities"].push_back(authority_json(entry));
  directory["threshold"] =
      plan.threshold.value_or(static_cast<std::uint32_t>(mix::threshold_of(members.size())));
  if (plan.role == InitRole::authority) {
    directory["listen"] = plan.listen;
    // Itself, which is no mix: so it lists nobody until "villaged mix node add" names them.
    if (!plan.open) directory["admitted"] = Json::array({wire::base64url(self)});
    if (plan.open) directory["open"] = true;
    // On one machine all nodes are in one network, and no path would have two hops.
    if (plan.allow_private || is_loopback(*plan.address)) directory["distinct_networks"] = false;
  }
  if (plan.epochs.length != mix::Epochs{}.length) {
    mix["epoch"] = {{"length", duration_text(plan.epochs.length)},
                    {"overlap", duration_text(plan.epochs.overlap)}};
  }
  const bool moves_packets = plan.role == InitRole::mix || plan.role == InitRole::gateway;
  if (moves_packets && to_text(*plan.address) != plan.listen) mix["address"] = to_text(*plan.address);
  if (!plan.operator_name.empty()) mix["operator"] = plan.operator_name;
  if (plan.role == InitRole::gateway) mix["clients"] = Json::array();
  if (plan.role == InitRole::client) mix["gateway"] = plan.peer->name;
  return mix;
}

}  // namespace

std::string config_of(const InitPlan& plan, const crypto::Ed25519Public& self) {
  Json values;
  values["node"] = {{"name", plan.name}, {"identity", "identity.key"}, {"state_dir", "state"}};
  values["control"] = {{"listen", plan.control == "none" ? Json(nullptr) : Json(plan.control)}};
  values["htx"] = htx_of(plan);
  values["proxy"] = Json::object();
  if (plan.role == InitRole::entry) {
    values["proxy"]["inbounds"] = Json::array({{{"name", "local"}, {"listen", plan.proxy}}});
    // Nothing leaves by accident: without a peer there is no way out.
    values["proxy"]["default"] = plan.peer ? plan.peer->name : "block";
  }
  if (plan.in_mixnet()) values["mix"] = mix_of(plan, self);
  return commented_config(
      values,
      "Configuration of the node \"" + plan.name +
          "\", made by villaged init. See villaged.json(5).\n"
          "JSON with comments. A line // \"key\": value shows a default; remove the // to change it.\n"
          "\"villaged check --config FILE\" tells every mistake, SIGHUP applies changes.");
}

}  // namespace village::control
