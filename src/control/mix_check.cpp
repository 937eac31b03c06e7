// What the section `mix` must fit: itself, the peers and the listeners.
#include <algorithm>
#include <map>
#include <set>

#include "control/config_check.hpp"
#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "village/mix/limits.hpp"

namespace village::control {
namespace {

using service::MixOptions;
using service::MixRole;

/// MixChecker holds what all rules need. A rule is silent where the value it needs was refused already.
class MixChecker {
 public:
  MixChecker(const Config& config, const Document& document, Problems& problems)
      : config_{config}, mix_{config.mix}, document_{document}, problems_{problems} {}

  void run() {
    if (refused("/mix")) return;
    if (mix_.roles.empty()) {
      if (document_.find("/mix/gateway") != nullptr || document_.find("/mix/clients") != nullptr)
        warning("/mix", "\"roles\" is empty, so nothing here is used");
      return;
    }
    roles();
    authorities();
    neighbours();
    client();
    clients();
    times();
    delays();
  }

 private:
  void error(const std::string& pointer, std::string message) {
    problems_.error(document_.closest(pointer).begin, pointer, std::move(message));
  }
  void warning(const std::string& pointer, std::string message) {
    problems_.warning(document_.closest(pointer).begin, pointer, std::move(message));
  }
  bool refused(const std::string& pointer) const { return problems_.under(pointer); }
  static std::string text(const crypto::Ed25519Public& key) { return public_key().write(key, Show::plain); }

  void roles() {
    const std::set<MixRole> once{mix_.roles.begin(), mix_.roles.end()};
    if (once.size() != mix_.roles.size()) error("/mix/roles", "a role stands here twice");
    if (mix_.has(MixRole::client) && mix_.hops < 2)
      error("/mix/hops", "a message needs one mix and the recipient's gateway at least: 2 or more");
  }

  void authorities() {
    const auto& list = mix_.directory.authorities;
    if (list.empty()) {
      error("/mix/directory",
            "\"authorities\" is empty: name the authorities of your mixnet, each with "
            "\"name\", \"key\" and \"address\"");
      return;
    }
    if (mix_.directory.threshold > list.size()) {
      error("/mix/directory/threshold", "there are only " + std::to_string(list.size()) +
                                            " authorities, so no document would ever be valid");
    } else if (mix_.directory.threshold * 2 <= list.size()) {
      error("/mix/directory/threshold",
            "with half of the authorities or fewer, two different documents could both be valid; take " +
                std::to_string(2 * list.size() / 3 + 1));
    }
    std::map<std::string, std::string> names, keys;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto pointer = "/mix/directory/authorities/" + std::to_string(i);
      unique(names, list[i].name, pointer + "/name", "the name");
      unique(keys, text(list[i].key), pointer + "/key", "the key");
    }
    if (mix_.directory.listen && !mix_.has(MixRole::authority))
      warning("/mix/directory/listen", "only a node with the role \"authority\" listens there");
    if (mix_.has(MixRole::authority) && !mix_.directory.listen && config_.htx.listen.empty())
      error("/mix/directory", "an authority needs \"listen\", or an address in \"htx.listen\"");
    admission();
  }

  void admission() {
    const auto& directory = mix_.directory;
    const bool says = !directory.admitted.empty() || directory.open;
    if (mix_.has(MixRole::authority) && !says && !refused("/mix/directory/admitted"))
      error(
          "/mix/directory",
          "this authority would list no node: name the mixes and gateways in \"admitted\" by their keys, or "
          "say \"open\": true to list whoever comes (docs/mix.md tells what that costs)");
    if (!mix_.has(MixRole::authority) && says)
      warning("/mix/directory", "only a node with the role \"authority\" uses \"admitted\" and \"open\"");
    if (directory.open && !directory.distinct_networks)
      warning("/mix/directory/open",
              "without \"distinct_networks\" one network may fill the directory with its nodes");
  }

