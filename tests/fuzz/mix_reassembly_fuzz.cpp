// Fragments in any order and shape: sums stay right, bounds hold, and a finished message is what was put in.
// Input: records of 8 bytes: message, index, count, type | size, sender | answers, time step, seed.
#include <cstdint>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/mix/reassembly.hpp"

using namespace village;

namespace {

constexpr std::size_t piece = 64;
using Taken = mix::Reassembly::Taken;

struct World {
  mix::Reassembly::Options options{6'000, 3'000, 12};
  mix::Reassembly reassembly{piece, options};
  Instant now{std::chrono::hours{1}};
  std::uint64_t receipt = 0;
  std::size_t out = 0;  // receipts that came back

  void step(const std::uint8_t* in) {
    mix::PlainPayload fragment;
    fragment.message_id[0] = std::byte(in[0] % 16);
    fragment.index = in[1] % 40;
    fragment.count = static_cast<std::uint16_t>(1 + in[2] % 40);
    if (fragment.index >= fragment.count) fragment.index = static_cast<std::uint16_t>(fragment.count - 1);
    fragment.type = in[3] % 8 == 0 ? mix::PayloadType::reply : mix::PayloadType::data;
    // Most fragments have the size they must have.
    const bool last = fragment.index + 1 == fragment.count;
    const std::size_t size = in[4] < 200 ? (last ? 1 + in[2] % piece : piece) : 1 + in[4] % 100;
    Bytes data(size);
    SeededRandom{in[7] < 240 ? fragment.index * 16U + in[0] % 16U : in[7]}.fill(data);
    fragment.data = data;
    mix::Arrival arrival;
    arrival.receipt = ++receipt;
    if (fragment.index == 0) arrival.sender = crypto::Ed25519Public{std::byte(in[5] % 4)};
    if (fragment.type == mix::PayloadType::reply) arrival.answers = mix::Answers{{std::byte(in[5] % 2)}, {}};
    take(fragment, arrival);
    if (in[6] > 250) out += reassembly.expire(now += std::chrono::minutes{in[6] - 250}).size();
    if (in[6] == 250) reassembly.forget_receipts();
    if (in[6] == 249) out += reassembly.discard(fragment.message_id).size();
    VG_CHECK(reassembly.bytes() <= options.bytes_max);
    VG_CHECK(reassembly.messages() <= options.messages_max);
  }

  void take(const mix::PlainPayload& fragment, const mix::Arrival& arrival) {
    const bool had = reassembly.has(fragment.message_id, fragment.index);
    const auto taken = reassembly.take(fragment, arrival, now);
    VG_CHECK(had == (taken == Taken::repeated || taken == Taken::resumed) || taken == Taken::conflict);
    if (taken != Taken::complete) return;
    const auto message = reassembly.finish(fragment.message_id);
    out += message.receipts.size();
    VG_CHECK(message.sealed.size() > (fragment.count - 1U) * piece);
    VG_CHECK(message.sealed.size() <= fragment.count * piece);
    VG_CHECK(!reassembly.has(fragment.message_id));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  for (std::size_t at = 0; at + 8 <= size && at < 8 * 512; at += 8) world.step(data + at);
  VG_CHECK(world.out + world.reassembly.receipts() <= world.receipt);
  world.reassembly.expire(world.now + std::chrono::hours{2});
  VG_CHECK(world.reassembly.messages() == 0);
  VG_CHECK(world.reassembly.bytes() == 0);
  VG_CHECK(world.reassembly.receipts() == 0);
  return 0;
}
