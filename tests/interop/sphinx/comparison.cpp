#include "interop/sphinx/comparison.hpp"

#include <algorithm>

#include "village/sphinx/payload.hpp"

namespace village::interop {

using namespace sphinx;

namespace {

constexpr std::uint64_t shown_max = 20;

/// is_tail: what follows the message is not `01` and zeros.
bool is_tail(ByteView payload) {
  auto end = payload.size();
  while (end > 16 && payload[end - 1] == std::byte{0}) --end;
  return end > 16 && payload[end - 1] != std::byte{1};
}

}  // namespace

void Comparison::expect(bool holds, const std::string& what) {
  if (holds) return;
  if (++failed <= shown_max) std::printf("differs: %s\n", what.c_str());
}

Reject Comparison::unwrap(const crypto::X25519Private& key, std::size_t payload_bytes, Bytes& packet,
                          Unwrapped& found) {
  ++compared;
  const auto theirs = peer.ask('u', Body{}.bytes(key.view()).bytes(packet));
  expect(!theirs.panicked, "the crate panicked");
  const auto reject = sphinx::unwrap(key, payload_bytes, packet, found);
  switch (reject) {
    case Reject::none:
      expect(theirs.done, "accepted by us alone: " + std::string{as_text(theirs.body)});
      if (theirs.done) compare_accepted(theirs, packet, found);
      break;
    case Reject::mac:
    case Reject::flag:
    case Reject::payload:
      expect(!theirs.done, "accepted by the crate alone: " + std::string{name(reject)});
      break;
    case Reject::length:
    case Reject::low_order:
    case Reject::version:
      if (theirs.done) ++stricter[std::string{name(reject)}];
      break;
  }
  return reject;
}

void Comparison::compare_accepted(const Answer& theirs, ByteView packet, const Unwrapped& found) {
  const auto& routing = found.routing;
  Body ours;
  ours.number(routing.last ? 2 : 1, 1)
      .number(static_cast<std::uint16_t>(routing.version), 2)
      .bytes(found.tag);
  if (routing.last) {
    ours.bytes(routing.destination).bytes(routing.identifier).bytes(packet.subspan(limits::header_bytes));
  } else {
    ours.bytes(routing.next).number(routing.delay_ns, 8).bytes(packet);
  }
  expect(std::ranges::equal(ours.view(), theirs.body), "both accepted, with other bytes");
}

bool Comparison::open_payload(ByteView payload, Bytes* message) {
  ++compared;
  const auto theirs = peer.ask('p', Body{}.bytes(payload));
  expect(!theirs.panicked, "the crate panicked over a payload");
  const auto ours = sphinx::open_payload(payload);
  if (ours) {
    expect(theirs.done && std::ranges::equal(*ours, theirs.body), "another message");
    if (message != nullptr) *message = to_bytes(*ours);
  } else if (theirs.done) {
    expect(is_tail(payload), "a payload accepted by the crate alone");
    ++stricter["payload_tail"];
  }
  return ours.has_value();
}

Route::Route(std::size_t count, RandomSource& random) {
  random.fill(destination);
  random.fill(identifier);
  for (std::size_t i = 0; i < count; ++i) {
    auto pair = crypto::X25519KeyPair::generate(random);
    Hop hop{pair.public_key, {}, random.u64()};
    random.fill(hop.address);
    hops.push_back(hop);
    keys.push_back(std::move(pair.private_key));
  }
}

Body& Route::body(Body& out) const {
  out.number(hops.size(), 1);
  for (const auto& hop : hops) out.bytes(hop.key).bytes(hop.address).number(hop.delay_ns, 8);
  return out.bytes(destination).bytes(identifier);
}

Bytes random_bytes(std::size_t size, RandomSource& random) {
  Bytes out(size);
  random.fill(out);
  return out;
}

}  // namespace village::interop
