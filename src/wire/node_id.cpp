#include "village/wire/node_id.hpp"

#include <algorithm>
#include <cstring>

#include "village/crypto/hash.hpp"
#include "village/wire/base32.hpp"

namespace village::wire {
namespace {

constexpr std::string_view name_prefix = "bn1:";
constexpr std::string_view uri_prefix = "betanet://";
constexpr std::size_t check_bytes = 4;

ByteArray<check_bytes> check_sum(ByteView id) {
  const auto digest = crypto::sha256({as_bytes("BN-NAME"), id});
  ByteArray<check_bytes> sum;
  std::copy_n(digest.begin(), check_bytes, sum.begin());
  return sum;
}

std::size_t first_word(ByteView bytes) {
  std::size_t word;
  std::memcpy(&word, bytes.data(), sizeof word);
  return word;
}

}  // namespace

NodeId NodeId::of(const crypto::Ed25519Public& key) { return PeerId::of(key).node_id(); }

NodeId NodeId::from_bytes(std::span<const std::byte, size> bytes) {
  NodeId id;
  std::copy(bytes.begin(), bytes.end(), id.bytes_.begin());
  return id;
}

std::string NodeId::name() const {
  Bytes raw = to_bytes(view());
  const auto sum = check_sum(view());
  raw.insert(raw.end(), sum.begin(), sum.end());
  return std::string{name_prefix} + base32(raw);
}

Result<NodeId> NodeId::parse(std::string_view name) {
  if (!name.starts_with(name_prefix)) return fail(Errc::malformed, 0);
  name.remove_prefix(name_prefix.size());
  VG_TRY(raw, from_base32(name, size + check_bytes));
  if (raw.size() != size + check_bytes) return fail(Errc::malformed, name_prefix.size());
  const auto id = from_bytes(std::span{raw}.first<size>());
  const auto sum = check_sum(id.view());
  if (!std::equal(sum.begin(), sum.end(), raw.begin() + size))
    return fail(Errc::malformed, name_prefix.size());
  return id;
}

PeerId PeerId::of(const crypto::Ed25519Public& key) {
  PeerId id;
  id.bytes_[0] = std::byte{0x12};  // multihash: SHA2-256
  id.bytes_[1] = std::byte{0x20};  // of 32 bytes
  const auto digest = crypto::sha256(key);
  std::copy(digest.begin(), digest.end(), id.bytes_.begin() + 2);
  return id;
}

Result<PeerId> PeerId::from_bytes(ByteView bytes) {
  if (bytes.size() != size || bytes[0] != std::byte{0x12} || bytes[1] != std::byte{0x20}) {
    return fail(Errc::malformed, 0);
  }
  PeerId id;
  std::copy(bytes.begin(), bytes.end(), id.bytes_.begin());
  return id;
}

std::string PeerId::uri() const { return std::string{uri_prefix} + to_hex(view().subspan(2)); }

Result<PeerId> PeerId::parse_uri(std::string_view uri) {
  if (!uri.starts_with(uri_prefix)) return fail(Errc::malformed, 0);
  uri.remove_prefix(uri_prefix.size());
  const bool lower = std::none_of(uri.begin(), uri.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  const auto digest = from_hex(uri);
  if (!lower || !digest || digest->size() != size - 2) return fail(Errc::malformed, uri_prefix.size());
  PeerId id;
  id.bytes_[0] = std::byte{0x12};
  id.bytes_[1] = std::byte{0x20};
  std::copy(digest->begin(), digest->end(), id.bytes_.begin() + 2);
  return id;
}

NodeId PeerId::node_id() const { return NodeId::from_bytes(view().subspan<2, NodeId::size>()); }

}  // namespace village::wire

std::size_t std::hash<village::wire::NodeId>::operator()(const village::wire::NodeId& id) const noexcept {
  return village::wire::first_word(id.view());
}
std::size_t std::hash<village::wire::PeerId>::operator()(const village::wire::PeerId& id) const noexcept {
  return village::wire::first_word(id.view().subspan(2));
}
