#include "village/sphinx/create.hpp"

#include <algorithm>

#include "sphinx/key_schedule.hpp"
#include "sphinx/slot.hpp"
#include "village/base/check.hpp"
#include "village/crypto/key_stream.hpp"
#include "village/crypto/lioness.hpp"
#include "village/sphinx/payload.hpp"

namespace village::sphinx {
namespace {

using crypto::ConstRows;
using crypto::Rows;
using crypto::Secret;
using limits::hops_max, limits::mac_bytes, limits::routing_bytes, limits::slot_bytes;

/// A node decrypts its routing bytes with one slot of zeros behind them.
constexpr std::size_t stream_bytes = routing_bytes + slot_bytes;
constexpr std::size_t routing_at = limits::alpha_bytes + mac_bytes;

ByteArray<32> base_point() { return {std::byte{9}}; }

Rows row_out(ByteSpan bytes) { return {bytes, bytes.size(), 0, 1}; }
ConstRows row_in(ByteView bytes) { return {bytes, bytes.size(), 0, 1}; }

void xor_into(ByteSpan out, ByteView with) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= with[i];
}

}  // namespace

ByteView PayloadKeys::material(std::size_t hop) const {
  VG_CHECK(hop < count_);
  if (version_ == Version::payload_keys) return keys_[hop].view();
  return seeds_[hop].view();
}

const ReplayTag& PayloadKeys::tag(std::size_t hop) const {
  VG_CHECK(hop < count_);
  return tags_[hop];
}

void PayloadKeys::add(std::size_t hop, ByteSpan payload) const {
  VG_CHECK(hop < count_ && payload.size() >= limits::payload_bytes_min);
  crypto::lioness_encrypt(keys_[hop].view(), payload);
}

void PayloadKeys::remove(std::size_t hop, ByteSpan payload) const {
  VG_CHECK(hop < count_ && payload.size() >= limits::payload_bytes_min);
  crypto::lioness_decrypt(keys_[hop].view(), payload);
}

void PayloadKeys::add_all(ByteSpan payload) const {
  for (auto hop = count_; hop > 0; --hop) add(hop - 1, payload);
}

/// HeaderMaker builds one header: exchange(), then write(), then payload_keys().
class HeaderMaker {
 public:
  HeaderMaker(std::span<const Hop> hops, Version version) : hops_{hops}, version_{version} {}

  /// exchange finds the secret of every hop. In round i the scalar of hop i's predecessor is applied to the
  /// points of all hops from i on, in one call.
  Result<void> exchange(RandomSource& random, std::span<std::byte, limits::alpha_bytes> alpha) {
    std::array<ByteArray<32>, hops_max + 1> points;
    points[0] = base_point();
    for (std::size_t i = 0; i < hops_.size(); ++i) points[i + 1] = hops_[i].key;
    Secret<32> scalar;
    random.fill(scalar.fill());
    auto round = std::span{points}.first(hops_.size() + 1);
    bool low_order = multiply(scalar, round);
    std::ranges::copy(points[0], alpha.begin());
    for (std::size_t i = 0; i < hops_.size(); ++i) {
      round = round.subspan(1);
      expand_secrets(row_in(round[0]), row_out(expansions_[i].fill()));
      if (round.size() == 1) break;
      std::ranges::copy(expansions_[i].view().subspan<blinding_at, 32>(), scalar.fill().begin());
      low_order |= multiply(scalar, round.subspan(1));
    }
    crypto::wipe(std::as_writable_bytes(std::span{points}));
    if (low_order) return fail(Errc::bad_key);
    return ok();
  }

  /// write fills gamma and beta, from the last hop to the first.
  void write(const Destination& destination, const Identifier& identifier, RandomSource& random, ByteSpan mac,
             std::span<std::byte, routing_bytes> routing) {
    for (std::size_t i = 0; i < hops_.size(); ++i) make_stream(i);
    const auto last = hops_.size() - 1;
    const auto own = routing_bytes - last * slot_bytes;  // what the last hop's plain text takes
    write_last_slot(routing, version_, destination, identifier);
    random.fill(routing.subspan(last_slot_bytes, own - last_slot_bytes));
    xor_into(routing.first(own), streams_[last].view());
    write_filler(routing.subspan(own));
    authenticate(last, routing, mac);
    for (auto i = last; i > 0; --i) {
      std::copy_backward(routing.begin(), routing.end() - slot_bytes, routing.end());
      write_forward_slot(routing, version_, hops_[i].address, hops_[i - 1].delay_ns,
                         std::span<const std::byte, mac_bytes>{mac.first<mac_bytes>()});
      xor_into(routing, streams_[i - 1].view());
      authenticate(i - 1, routing, mac);
    }
  }

