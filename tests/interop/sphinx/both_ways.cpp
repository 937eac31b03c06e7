// Packets and replies that one side makes and both open at every hop.
#include "interop/sphinx/both_ways.hpp"

#include <algorithm>

#include "village/sphinx/payload.hpp"
#include "village/sphinx/surb.hpp"

namespace village::interop {

using namespace sphinx;

namespace {

struct Case {
  std::size_t size;
  Version version;
  Route route;
  Bytes message;

  explicit Case(RandomSource& random)
      : size{random.below(2) == 0 ? limits::payload_bytes_n2048 : limits::payload_bytes_nreg},
        version{random.below(4) == 0 ? Version::payload_keys : Version::payload_seeds},
        route{1 + random.below(limits::hops_max), random},
        message{random_bytes(random.below(message_bytes_max(size) + 1), random)} {}

  Bytes empty_packet() const { return Bytes(limits::packet_bytes(size)); }
};

/// travel takes a packet through all hops; false if it does not get there.
bool travel(Comparison& both, const Case& made, Bytes& packet) {
  for (std::size_t i = 0; i < made.route.hops.size(); ++i) {
    Unwrapped found;
    if (both.unwrap(made.route.keys[i], made.size, packet, found) != Reject::none) return false;
    const bool last = i + 1 == made.route.hops.size();
    if (found.routing.last != last) return false;
    if (last && (found.routing.destination != made.route.destination ||
                 found.routing.identifier != made.route.identifier))
      return false;
    if (!last && (found.routing.next != made.route.hops[i + 1].address ||
                  found.routing.delay_ns != made.route.hops[i].delay_ns))
      return false;
  }
  return true;
}

void expect_delivered(Comparison& both, const Case& made, Bytes packet, const std::string& what) {
  both.expect(packet.size() == limits::packet_bytes(made.size), what + ": another size");
  both.expect(travel(both, made, packet), what + ": did not arrive");
  Bytes message;
  both.expect(both.open_payload(ByteView{packet}.subspan(limits::header_bytes), &message),
              what + ": no message");
  both.expect(message == made.message, what + ": another message");
}

Body route_body(const Case& made) {
  Body body;
  body.number(static_cast<std::uint16_t>(made.version), 2);
  return body;
}

/// their_reply is the crate's use of a block.
Answer their_reply(Comparison& both, const Case& made, ByteView block) {
  Body body;
  body.number(made.size, 4).number(block.size(), 4).bytes(block).bytes(made.message);
  return both.peer.ask('r', body);
}

/// expect_same_reply: given one block, both write the same reply. Returns it.
Bytes expect_same_reply(Comparison& both, const Case& made, ByteView block) {
  auto packet = made.empty_packet();
  const auto first = use_surb(block, made.message, packet);
  both.expect(first && *first == made.route.hops[0].address, "a block's first node");
  const auto theirs = their_reply(both, made, block);
  Body ours;
  ours.bytes(made.route.hops[0].address).bytes(packet);
  both.expect(theirs.done && std::ranges::equal(theirs.body, ours.view()), "a reply written otherwise");
  return packet;
}

}  // namespace

void our_packet(Comparison& both) {
  const Case made{both.random};
  auto packet = made.empty_packet();
  both.expect(create_packet(made.route.hops, made.route.destination, made.route.identifier, made.message,
                            packet, both.random, made.version)
                  .has_value(),
              "we made no packet");
  expect_delivered(both, made, packet, "our packet");
}

void their_packet(Comparison& both) {
  const Case made{both.random};
  auto body = route_body(made);
  body.number(made.size, 4);
  const auto packet = both.peer.ask('c', made.route.body(body).bytes(made.message));
  both.expect(packet.done, "the crate made no packet");
  expect_delivered(both, made, packet.body, "their packet");
}

void reply_to_our_surb(Comparison& both) {
  const Case made{both.random};
  const auto block =
      create_surb(made.route.hops, made.route.destination, made.route.identifier, both.random, made.version);
  both.expect(block.has_value(), "we made no block");
  if (block) expect_delivered(both, made, expect_same_reply(both, made, *block), "reply to our block");
}

void reply_to_their_surb(Comparison& both) {
  const Case made{both.random};
  auto body = route_body(made);
  const auto block = both.peer.ask('s', made.route.body(body));
  both.expect(block.done, "the crate made no block");
  if (block.done)
    expect_delivered(both, made, expect_same_reply(both, made, block.body), "reply to their block");
}

void reply_in_our_form(Comparison& both) {
  const Case made{both.random};
  const auto created =
      create_reply_block(made.route.hops, made.route.destination, made.route.identifier, both.random);
  auto packet = made.empty_packet();
  both.expect(created && use_reply_block(created->block, made.message, packet), "our own form");
  both.expect(travel(both, made, packet), "our own form did not arrive");
  const auto message = open_reply(created->keys, ByteSpan{packet}.subspan(limits::header_bytes));
  both.expect(message && std::ranges::equal(*message, made.message), "our own form: another message");
}

void surb_of_any_length(Comparison& both) {
  Case made{both.random};
  for (std::size_t size = 0; size < 380 + 7 * 192; ++size) {
    const auto block = random_bytes(size, both.random);
    auto packet = made.empty_packet();
    const auto first = use_surb(block, made.message, packet);
    const auto theirs = their_reply(both, made, block);
    both.expect(!theirs.panicked, "the crate panicked over a block");
    both.expect(first.has_value() == theirs.done, "a block of " + std::to_string(size) + " bytes");
    ++both.compared;
    if (!first || !theirs.done) continue;
    Body ours;
    ours.bytes(*first).bytes(packet);
    both.expect(std::ranges::equal(theirs.body, ours.view()), "a reply with other bytes");
  }
}

}  // namespace village::interop