  void neighbours() {
    if (!mix_.moves_packets()) return;
    const auto& listen = config_.htx.listen;
    const bool plain = std::any_of(listen.begin(), listen.end(),
                                   [](const auto& each) { return each.outer == service::Outer::none; });
    if (listen.empty()) {
      error("/mix/roles", "other nodes must be able to dial this one: add an address to \"htx.listen\"");
    } else if (!plain) {
      error("/mix/roles",
            "nodes of the directory dial each other without outer TLS: add an address with outer \"none\" to "
            "\"htx.listen\"");
    }
    if (!mix_.address && !listen.empty() && plain) {
      const auto& first = *std::find_if(listen.begin(), listen.end(),
                                        [](const auto& each) { return each.outer == service::Outer::none; });
      const auto* v4 = std::get_if<Ipv4Address>(&first.address.host);
      const auto* v6 = std::get_if<Ipv6Address>(&first.address.host);
      if ((v4 != nullptr && *v4 == Ipv4Address{}) || (v6 != nullptr && *v6 == Ipv6Address{}))
        error("/mix/address",
              "\"htx.listen\" names every address of this machine; say in \"address\" which one "
              "others dial");
    }
  }

  void client() {
    if (!mix_.has(MixRole::client)) {
      if (!mix_.gateway.empty()) warning("/mix/gateway", "only the role \"client\" uses a gateway");
      return;
    }
    if (mix_.gateway.empty()) {
      error("/mix", "the role \"client\" needs \"gateway\", the name of an entry of htx.peers");
      return;
    }
    if (refused("/htx/peers")) return;
    for (const auto& peer : config_.htx.peers) {
      if (peer.name != mix_.gateway) continue;
      if (!peer.address)
        error("/mix/gateway", "peer \"" + peer.name + "\" has no \"address\", so it cannot be dialled");
      return;
    }
    error("/mix/gateway", "there is no peer \"" + mix_.gateway + "\" in htx.peers");
  }

  void clients() {
    if (!mix_.clients.empty() && !mix_.has(MixRole::gateway)) {
      warning("/mix/clients", "only the role \"gateway\" serves clients");
      return;
    }
    std::map<std::string, std::string> names, keys;
    for (std::size_t i = 0; i < mix_.clients.size(); ++i) {
      const auto& client = mix_.clients[i];
      const auto pointer = "/mix/clients/" + std::to_string(i);
      unique(names, client.name, pointer + "/name", "the name");
      unique(keys, text(client.key), pointer + "/key", "the key");
      if (refused("/htx/peers")) continue;
      const bool enters =
          std::any_of(config_.htx.peers.begin(), config_.htx.peers.end(),
                      [&](const auto& peer) { return peer.key == client.key && peer.allow_inbound; });
      if (!enters) {
        error(pointer, "this client cannot come in: \"villaged peer add --inbound " + text(client.key) +
                           " --name " + client.name + "\" admits it");
      }
    }
  }

  void times() {
    if (mix_.epochs.overlap * 2 > mix_.epochs.length)
      error("/mix/epoch", "\"overlap\" must not be longer than half of \"length\"");
    if (mix_.delay.max < mix_.delay.mean) error("/mix/delay", "\"mean\" must not be larger than \"max\"");
  }

  /// delays: a node that draws publishes what from, within the bounds of descriptors.
  void delays() {
    if (mix_.delay.policy == service::MixDelayPolicy::header || mix_.delay.distribution.empty()) return;
    const auto stated = service::delay_statement(mix_.delay);
    if (stated.bins.size() > mix::limits::stated_bins_max) {
      error("/mix/delay/distribution", "a node that draws delays publishes the parts, " +
                                           std::to_string(mix::limits::stated_bins_max) + " at most");
    } else if (!mix::DelayDistribution::bins(stated.bins)) {
      error("/mix/delay/distribution", "a part is shorter than a nanosecond, or no weight is left of any");
    }
  }

  void unique(std::map<std::string, std::string>& seen, const std::string& value, const std::string& pointer,
              const char* what) {
    if (value.empty()) return;
    const auto [first, is_new] = seen.emplace(value, pointer);
    if (!is_new) error(pointer, std::string{what} + " \"" + value + "\" is taken by " + first->second);
  }

  const Config& config_;
  const MixOptions& mix_;
  const Document& document_;
  Problems& problems_;
};

}  // namespace

void check_mix(const Config& config, const Document& document, Problems& problems) {
  MixChecker{config, document, problems}.run();
}

}  // namespace village::control
