#pragma once
// Descriptor: what a node says of itself to the authorities, signed by its key. Formats:
// docs/protocols/mix.md section 3.
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/crypto/vrf.hpp"
#include "village/mix/canonical_json.hpp"
#include "village/mix/delay.hpp"
#include "village/mix/directory_limits.hpp"
#include "village/mix/epoch.hpp"
#include "village/sphinx/types.hpp"
#include "village/wire/node_id.hpp"

namespace village::mix {

/// Roles a node may hold; one at least.
struct Roles {
  bool mix = false;        ///< forwards packets, in a layer that the document's randomness decides
  bool gateway = false;    ///< last hop of the messages to its clients
  bool authority = false;  ///< says so; who is one in truth is everybody's own configuration
  friend bool operator==(const Roles&, const Roles&) = default;
};

/// SphinxKey is the public key under which packets of one epoch are made.
struct SphinxKey {
  Epoch epoch;
  crypto::X25519Public key;
  friend bool operator==(const SphinxKey&, const SphinxKey&) = default;
};

/// EpochProof shows what a node's delays of an epoch that is over were drawn from (delay policy `vrf`).
struct EpochProof {
  Epoch epoch;
  crypto::VrfProof proof;
  friend bool operator==(const EpochProof&, const EpochProof&) = default;
};

/// Descriptor is a value. What parse accepts and sign takes keeps the bounds noted here.
struct Descriptor {
  crypto::Ed25519Public key{};         ///< the node's identity; its id follows from it
  Target link;                         ///< where its HTX listener is, by address or name
  sphinx::NodeAddress mix_address{};   ///< what packets call it; an IP address and a port
  std::vector<SphinxKey> sphinx_keys;  ///< 1 to 3, of consecutive epochs
  crypto::Ed25519Public vrf_key{};     ///< never `key`
  std::string operator_name;           ///< who runs it, up to 64 bytes of UTF-8; "" = says nothing
  Roles roles;
  std::uint64_t capacity_pps = 0;      ///< packets a second it forwards; 1 to 10^8
  DelayStatement delay;                ///< how it holds packets
  std::vector<std::string> profiles;   ///< packet profiles it takes, sorted: "n2048", "nreg"; 1 to 4
  std::string software;                ///< up to 64 bytes
  std::uint64_t sequence = 0;          ///< grows with each descriptor of this node; up to 2^53 - 1
  std::vector<EpochProof> vrf_proofs;  ///< up to 2, by epoch, each over before the first key's epoch began

  wire::NodeId id() const { return wire::NodeId::of(key); }
  /// sphinx_key is that of an epoch, nullptr if it has none.
  const crypto::X25519Public* sphinx_key(Epoch epoch) const;
  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

/// descriptor_value and parse_descriptor_value are the object that stands in documents and is signed.
/// Errors: those of JsonReader; malformed (a key, address or list that breaks the rules above; an id that is
/// not the key's).
JsonValue descriptor_value(const Descriptor& descriptor);
Result<Descriptor> parse_descriptor_value(const JsonValue& value);

/// SignedDescriptor is what a node sends: {"descriptor": {...}, "signature": "..."}.
struct SignedDescriptor {
  Descriptor descriptor;
  crypto::Ed25519Signature signature{};
  friend bool operator==(const SignedDescriptor&, const SignedDescriptor&) = default;
};

/// sign fills in the node's key and signs "villaged-mixdesc-v1" | SHA-256(canonical descriptor).
/// Errors: what parse would say of the result.
Result<SignedDescriptor> sign(Descriptor descriptor, const crypto::Ed25519KeyPair& node);
/// verify: the signature is the node's. 0.04 ms.
[[nodiscard]] bool verify(const SignedDescriptor& signed_descriptor);

JsonValue signed_descriptor_value(const SignedDescriptor& signed_descriptor);
std::string to_json(const SignedDescriptor& signed_descriptor);
/// parse_signed_descriptor reads the canonical bytes; verify is the caller's. Errors: those of
/// parse_canonical_json and parse_descriptor_value.
Result<SignedDescriptor> parse_signed_descriptor(ByteView text);
Result<SignedDescriptor> parse_signed_descriptor_value(const JsonValue& value);

}  // namespace village::mix
