#pragma once
// Headers that no honest sender makes: any point, any slot, with a MAC that holds.
#include <algorithm>
#include <vector>

#include "sphinx/key_schedule.hpp"
#include "sphinx/slot.hpp"
#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/crypto/key_stream.hpp"
#include "village/crypto/lioness.hpp"
#include "village/crypto/x25519_batch.hpp"
#include "village/sphinx/payload.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::sphinx::test {

using Slot = ByteArray<limits::slot_bytes>;
using Alpha = ByteArray<limits::alpha_bytes>;

/// Forger makes packets for one node.
class Forger {
 public:
  explicit Forger(const crypto::X25519Private& key) : key_{key.clone()} {}

  /// packet: `slot` is what the node will read behind `alpha`; the rest of the header is random. `payload` is
  /// what the node's own layer is put around, under the version of the slot.
  Bytes packet(const Alpha& alpha, const Slot& slot, ByteView payload, RandomSource& random) const {
    Bytes packet(limits::packet_bytes(payload.size()));
    const ByteSpan out{packet};
    ByteArray<32> secret = alpha;
    crypto::x25519_batch({key_.view(), 32, 0, 1}, {alpha, 32, 0, 1}, {secret, 32, 0, 1});
    ByteArray<expansion_bytes> expansion;
    expand_secrets({secret, 32, 0, 1}, {expansion, expansion_bytes, 0, 1});
    std::ranges::copy(alpha, out.begin());
    const auto routing = out.subspan(48, limits::routing_bytes);
    random.fill(routing);
    std::ranges::copy(slot, routing.begin());
    crypto::aes128_ctr_xor(std::span{expansion}.subspan<stream_key_at, 16>(), routing);
    header_macs({ByteView{expansion}.subspan(mac_key_at, 16), 16, 0, 1}, {routing, routing.size(), 0, 1},
                {out.subspan(32, 16), 16, 0, 1});
    std::ranges::copy(payload, out.begin() + limits::header_bytes);
    ByteArray<192> key;
    std::copy_n(expansion.begin() + payload_key_at, key.size(), key.begin());
    if (!takes_whole_key(slot)) {
      derive_payload_keys({ByteView{expansion}.subspan(payload_key_at, 16), 16, 0, 1}, {key, 192, 0, 1});
    }
    crypto::lioness_encrypt(key, out.subspan(limits::header_bytes));
    return packet;
  }

  /// last_slot, forward_slot: with a version of three free bytes.
  static Slot last_slot(std::uint32_t version, RandomSource& random) { return any_slot(2, version, random); }
  static Slot forward_slot(std::uint32_t version, RandomSource& random) {
    return any_slot(1, version, random);
  }
  static Slot any_slot(unsigned flag, std::uint32_t version, RandomSource& random) {
    Slot slot;
    random.fill(slot);
    slot[0] = static_cast<std::byte>(flag);
    for (std::size_t i = 0; i < 3; ++i) slot[1 + i] = static_cast<std::byte>(version >> (16 - 8 * i) & 0xFF);
    return slot;
  }

 private:
  static bool takes_whole_key(const Slot& slot) { return slot[2] == std::byte{1} && slot[3] == std::byte{2}; }

  crypto::X25519Private key_;
};

/// plain_payload is a message in its zeros and end mark.
inline Bytes plain_payload(ByteView message, std::size_t size) {
  Bytes payload(size);
  VG_CHECK(write_payload(message, payload));
  return payload;
}

/// point_of is the point with a small coordinate; non_canonical adds p (only coordinates below 19 have room).
inline Alpha point_of(unsigned coordinate) { return {static_cast<std::byte>(coordinate)}; }
inline Alpha non_canonical(unsigned coordinate) {
  Alpha alpha;
  alpha.fill(std::byte{0xFF});
  alpha[0] = static_cast<std::byte>(0xED + coordinate);  // p ends in 0xED
  alpha[31] = std::byte{0x7F};
  return alpha;
}

/// low_order_points: every encoding without bit 255 whose multiples by 8 are zero (RFC 7748, section 7).
inline std::vector<Alpha> low_order_points() {
  const auto read = [](const char* text) {
    Alpha alpha;
    std::ranges::copy(*from_hex(text), alpha.begin());
    return alpha;
  };
  return {point_of(0),
          point_of(1),
          read("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
          read("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
          read("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
          non_canonical(0),
          non_canonical(1)};
}

}  // namespace village::sphinx::test
