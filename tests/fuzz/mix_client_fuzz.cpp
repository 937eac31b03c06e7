// A client under a hostile gateway: deliveries of any plain payload, with time going on and sessions begun
// anew. Input: records u8 kind | u16 length | bytes, the last one short. kind 0: the bytes are a payload; 1:
// they are a plain payload, padded; 2: a fragment sealed for this client around them; 3: time; 4: session.
#include <algorithm>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/mix/client.hpp"
#include "village/mix/fragments.hpp"
#include "village/sphinx/payload.hpp"
#include "village/wire/reader.hpp"

using namespace village;

namespace {

constexpr std::size_t payload_bytes = 1'700, capacity = 1'683;

struct World {
  SeededRandom random{1};
  crypto::Ed25519KeyPair key = crypto::Ed25519KeyPair::generate(random);
  Instant now{std::chrono::hours{1}};
  WallTime wall{std::chrono::hours{490'000}};
  mix::Client client{key, mix::ClientOptions{wire::NodeId::of(key.public_key)}, random, now};
  std::uint64_t receipt = 0;
  std::uint64_t received = 0;

  void deliver(ByteView plain) {
    Bytes payload(payload_bytes);
    VG_CHECK(sphinx::write_payload(plain, payload).has_value());
    deliver_raw(payload);
  }
  void deliver_raw(ByteView payload) {
    sphinx::Identifier identifier{};
    client.on_delivery(++receipt, identifier, payload, now, wall);
    drain();
  }
  void drain() {
    while (auto event = client.poll_event()) {
      auto* message = std::get_if<mix::MessageReceived>(&*event);
      if (message == nullptr) continue;
      ++received;
      (void)client.reply(message->id, as_bytes("answer"), std::chrono::seconds{10}, now, wall);
      if (received % 2 == 0) client.confirm(message->id);
    }
    std::array<std::uint64_t, 8> receipts{};
    (void)client.poll_receipts(receipts);
  }
  /// deliver_sealed seals the bytes as a body would be: what a hostile sender, not a gateway, can do.
  void deliver_sealed(ByteView message) {
    mix::MessageId id{};
    std::copy_n(message.begin(), std::min<std::size_t>(message.size(), 2), id.begin());
    const auto sealed =
        mix::seal_message(mix::MessageIdentity{key}, key.public_key, id, {}, message, wall, random);
    VG_CHECK(sealed.has_value());
    const auto piece = mix::fragment_data_bytes(capacity);
    const auto count = mix::fragment_count(sealed->bytes.size(), piece);
    for (std::size_t i = count; i > 0; --i) {
      mix::PlainPayload fragment;
      fragment.type = mix::PayloadType::data;
      fragment.message_id = id;
      fragment.index = static_cast<std::uint16_t>(i - 1);
      fragment.count = static_cast<std::uint16_t>(count);
      fragment.data = mix::fragment_of(sealed->bytes, i - 1, piece);
      Bytes plain(capacity);
      VG_CHECK(mix::write_plain_payload(fragment, plain).has_value());
      deliver(plain);
    }
  }
  void step(std::uint8_t kind, ByteView bytes) {
    switch (kind % 5) {
      case 0:
        return deliver_raw(bytes);
      case 1: {
        auto plain = to_bytes(bytes);
        plain.resize(capacity);
        return deliver(plain);
      }
      case 2:
        return deliver_sealed(bytes);
      case 3: {
        const Duration time = std::chrono::minutes{bytes.size()};
        now += time;
        wall += time;
        client.on_deadline(now, wall);
        return drain();
      }
      default:
        return client.on_session(now);
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  World world;
  wire::Reader reader{as_bytes(data, size)};
  for (int steps = 0; steps < 64; ++steps) {
    const auto kind = reader.u8();
    const auto length = reader.u16();
    if (!kind || !length) break;
    const auto bytes = reader.bytes(std::min<std::size_t>(*length, reader.remaining()));
    world.step(*kind, *bytes);
  }
  VG_CHECK(world.client.reassembly().bytes() <= mix::limits::reassembly_bytes_max);
  VG_CHECK(world.client.counters().received == world.received);
  return 0;
}
