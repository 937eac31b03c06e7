#pragma once
// What the operator can say about the mixnet (config section `mix`). Values are parsed and checked by
// `control`.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "village/base/target.hpp"
#include "village/base/time.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/mix/delay.hpp"
#include "village/mix/epoch.hpp"

namespace village::service {

/// MixRole is what a node does for the mixnet; it may do several things.
enum class MixRole : std::uint8_t { mix, gateway, authority, client };

/// MixProfile is the size of packets; all nodes of one mixnet use the same.
enum class MixProfile : std::uint8_t { n2048, nreg };
inline constexpr std::size_t mix_payload_bytes(MixProfile profile) {
  return profile == MixProfile::n2048 ? 1'700 : 2'065;
}

/// MixDelayPolicy says who decides how long a packet is held: its sender, the node's VRF, or the longer.
enum class MixDelayPolicy : std::uint8_t { header, vrf, max };

/// MixDelayBin is a part of a published mixture of delays: uniform over [from, to), chosen by weight.
struct MixDelayBin {
  double from_ms = 0, to_ms = 0, weight = 0;
  friend bool operator==(const MixDelayBin&, const MixDelayBin&) = default;
};

struct MixDelayOptions {
  MixDelayPolicy policy = MixDelayPolicy::header;
  Duration mean = std::chrono::milliseconds{50};  ///< of one hop, as our packets ask for
  Duration max = std::chrono::seconds{10};        ///< a header that asks for more gets this
  std::vector<MixDelayBin> distribution;          ///< empty = exponential with `mean`
};

/// delay_statement is what a node of these options publishes and keeps to; its bins may be more, or others,
/// than mix::delay_rules and descriptors take.
mix::DelayStatement delay_statement(const MixDelayOptions& options);

/// MixCoverOptions are mean pauses of Poisson processes; 0 = none.
struct MixCoverOptions {
  Duration loop = std::chrono::milliseconds{200};   ///< loops through the whole mixnet back to us
  Duration drop = std::chrono::milliseconds{200};   ///< client: packets that a gateway throws away
  Duration client = std::chrono::milliseconds{20};  ///< client: the stream that messages travel in
};

struct MixReplayOptions {
  std::uint32_t capacity_pps = 50'000;  ///< packets a second that one key's memory is made for
};

struct MixRateOptions {
  std::uint32_t peer_pps =
      20'000;  ///< of one neighbour, on each core; its published capacity if that is less
  std::uint32_t burst = 1'000;
  std::uint32_t client_pps = 500;  ///< of one client of ours
  std::uint32_t node_pps = 0;      ///< of the whole node, before any key work: its bandwidth; 0 = no limit
};

/// MixAuthorityEntry is one of the n whose signatures make a directory.
struct MixAuthorityEntry {
  std::string name;
  crypto::Ed25519Public key{};
  Target address;  ///< where it answers HTTP
};

struct MixDirectoryOptions {
  std::vector<MixAuthorityEntry> authorities;
  std::uint32_t threshold = 1;                  ///< signatures that make a document valid
  std::optional<Target> listen;                 ///< role authority: literal address of its HTTP port
  std::vector<crypto::Ed25519Public> admitted;  ///< role authority: nodes it lists
  bool open = false;                            ///< role authority: it lists others too, within bounds
  bool distinct_networks = true;  ///< role authority: votes that no way has two hops in one network
};

/// MixClientEntry is one client that this gateway serves.
struct MixClientEntry {
  std::string name;             ///< the operator's word
  crypto::Ed25519Public key{};  ///< the client's identity; it must also be a peer that may come in
};

struct MixOptions {
  std::shared_ptr<const crypto::Ed25519KeyPair> identity;  ///< the node's
  std::vector<MixRole> roles;                              ///< empty = no part in a mixnet
  MixProfile profile = MixProfile::n2048;
  std::uint32_t hops = 4;         ///< of packets we make: mix layers and the recipient's gateway
  std::optional<Target> address;  ///< where neighbours dial us; none = the first listener of HTX as bound
  std::string operator_name;      ///< nodes of one operator are never two hops of one way
  std::uint32_t capacity_pps = 20'000;
  std::string keys_path;  ///< folder of mixing keys, replay logs and what was seen of the directory
  mix::Epochs epochs;
  MixDelayOptions delay;
  MixCoverOptions cover;
  MixReplayOptions replay;
  MixRateOptions rate;
  std::uint32_t ring = 2'000;  ///< packets of one core that wait to be worked on
  std::uint32_t batch = 64;
  Duration batch_wait = std::chrono::milliseconds{1};
  std::uint32_t held_max = 16'384;                ///< packets that one core holds at once
  std::uint32_t link_queue = 1'024;               ///< packets of one core that wait for one next hop
  Duration link_idle = std::chrono::minutes{10};  ///< a link without packets for so long is closed
  MixDirectoryOptions directory;
  std::string gateway;                  ///< role client: name of the peer that keeps our messages
  std::vector<MixClientEntry> clients;  ///< role gateway

  bool has(MixRole role) const {
    for (const auto each : roles) {
      if (each == role) return true;
    }
    return false;
  }
  /// moves_packets: this node unwraps packets.
  bool moves_packets() const { return has(MixRole::mix) || has(MixRole::gateway); }
};

}  // namespace village::service