  PayloadKeys payload_keys() const {
    PayloadKeys keys;
    keys.version_ = version_;
    keys.count_ = hops_.size();
    for (std::size_t i = 0; i < hops_.size(); ++i) {
      const auto expansion = expansions_[i].view();
      std::ranges::copy(expansion.subspan<tag_at, 32>(), keys.tags_[i].begin());
      const auto seed = expansion.subspan<payload_key_at, limits::payload_seed_bytes>();
      std::ranges::copy(seed, keys.seeds_[i].fill().begin());
      if (version_ == Version::payload_seeds) {
        derive_payload_keys(row_in(seed), row_out(keys.keys_[i].fill()));
      } else {
        const auto key = expansion.subspan<payload_key_at, limits::payload_key_bytes>();
        std::ranges::copy(key, keys.keys_[i].fill().begin());
      }
    }
    return keys;
  }

 private:
  /// multiply: true if a product is zero.
  static bool multiply(const Secret<32>& scalar, std::span<ByteArray<32>> points) {
    const auto scalars = ConstRows::repeated(scalar.view(), points.size());
    return exchange_batch(scalars, Rows{points}, Rows{points}) != 0;
  }

  void make_stream(std::size_t hop) {
    const auto key = expansions_[hop].view().subspan<stream_key_at, stream_key_bytes>();
    crypto::aes128_ctr_xor(key, streams_[hop].fill());
  }

  /// write_filler: what the decryptions of all hops before the last make of the zeros that each appends.
  void write_filler(ByteSpan filler) const {
    std::ranges::fill(filler, std::byte{0});
    for (std::size_t i = 0; i + 1 < hops_.size(); ++i) {
      const auto bytes = (i + 1) * slot_bytes;
      xor_into(filler.first(bytes), streams_[i].view().last(bytes));
    }
  }

  void authenticate(std::size_t hop, ByteView routing, ByteSpan mac) const {
    const auto key = expansions_[hop].view().subspan<mac_key_at, mac_key_bytes>();
    header_macs(row_in(key), row_in(routing), row_out(mac));
  }

  std::span<const Hop> hops_;
  Version version_;
  std::array<Secret<expansion_bytes>, hops_max> expansions_;
  std::array<Secret<stream_bytes>, hops_max> streams_;
};

Result<PayloadKeys> create_header(std::span<const Hop> hops, const Destination& destination,
                                  const Identifier& identifier,
                                  std::span<std::byte, limits::header_bytes> header, RandomSource& random,
                                  Version version) {
  if (hops.empty() || hops.size() > hops_max) return fail(Errc::bad_argument, hops.size());
  HeaderMaker maker{hops, version};
  VG_TRY_VOID(maker.exchange(random, header.first<limits::alpha_bytes>()));
  maker.write(destination, identifier, random, header.subspan<limits::alpha_bytes, mac_bytes>(),
              header.subspan<routing_at>());
  return maker.payload_keys();
}

Result<void> create_packet(std::span<const Hop> hops, const Destination& destination,
                           const Identifier& identifier, ByteView message, ByteSpan packet,
                           RandomSource& random, Version version) {
  if (packet.size() < limits::packet_bytes(limits::payload_bytes_min) ||
      packet.size() > limits::packet_bytes(limits::payload_bytes_max))
    return fail(Errc::bad_argument, packet.size());
  const auto payload = packet.subspan(limits::header_bytes);
  VG_TRY_VOID(write_payload(message, payload));
  VG_TRY(keys,
         create_header(hops, destination, identifier, packet.first<limits::header_bytes>(), random, version));
  keys.add_all(payload);
  return ok();
}

}  // namespace village::sphinx
