#include "village/sphinx/surb.hpp"

#include "sphinx/support.hpp"

namespace village::sphinx::test {
namespace {

struct Created {
  Path path;
  Destination destination;
  Identifier identifier;
  Result<CreatedReplyBlock> made;

  Created(std::size_t hops, RandomSource& random)
      : path{hops, random},
        destination{random_array<32>(random)},
        identifier{random_array<16>(random)},
        made{create_reply_block(path.hops, destination, identifier, random)} {
    EXPECT_TRUE(made);
  }
};

/// travel takes a packet through all hops and returns what the last finds.
Routing travel(const Path& path, ByteSpan packet) {
  Unwrapped found;
  for (const auto& key : path.keys)
    EXPECT_EQ(unwrap(key, packet.size() - limits::header_bytes, packet, found), Reject::none);
  EXPECT_TRUE(found.routing.last);
  return found.routing;
}

TEST(ReplyBlock, BringsAReplyToItsCreatorAlone) {
  SeededRandom random{41};
  for (const auto size : {limits::payload_bytes_n2048, limits::payload_bytes_nreg}) {
    for (std::size_t hops = 1; hops <= limits::hops_max; ++hops) {
      const Created created{hops, random};
      const auto message = random_bytes(random.below(message_bytes_max(size) + 1), random);
      Bytes packet(limits::packet_bytes(size));
      const auto first = use_reply_block(created.made->block, message, packet);
      ASSERT_TRUE(first);
      EXPECT_EQ(*first, created.path.hops[0].address);
      const auto routing = travel(created.path, packet);
      EXPECT_EQ(routing.destination, created.destination);
      EXPECT_EQ(routing.identifier, created.identifier);
      const auto payload = ByteSpan{packet}.subspan(limits::header_bytes);
      // One hop is the degenerate case: its layer is the only one, and it comes off there.
      EXPECT_EQ(open_payload(payload).has_value(), hops == 1);
      const auto opened = open_reply(created.made->keys, payload);
      ASSERT_TRUE(opened) << hops;
      EXPECT_EQ(to_bytes(*opened), message);
    }
  }
}

TEST(ReplyBlock, HasTheSameSizeForEveryPathAndHidesAllKeysButTheLast) {
  SeededRandom random{42};
  for (std::size_t hops = 1; hops <= limits::hops_max; ++hops) {
    const Created created{hops, random};
    const auto text = to_hex(created.made->block.bytes);
    EXPECT_EQ(text.size(), 2 * 396u);
    EXPECT_EQ(created.made->keys.size(), hops);
    for (std::size_t i = 0; i < hops; ++i)
      EXPECT_EQ(text.find(to_hex(created.made->keys.seed(i))) != std::string::npos, i + 1 == hops);
  }
}

TEST(ReplyBlock, DamagedRepliesAreRefused) {
  SeededRandom random{43};
  const Created created{4, random};
  Bytes packet(2048);
  ASSERT_TRUE(use_reply_block(created.made->block, as_bytes("text"), packet));
  packet[limits::header_bytes + random.below(1700)] ^= std::byte{1};
  travel(created.path, packet);
  EXPECT_EQ(open_reply(created.made->keys, ByteSpan{packet}.subspan(limits::header_bytes)).error().code,
            Errc::malformed);
  Bytes small(limits::payload_bytes_min - 1);
  EXPECT_EQ(open_reply(created.made->keys, small).error().code, Errc::malformed);
}

TEST(ReplyBlock, RefusesPacketsAndMessagesThatDoNotFit) {
  SeededRandom random{44};
  const Created created{3, random};
  Bytes packet(2048);
  EXPECT_EQ(use_reply_block(created.made->block, Bytes(1684), packet).error().code, Errc::limit_exceeded);
  EXPECT_EQ(use_reply_block(created.made->block, {}, ByteSpan{packet}.first(385)).error().code,
            Errc::bad_argument);
}

TEST(Surb, OfAllKeysDeliversAPlainPayloadInBothVersions) {
  SeededRandom random{45};
  for (const auto version : {Version::payload_seeds, Version::payload_keys}) {
    for (std::size_t hops = 1; hops <= limits::hops_max; ++hops) {
      const Path path{hops, random};
      const auto surb = create_surb(path.hops, {}, {}, random, version);
      ASSERT_TRUE(surb);
      EXPECT_EQ(surb->size(), 380 + hops * (version == Version::payload_seeds ? 16 : 192));
      Bytes packet(2048);
      ASSERT_TRUE(use_surb(*surb, as_bytes("text"), packet));
      travel(path, packet);
      const auto message = open_payload(ByteView{packet}.subspan(limits::header_bytes));
      ASSERT_TRUE(message);
      EXPECT_EQ(as_text(*message), "text");
    }
  }
}

TEST(Surb, OfAllKeysIsRefusedForLengthsBetween) {
  Bytes packet(2048);
  for (std::size_t size = 0; size < 380 + 3 * 192; ++size) {
    const auto keys = size < 380 ? 0 : size - 380;
    const bool right = keys >= 16 && keys % (keys < 192 ? 16 : 192) == 0;
    EXPECT_EQ(use_surb(Bytes(size), {}, packet).has_value(), right) << size;
  }
}

}  // namespace
}  // namespace village::sphinx::test
