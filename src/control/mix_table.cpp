// The section `mix`.
#include "control/config_table.hpp"
#include "control/scalar_shapes.hpp"
#include "village/mix/limits.hpp"

namespace village::control {
namespace {

using service::MixAuthorityEntry;
using service::MixClientEntry;
using service::MixCoverOptions;
using service::MixDelayBin;
using service::MixDelayOptions;
using service::MixDelayPolicy;
using service::MixDirectoryOptions;
using service::MixOptions;
using service::MixProfile;
using service::MixRateOptions;
using service::MixReplayOptions;
using service::MixRole;

constexpr std::size_t bins_max = 64, authorities_max = 9, nodes_max = 1'024, clients_max = 10'000;
constexpr double bin_ms_max = 60'000;

Shape<MixRole> role() {
  return choice<MixRole>({{"mix", MixRole::mix},
                          {"gateway", MixRole::gateway},
                          {"authority", MixRole::authority},
                          {"client", MixRole::client}});
}

std::optional<MixDelayBin> read_bin(const Json& value) {
  if (!value.is_array() || value.size() != 3) return std::nullopt;
  for (const auto& part : value) {
    if (!part.is_number()) return std::nullopt;
  }
  const MixDelayBin bin{value[0].get<double>(), value[1].get<double>(), value[2].get<double>()};
  const bool fine = bin.from_ms >= 0 && bin.to_ms > bin.from_ms && bin.to_ms <= bin_ms_max && bin.weight > 0;
  return fine ? std::optional{bin} : std::nullopt;
}

Shape<std::vector<MixDelayBin>> distribution() {
  return scalar<std::vector<MixDelayBin>>(
      "\"exponential\" or a list of [from ms, to ms, weight]",
      Json{{"type", Json::array({"string", "array"})}},
      [](const Json& value, Hint&) -> std::optional<std::vector<MixDelayBin>> {
        if (value == "exponential") return std::vector<MixDelayBin>{};
        if (!value.is_array() || value.empty() || value.size() > bins_max) return std::nullopt;
        std::vector<MixDelayBin> bins;
        for (const auto& each : value) {
          const auto bin = read_bin(each);
          if (!bin) return std::nullopt;
          bins.push_back(*bin);
        }
        return bins;
      },
      [](const std::vector<MixDelayBin>& bins) {
        if (bins.empty()) return Json("exponential");
        auto out = Json::array();
        for (const auto& bin : bins) out.push_back({bin.from_ms, bin.to_ms, bin.weight});
        return out;
      });
}

Shape<MixDelayOptions> delay_section() {
  return object<MixDelayOptions>({
      field(
          {.name = "policy",
           .doc =
               "Who decides how long a packet is held: its \"header\" (the sender), this node's \"vrf\", or "
               "the longer of both (\"max\")"},
          &MixDelayOptions::policy,
          choice<MixDelayPolicy>({{"header", MixDelayPolicy::header},
                                  {"vrf", MixDelayPolicy::vrf},
                                  {"max", MixDelayPolicy::max}})),
      field({.name = "mean", .doc = "Mean delay of one hop; the directory's value takes its place"},
            &MixDelayOptions::mean, duration(1ms, 1min)),
      field({.name = "max", .doc = "A packet that asks for more is held for so long"}, &MixDelayOptions::max,
            duration(1ms, 10min)),
      field(
          {.name = "distribution", .doc = "How delays are drawn: exponential, or a mixture of uniform parts"},
          &MixDelayOptions::distribution, distribution()),
  });
}

Shape<MixCoverOptions> cover_section() {
  return object<MixCoverOptions>({
      field({.name = "loop_mean",
             .doc = "Mean pause between packets sent in a loop back to this node; 0 = none, and nothing "
                    "measures loss"},
            &MixCoverOptions::loop, duration(0s, 1h)),
      field({.name = "drop_mean",
             .doc = "Client: mean pause between packets that a gateway throws away; 0 = none"},
            &MixCoverOptions::drop, duration(0s, 1h)),
      field({.name = "client_mean",
             .doc = "Client: mean pause of the stream that messages travel in, full or not"},
            &MixCoverOptions::client, duration(1ms, 1h)),
  });
}

Shape<MixReplayOptions> replay_section() {
  return object<MixReplayOptions>({
      field(
          {.name = "capacity_pps",
           .doc = "Packets a second that the memory of one key may grow to; beyond it the key takes no more"},
          &MixReplayOptions::capacity_pps, whole<std::uint32_t>(10, 1'000'000)),
  });
}

Shape<MixRateOptions> rate_section() {
  return object<MixRateOptions>({
      field({.name = "per_peer_pps",
             .doc = "Packets a second that one neighbour may bring to one core; less if the neighbour's "
                    "published capacity is less"},
            &MixRateOptions::peer_pps, whole<std::uint32_t>(1, 10'000'000)),
      field({.name = "burst", .doc = "Packets that may come at once on top"}, &MixRateOptions::burst,
            whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "per_client_pps", .doc = "Packets a second of one client of this gateway"},
            &MixRateOptions::client_pps, whole<std::uint32_t>(1, 1'000'000)),
      field(
          {.name = "node_pps",
           .doc =
               "Packets a second that are unwrapped on all cores together: the cap on bandwidth, as all have "
               "one size (6,091 are 100 Mbit/s); 0 = no cap"},
          &MixRateOptions::node_pps, whole<std::uint32_t>(0, 10'000'000)),
  });
}

Shape<MixAuthorityEntry> authority_entry() {
  return object<MixAuthorityEntry>({
      field({.name = "name", .required = true, .doc = "Your word for this authority, unique"},
            &MixAuthorityEntry::name, label()),
      field({.name = "key", .required = true, .doc = "The authority's Ed25519 public key in base64url"},
            &MixAuthorityEntry::key, public_key()),
      field(
          {.name = "address", .required = true, .doc = "Where it answers: address and port of its HTTP port"},
          &MixAuthorityEntry::address, address(false)),
  });
}

Shape<MixDirectoryOptions> directory_section() {
  return object<MixDirectoryOptions>({
      field({.name = "authorities", .doc = "Whose signatures make the directory of a mixnet"},
            &MixDirectoryOptions::authorities, list(authority_entry(), 0, authorities_max)),
      field({.name = "threshold", .doc = "How many of them must have signed a document"},
            &MixDirectoryOptions::threshold, whole<std::uint32_t>(1, authorities_max)),
      field({.name = "listen",
             .doc = "Role authority: IP address and port of its HTTP port; null = it answers by HTX only"},
            &MixDirectoryOptions::listen, nullable(address(true))),
      field({.name = "admitted", .doc = "Role authority: keys of the nodes that it lists, in base64url"},
            &MixDirectoryOptions::admitted, list(public_key(), 0, nodes_max)),
      field({.name = "open",
             .doc =
                 "Role authority: whether it also lists nodes that nobody named; each must come from its own "
                 "address, and 8 at most of one /16"},
            &MixDirectoryOptions::open, boolean()),
      field(
          {.name = "distinct_networks",
           .doc =
               "Role authority: whether it votes that no way has two hops in one /16; false for nodes on one "
               "machine"},
          &MixDirectoryOptions::distinct_networks, boolean()),
  });
}

Shape<MixClientEntry> client_entry() {
  return object<MixClientEntry>({
      field({.name = "name", .required = true, .doc = "Your word for this client, unique"},
            &MixClientEntry::name, label()),
      field({.name = "key",
             .required = true,
             .doc = "The client's Ed25519 public key in base64url; \"htx.peers\" must let it in too"},
            &MixClientEntry::key, public_key()),
  });
}

Shape<mix::Epochs> epoch_section() {
  return object<mix::Epochs>({
      field({.name = "length", .doc = "How long one key and one directory are good; all nodes use the same"},
            &mix::Epochs::length, duration(5s, 24h)),
      field({.name = "overlap",
             .doc = "How long the key before stays good: the longest way of a packet and some more"},
            &mix::Epochs::overlap, duration(1s, 1h)),
  });
}

}  // namespace

