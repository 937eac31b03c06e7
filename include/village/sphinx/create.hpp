#pragma once
// Packets as their sender makes them. Source: nymtech/sphinx (crate sphinx-packet 0.6.0), header and packet.
#include <span>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/crypto/secret.hpp"
#include "village/crypto/x25519.hpp"
#include "village/sphinx/limits.hpp"
#include "village/sphinx/types.hpp"

namespace village::sphinx {

/// Hop is one node of a path.
struct Hop {
  crypto::X25519Public key;  ///< the node's Sphinx key of the epoch
  NodeAddress address{};     ///< of this node; the first hop's is not in the packet
  std::uint64_t delay_ns =
      0;  ///< for how long this node holds the packet; the last hop's is not in the packet
};

/// PayloadKeys is what adds and removes the payload's layers of one packet; hop 0 is the first.
class PayloadKeys {
 public:
  std::size_t size() const { return count_; }
  Version version() const { return version_; }
  /// material is what a reply block of the crate holds for a hop: its seed of 16 bytes or, in version 258,
  /// its key of 192.
  ByteView material(std::size_t hop) const;
  /// tag is the replay tag that this hop finds: a sender who audits the hop's delays needs it.
  const ReplayTag& tag(std::size_t hop) const;
  /// add puts on one hop's layer, remove takes it off, in place. `payload` has limits::payload_bytes_min
  /// bytes or more (VG_CHECKed).
  void add(std::size_t hop, ByteSpan payload) const;
  void remove(std::size_t hop, ByteSpan payload) const;
  /// add_all puts on every layer, the last hop's first.
  void add_all(ByteSpan payload) const;

 private:
  friend class HeaderMaker;
  Version version_ = Version::payload_seeds;
  std::size_t count_ = 0;
  std::array<crypto::Secret<limits::payload_seed_bytes>, limits::hops_max> seeds_;  // version 259
  std::array<crypto::Secret<limits::payload_key_bytes>, limits::hops_max> keys_;
  std::array<ReplayTag, limits::hops_max> tags_{};
};

/// create_header writes the header of a packet along `hops` (1 to 5) into `header` and returns the keys of
/// its payload. `destination` and `identifier` are for the last hop alone. Draws 32 bytes and then the
/// padding from `random`, which must be fit for keys. Headers of all hop counts look alike. Errors:
/// bad_argument (number of hops), bad_key (a hop's key has low order). Cost: n(n+1)/2 exchanges, made
/// n + 1 at a time: for 4 hops 100 us with AVX-512 IFMA, else 250 us.
Result<PayloadKeys> create_header(std::span<const Hop> hops, const Destination& destination,
                                  const Identifier& identifier,
                                  std::span<std::byte, limits::header_bytes> header, RandomSource& random,
                                  Version version = Version::payload_seeds);

/// create_packet writes a whole packet into `packet`, whose size decides the profile: limits::header_bytes
/// and the payload. `message` must not overlap it. Allocates nothing. Errors: those of create_header;
/// bad_argument (packet too small or too large), limit_exceeded (message).
Result<void> create_packet(std::span<const Hop> hops, const Destination& destination,
                           const Identifier& identifier, ByteView message, ByteSpan packet,
                           RandomSource& random, Version version = Version::payload_seeds);

}  // namespace village::sphinx
