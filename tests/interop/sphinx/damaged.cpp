#include "interop/sphinx/damaged.hpp"

#include <set>

#include "sphinx/forge.hpp"

namespace village::interop {

using namespace sphinx;
using sphinx::test::Alpha;
using sphinx::test::Forger;
using sphinx::test::non_canonical;
using sphinx::test::plain_payload;
using sphinx::test::point_of;

namespace {

constexpr std::size_t size = limits::payload_bytes_n2048;

/// fate is what we do with a packet; whatever a last hop gets is opened as well.
Reject fate(Comparison& both, const crypto::X25519Private& key, Bytes packet, std::string* tag = nullptr,
            Bytes* after = nullptr) {
  Unwrapped found;
  const auto reject = both.unwrap(key, size, packet, found);
  if (reject != Reject::none) return reject;
  if (tag != nullptr) *tag = to_hex(found.tag);
  if (after != nullptr) *after = packet;
  if (found.routing.last) both.open_payload(ByteView{packet}.subspan(limits::header_bytes));
  return reject;
}

/// expect_stricter: we refuse with `reason`, the crate's release build accepts.
void expect_stricter(Comparison& both, const crypto::X25519Private& key, const Bytes& packet, Reject reason) {
  const auto before = both.stricter[std::string{name(reason)}];
  both.expect(fate(both, key, packet) == reason, "not refused as " + std::string{name(reason)});
  both.expect(both.stricter[std::string{name(reason)}] == before + 1,
              "the crate refuses too: " + std::string{name(reason)});
}

struct Node {
  crypto::X25519KeyPair pair;
  Forger forger;
  explicit Node(RandomSource& random)
      : pair{crypto::X25519KeyPair::generate(random)}, forger{pair.private_key} {}
  const crypto::X25519Private& key() const { return pair.private_key; }
};

}  // namespace

void damaged_bits(Comparison& both) {
  auto& random = both.random;
  const Route route{1 + random.below(limits::hops_max), random};
  Bytes packet(limits::packet_bytes(size));
  both.expect(create_packet(route.hops, route.destination, route.identifier, random_bytes(800, random),
                            packet, random)
                  .has_value(),
              "no packet");
  const auto target = random.below(route.hops.size());
  Unwrapped found;
  for (std::size_t i = 0; i < target; ++i) both.unwrap(route.keys[i], size, packet, found);
  const auto flipped = [&](std::size_t at, std::uint64_t bit) {
    auto copy = packet;
    copy[at] ^= std::byte{1} << bit;
    return fate(both, route.keys[target], copy);
  };
  for (std::size_t at = 32; at < limits::header_bytes; ++at)
    both.expect(flipped(at, random.below(8)) == Reject::mac, "a flip in the header");
  for (std::size_t bit = 0; bit < 256; ++bit)
    both.expect(flipped(bit / 8, bit % 8) == (bit == 255 ? Reject::none : Reject::mac), "a flip in alpha");
  for (int i = 0; i < 16; ++i)
    both.expect(flipped(limits::header_bytes + random.below(size), random.below(8)) == Reject::none,
                "a flip in the payload, which no node but the last can see");
  flipped(packet.size() - 1, 7);
}

void damaged_lengths(Comparison& both) {
  auto& random = both.random;
  const Node node{random};
  const auto packet = node.forger.packet(point_of(9), Forger::last_slot(259, random), Bytes(size), random);
  constexpr std::ptrdiff_t refused_by_both[] = {0, 1, 31, 32, 47, 48, 347, 348, 364, 365, 379, 380};
  for (const auto bytes : refused_by_both) {
    const auto before = both.stricter["length"];
    both.expect(fate(both, node.key(), Bytes{packet.begin(), packet.begin() + bytes}) == Reject::length,
                "a length");
    both.expect(both.stricter["length"] == before, "the crate takes " + std::to_string(bytes) + " bytes");
  }
  for (const int bytes : {381, 386, 1372, 2047, 2049, 2413, 4096}) {
    auto other = packet;
    other.resize(static_cast<std::size_t>(bytes));
    expect_stricter(both, node.key(), other, Reject::length);
  }
}

void forged_slots(Comparison& both) {
  auto& random = both.random;
  const Node node{random};
  const auto slot = [&](unsigned flag, std::uint32_t version) {
    return node.forger.packet(point_of(9), Forger::any_slot(flag, version, random), plain_payload({}, size),
                              random);
  };
  for (unsigned flag = 0; flag < 256; ++flag) {
    const bool known = flag == 1 || flag == 2;
    both.expect(fate(both, node.key(), slot(flag, 259)) == (known ? Reject::none : Reject::flag), "a flag");
    if (!known) both.expect(fate(both, node.key(), slot(flag, 7)) == Reject::flag, "a flag before a version");
  }
  for (const unsigned flag : {1u, 2u}) {
    both.expect(fate(both, node.key(), slot(flag, 258)) == Reject::none, "version 258");
    for (const std::uint32_t version : {0u, 1u, 2u, 255u, 256u, 257u, 260u, 512u, 65535u})
      expect_stricter(both, node.key(), slot(flag, version), Reject::version);
    for (const std::uint32_t first : {1u, 2u, 128u, 255u}) {
      for (const std::uint32_t version : {257u, 258u, 259u})
        expect_stricter(both, node.key(), slot(flag, first << 16 | version), Reject::version);
    }
  }
}

void forged_points(Comparison& both) {
  auto& random = both.random;
  const Node node{random};
  const auto payload = random_bytes(size, random);
  for (auto alpha : sphinx::test::low_order_points()) {
    for (const unsigned top : {0u, 0x80u}) {
      alpha[31] |= static_cast<std::byte>(top);
      for (const auto& slot : {Forger::forward_slot(259, random), Forger::last_slot(259, random)})
        expect_stricter(both, node.key(), node.forger.packet(alpha, slot, payload, random),
                        Reject::low_order);
    }
  }
  for (unsigned coordinate = 2; coordinate < 19; ++coordinate) {
    const auto packet =
        node.forger.packet(point_of(coordinate), Forger::forward_slot(259, random), payload, random);
    std::set<std::string> tags, after;
    for (const auto& alpha : {point_of(coordinate), non_canonical(coordinate)}) {
      for (const unsigned top : {0u, 0x80u}) {
        auto copy = packet;
        std::ranges::copy(alpha, copy.begin());
        copy[31] |= static_cast<std::byte>(top);
        std::string tag;
        Bytes sent_on;
        both.expect(fate(both, node.key(), copy, &tag, &sent_on) == Reject::none, "an encoding of a point");
        tags.insert(tag);
        after.insert(to_hex(sent_on));
      }
    }
    both.expect(tags.size() == 1 && after.size() == 1, "encodings of a point that differ");
  }
}

void forged_payloads(Comparison& both) {
  auto& random = both.random;
  const Node node{random};
  const auto outcome = [&](const Bytes& payload) {
    auto packet = node.forger.packet(point_of(9), Forger::last_slot(259, random), payload, random);
    Unwrapped found;
    both.expect(both.unwrap(node.key(), size, packet, found) == Reject::none, "a last packet");
    return both.open_payload(ByteView{packet}.subspan(limits::header_bytes));
  };
  both.expect(!outcome(Bytes(size)), "no end mark");
  both.expect(!outcome(random_bytes(size, random)), "noise");
  for (const auto bytes : {std::size_t{0}, std::size_t{1}, std::size_t{900}, message_bytes_max(size)}) {
    const auto payload = plain_payload(Bytes(bytes, std::byte{1}), size);
    both.expect(outcome(payload), "a message of end marks");
    for (std::size_t at = 0; at < 16; ++at) {
      auto damaged = payload;
      damaged[at] ^= std::byte{1} << random.below(8);
      both.expect(!outcome(damaged), "a byte among the zeros");
    }
    const auto before = both.stricter["payload_tail"];
    const auto tail = size - 17 - bytes;
    for (std::size_t at = 0; at < std::min<std::size_t>(tail, 8); ++at) {
      auto damaged = payload;
      damaged[size - 1 - at] = static_cast<std::byte>(2 + random.below(254));
      both.expect(!outcome(damaged), "a tail");
    }
    both.expect(both.stricter["payload_tail"] == before + std::min<std::size_t>(tail, 8),
                "the crate refuses a tail too");
  }
}

}  // namespace village::interop