Shape<MixOptions> mix_section() {
  return object<MixOptions>({
      field(
          {.name = "roles",
           .doc = "What this node does in a mixnet: \"mix\", \"gateway\", \"authority\", \"client\"; none = "
                  "nothing"},
          &MixOptions::roles, list(role(), 0, 4)),
      field({.name = "profile",
             .doc = "Size of packets: 2,048 bytes, or 2,413 as Nym's; all nodes use the same"},
            &MixOptions::profile,
            choice<MixProfile>({{"n2048", MixProfile::n2048}, {"nreg", MixProfile::nreg}})),
      field({.name = "hops", .doc = "Hops of packets made here: mixes, then the recipient's gateway"},
            &MixOptions::hops, whole<std::uint32_t>(1, 5)),
      field({.name = "address",
             .doc = "IP address and port where other nodes dial this one, published in the directory; null = "
                    "the first of \"htx.listen\""},
            &MixOptions::address, nullable(address(true))),
      field({.name = "operator",
             .doc = "Who runs this node; nodes with the same word are never two hops of one way"},
            &MixOptions::operator_name, optional_label()),
      field({.name = "capacity_pps", .doc = "Packets a second that this node offers, published"},
            &MixOptions::capacity_pps, whole<std::uint32_t>(1, 10'000'000)),
      field({.name = "keys",
             .doc = "Folder of mixing keys, replay logs and mailboxes; \"\" = mix in the state_dir"},
            &MixOptions::keys_path, optional_path()),
      field({.name = "epoch", .doc = "Time slices of keys and directories"}, &MixOptions::epochs,
            epoch_section()),
      field({.name = "delay", .doc = "How long packets are held"}, &MixOptions::delay, delay_section()),
      field({.name = "cover", .doc = "Packets that only hide others"}, &MixOptions::cover, cover_section()),
      field({.name = "replay", .doc = "Memory of packets seen"}, &MixOptions::replay, replay_section()),
      field({.name = "rate", .doc = "What others may send here"}, &MixOptions::rate, rate_section()),
      field(
          {.name = "ring", .doc = "Packets that wait to be unwrapped, on each core; newer ones are dropped"},
          &MixOptions::ring, whole<std::uint32_t>(64, 65'536)),
      field({.name = "held_max", .doc = "Packets in memory on each core, held or waiting"},
            &MixOptions::held_max, whole<std::uint32_t>(256, 1'048'576)),
      field({.name = "link_queue", .doc = "Packets that wait for one next hop, on each core"},
            &MixOptions::link_queue, whole<std::uint32_t>(16, 65'536)),
      field({.name = "link_idle",
             .doc = "A link to a next hop that had no packet for so long is closed until there is one"},
            &MixOptions::link_idle, duration(1s, 24h)),
      field({.name = "batch", .doc = "Packets unwrapped together"}, &MixOptions::batch,
            whole<std::uint32_t>(1, mix::limits::batch_packets_max)),
      field({.name = "batch_wait", .doc = "How long a packet waits for others to be unwrapped with"},
            &MixOptions::batch_wait, duration(0s, 10ms)),
      field({.name = "directory", .doc = "Who says which nodes make up the mixnet"}, &MixOptions::directory,
            directory_section()),
      field({.name = "gateway",
             .doc = "Role client: name of the entry of \"htx.peers\" that is our gateway; \"\" = none"},
            &MixOptions::gateway, optional_label()),
      field({.name = "clients", .doc = "Role gateway: the nodes whose messages it keeps"},
            &MixOptions::clients, list(client_entry(), 0, clients_max)),
  });
}

}  // namespace village::control
