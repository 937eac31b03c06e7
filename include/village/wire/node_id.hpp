#pragma once
// NodeId and PeerId: what a node is called. Source: htx.md 4.2 (Betanet 1.1 and 1.2 identities).
#include <compare>
#include <functional>
#include <string>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/crypto/ed25519.hpp"

namespace village::wire {

/// NodeId is the first 20 bytes of SHA-256(Ed25519 public key). A value; ordered bytewise, hashable.
class NodeId {
 public:
  static constexpr std::size_t size = 20;

  static NodeId of(const crypto::Ed25519Public& key);
  static NodeId from_bytes(std::span<const std::byte, size> bytes);
  /// parse reads the text form that name() writes, exactly (lower case, check sum right).
  /// Errors: malformed (no bn1: name, or the check sum is wrong), not_canonical.
  static Result<NodeId> parse(std::string_view name);

  /// name is `bn1:` and 39 characters: base32(id | first 4 bytes of SHA-256("BN-NAME" | id)).
  std::string name() const;
  std::span<const std::byte, size> view() const { return bytes_; }
  friend auto operator<=>(const NodeId&, const NodeId&) = default;

 private:
  NodeId() = default;
  ByteArray<size> bytes_{};
};

/// PeerId is the multihash 0x12 0x20 | SHA-256(Ed25519 public key), 34 bytes; the lower one decides in
/// CapMsg.
class PeerId {
 public:
  static constexpr std::size_t size = 34;

  static PeerId of(const crypto::Ed25519Public& key);
  /// from_bytes needs the multihash prefix. Errors: malformed.
  static Result<PeerId> from_bytes(ByteView bytes);
  /// parse_uri reads `betanet://` and 64 lower-case hex digits. Errors: malformed.
  static Result<PeerId> parse_uri(std::string_view uri);

  std::string uri() const;
  NodeId node_id() const;
  std::span<const std::byte, size> view() const { return bytes_; }
  friend auto operator<=>(const PeerId&, const PeerId&) = default;

 private:
  PeerId() = default;
  ByteArray<size> bytes_{};
};

}  // namespace village::wire

/// Hashes take eight bytes of the digest. A peer can choose its key, so tables keyed by ids of strangers need
/// a bound.
template <>
struct std::hash<village::wire::NodeId> {
  std::size_t operator()(const village::wire::NodeId& id) const noexcept;
};
template <>
struct std::hash<village::wire::PeerId> {
  std::size_t operator()(const village::wire::PeerId& id) const noexcept;
};
