#include "village/sphinx/surb.hpp"

#include <algorithm>

#include "sphinx/key_schedule.hpp"
#include "village/base/check.hpp"
#include "village/crypto/lioness.hpp"
#include "village/sphinx/payload.hpp"

namespace village::sphinx {
namespace {

using limits::header_bytes, limits::payload_key_bytes, limits::payload_seed_bytes;

constexpr std::size_t address_at = header_bytes, keys_at = header_bytes + 32;
using Key = crypto::Secret<payload_key_bytes>;

Key key_of_seed(ByteView seed) {
  Key key;
  derive_payload_keys({seed, payload_seed_bytes, 0, 1}, {key.fill(), payload_key_bytes, 0, 1});
  return key;
}

Key key_of(ByteView material) {
  if (material.size() == payload_seed_bytes) return key_of_seed(material);
  return Key{material.first<payload_key_bytes>()};
}

/// begin_reply writes everything but the layers and gives the node to send to.
Result<NodeAddress> begin_reply(ByteView block, ByteView message, ByteSpan packet) {
  if (packet.size() < limits::packet_bytes(limits::payload_bytes_min) ||
      packet.size() > limits::packet_bytes(limits::payload_bytes_max))
    return fail(Errc::bad_argument, packet.size());
  VG_TRY_VOID(write_payload(message, packet.subspan(header_bytes)));
  std::ranges::copy(block.first(header_bytes), packet.begin());
  NodeAddress first;
  std::ranges::copy(block.subspan(address_at, first.size()), first.begin());
  return first;
}

}  // namespace

ReplyKeys::ReplyKeys(const PayloadKeys& keys) : count_{keys.size()} {
  VG_CHECK(keys.version() == Version::payload_seeds);
  for (std::size_t i = 0; i < count_; ++i)
    std::ranges::copy(keys.material(i), seeds_.fill().subspan(i * payload_seed_bytes).begin());
}

ByteView ReplyKeys::seed(std::size_t hop) const {
  VG_CHECK(hop < count_);
  return seeds_.view().subspan(hop * payload_seed_bytes, payload_seed_bytes);
}

Result<CreatedReplyBlock> create_reply_block(std::span<const Hop> hops, const Destination& destination,
                                             const Identifier& identifier, RandomSource& random) {
  ReplyBlock block;
  const auto out = std::span{block.bytes};
  VG_TRY(keys, create_header(hops, destination, identifier, out.first<header_bytes>(), random));
  std::ranges::copy(hops.front().address, out.begin() + address_at);
  std::ranges::copy(keys.material(hops.size() - 1), out.begin() + keys_at);
  return CreatedReplyBlock{block, ReplyKeys{keys}};
}

Result<NodeAddress> use_reply_block(const ReplyBlock& block, ByteView message, ByteSpan packet) {
  const ByteView bytes{block.bytes};
  VG_TRY(first, begin_reply(bytes, message, packet));
  const auto key = key_of_seed(bytes.subspan(keys_at));
  crypto::lioness_encrypt(key.view(), packet.subspan(header_bytes));
  return first;
}

Result<ByteView> open_reply(const ReplyKeys& keys, ByteSpan payload) {
  if (payload.size() < limits::payload_bytes_min) return fail(Errc::malformed, payload.size());
  for (auto hop = keys.size(); hop > 0; --hop) {
    const auto key = key_of_seed(keys.seed(hop - 1));
    crypto::lioness_encrypt(key.view(), payload);
  }
  const auto key = key_of_seed(keys.seed(keys.size() - 1));
  crypto::lioness_decrypt(key.view(), payload);
  return open_payload(payload);
}

Result<Bytes> create_surb(std::span<const Hop> hops, const Destination& destination,
                          const Identifier& identifier, RandomSource& random, Version version) {
  ByteArray<header_bytes> header;
  VG_TRY(keys, create_header(hops, destination, identifier, header, random, version));
  Bytes surb{header.begin(), header.end()};
  surb.insert(surb.end(), hops.front().address.begin(), hops.front().address.end());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto material = keys.material(i);
    surb.insert(surb.end(), material.begin(), material.end());
  }
  return surb;
}

Result<NodeAddress> use_surb(ByteView surb, ByteView message, ByteSpan packet) {
  if (surb.size() < keys_at + payload_seed_bytes) return fail(Errc::truncated, surb.size());
  const auto materials = surb.subspan(keys_at);
  const auto each = materials.size() < payload_key_bytes ? payload_seed_bytes : payload_key_bytes;
  if (materials.size() % each != 0) return fail(Errc::malformed, materials.size());
  VG_TRY(first, begin_reply(surb, message, packet));
  for (auto end = materials.size(); end > 0; end -= each) {
    const auto key = key_of(materials.subspan(end - each, each));
    crypto::lioness_encrypt(key.view(), packet.subspan(header_bytes));
  }
  return first;
}

}  // namespace village::sphinx
