#pragma once
// What a node reads in a packet, and the way through one packet at a time. Source: nymtech/sphinx (crate
// sphinx-packet 0.6.0).
#include <cstdint>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/crypto/x25519.hpp"
#include "village/sphinx/limits.hpp"
#include "village/sphinx/types.hpp"

namespace village::sphinx {

/// Reject says why a packet is dropped; the first that applies, in this order.
enum class Reject : std::uint8_t {
  none,
  length,     ///< not the size of the profile
  low_order,  ///< the shared secret is all zero
  mac,        ///< the header was not made for this key, or was changed
  flag,       ///< the slot is neither a forward nor a last one
  version,    ///< neither 258 nor 259, or its first byte is not 0
  payload,    ///< for those who count what open_payload refused; nothing here returns it
};
/// name gives a metric's label: "low_order".
std::string_view name(Reject reason);

/// Routing is what a slot says.
struct Routing {
  bool last = false;  ///< this node is the last hop
  Version version = Version::payload_seeds;
  NodeAddress next{};          ///< forward: the next node
  std::uint64_t delay_ns = 0;  ///< forward: hold it that long; not clamped
  Destination destination{};   ///< last: whom the payload is for
  Identifier identifier{};     ///< last: of the reply block, or any value
};

/// Unwrapped is what unwrap found.
struct Unwrapped {
  Routing routing;
  ReplayTag tag{};  ///< of the shared secret: the same whatever else of a packet was changed
};

/// unwrap removes this node's layer from one packet of the profile with `payload_bytes`, in place: a forward
/// packet becomes what the next node gets, of a last one the payload (from limits::header_bytes on) becomes
/// plain. It knows no replays: the caller must have none to fear, else use UnwrapBatch. A refused packet is
/// not changed. Allocates nothing; every intermediate secret is wiped.
///
/// The payload of a last hop need not pass open_payload: a reply to a reply block of ours is readable by its
/// creator alone (surb.hpp), and is handed over as it is.
[[nodiscard]] Reject unwrap(const crypto::X25519Private& key, std::size_t payload_bytes, ByteSpan packet,
                            Unwrapped& found);

}  // namespace village::sphinx
