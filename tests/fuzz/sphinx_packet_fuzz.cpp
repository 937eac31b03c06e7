// A packet for one node, alone and in a batch.
//
//   byte 0   bit 0: the rest is a packet, else: alpha 32 | slot 60 | plain payload, behind a MAC that holds
//            bits 1-6: its place in the batch
#include <algorithm>
#include <cstdint>

#include "sphinx/forge.hpp"
#include "village/base/check.hpp"
#include "village/sphinx/unwrap_batch.hpp"

using namespace village;
using namespace village::sphinx;

namespace {

constexpr std::size_t forged_front = limits::alpha_bytes + limits::slot_bytes;

const crypto::X25519Private& node_key() {
  static const crypto::X25519Private key{ByteArray<32>{std::byte{7}, std::byte{9}}};
  return key;
}

bool is_profile(std::size_t payload_bytes) {
  return payload_bytes >= limits::payload_bytes_min && payload_bytes <= limits::payload_bytes_max;
}

Bytes forged(ByteView input) {
  static const test::Forger forger{node_key()};
  SeededRandom random{1};
  test::Alpha alpha;
  test::Slot slot;
  std::copy_n(input.begin(), alpha.size(), alpha.begin());
  std::copy_n(input.begin() + limits::alpha_bytes, slot.size(), slot.begin());
  return forger.packet(alpha, slot, input.subspan(forged_front), random);
}

/// check_alone: a refused packet is not changed, a slot is read as it was written.
Reject check_alone(const Bytes& packet, std::size_t payload_bytes, Bytes& after) {
  after = packet;
  Unwrapped found;
  const auto reject = unwrap(node_key(), payload_bytes, after, found);
  VG_CHECK(after.size() == packet.size());
  VG_CHECK(reject == Reject::none || after == packet);
  if (reject == Reject::none && found.routing.last) {
    const ByteView payload = ByteView{after}.subspan(limits::header_bytes);
    if (const auto message = open_payload(payload)) VG_CHECK(message->size() + 17 <= payload.size());
  }
  return reject;
}

void check_batch(const Bytes& packet, std::size_t payload_bytes, std::size_t place, Reject reject,
                 const Bytes& after) {
  std::vector<Bytes> packets(place + 1, Bytes(limits::packet_bytes(payload_bytes)));
  packets[place] = packet;
  UnwrapBatch batch{payload_bytes};
  const auto good = batch.open(node_key(), std::vector<ByteSpan>{packets.begin(), packets.end()});
  VG_CHECK(batch.reject(place) == reject && (good >> place & 1) == (reject == Reject::none ? 1 : 0));
  batch.finish(good);
  VG_CHECK(packets[place] == after);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = as_bytes(data, size).subspan(1);
  Bytes packet;
  if ((data[0] & 1) != 0) {
    packet = to_bytes(input);
  } else {
    if (input.size() < forged_front || !is_profile(input.size() - forged_front)) return 0;
    packet = forged(input);
  }
  const auto wanted = packet.size() < limits::header_bytes ? 0 : packet.size() - limits::header_bytes;
  const auto payload_bytes = is_profile(wanted) ? wanted : limits::payload_bytes_min;
  Bytes after;
  const auto reject = check_alone(packet, payload_bytes, after);
  VG_CHECK((data[0] & 1) != 0 || reject != Reject::mac);
  check_batch(packet, payload_bytes, data[0] >> 1 & 15, reject, after);
  return 0;
}
