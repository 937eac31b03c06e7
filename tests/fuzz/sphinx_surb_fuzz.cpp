// Reply blocks and replies from strangers.
//
//   byte 0   0 an all-keys block, 1 one of ours (the front of the rest), else the payload of a reply
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/sphinx/surb.hpp"

using namespace village;
using namespace village::sphinx;

namespace {

void check_reply(ByteView block, const Result<NodeAddress>& first, ByteView packet) {
  if (!first) return;
  VG_CHECK(std::ranges::equal(*first, block.subspan(limits::header_bytes, first->size())));
  VG_CHECK(std::ranges::equal(packet.first(limits::header_bytes), block.first(limits::header_bytes)));
}

void use_all_keys(ByteView block) {
  constexpr std::size_t front = limits::header_bytes + 32;
  Bytes packet(limits::packet_bytes(limits::payload_bytes_min));
  const auto first = use_surb(block, as_bytes("reply"), packet);
  const auto keys = block.size() < front ? 0 : block.size() - front;
  const auto each = keys < limits::payload_key_bytes ? limits::payload_seed_bytes : limits::payload_key_bytes;
  VG_CHECK(first.has_value() == (keys > 0 && keys % each == 0));
  check_reply(block, first, packet);
}

void use_ours(ByteView bytes) {
  ReplyBlock block;
  std::copy_n(bytes.begin(), std::min(bytes.size(), block.bytes.size()), block.bytes.begin());
  Bytes packet(limits::packet_bytes(limits::payload_bytes_n2048));
  const auto first = use_reply_block(block, bytes.first(std::min<std::size_t>(bytes.size(), 1683)), packet);
  VG_CHECK(first.has_value());
  check_reply(block.bytes, first, packet);
}

void open(ByteView bytes) {
  static const auto keys = [] {
    SeededRandom random{1};
    std::array<Hop, 3> hops;
    for (auto& hop : hops) hop.key = crypto::X25519KeyPair::generate(random).public_key;
    return create_reply_block(hops, {}, {}, random).value().keys;
  }();
  auto payload = to_bytes(bytes);
  if (const auto message = open_reply(keys, payload)) VG_CHECK(message->size() + 17 <= payload.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto input = as_bytes(data, size).subspan(1);
  if (data[0] == 0) {
    use_all_keys(input);
  } else if (data[0] == 1) {
    use_ours(input);
  } else {
    open(input);
  }
  return 0;
}
