#include "village/mix/message_seal.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

constexpr WallTime now{std::chrono::hours{490'000}};

class MessageSeal : public testing::Test {
 protected:
  SeededRandom random{11};
  crypto::Ed25519KeyPair alice_key = crypto::Ed25519KeyPair::generate(random);
  crypto::Ed25519KeyPair bob_key = crypto::Ed25519KeyPair::generate(random);
  MessageIdentity alice{alice_key}, bob{bob_key};
  MessageId id{std::byte{1}};

  Bytes some(std::size_t size) {
    Bytes bytes(size);
    random.fill(bytes);
    return bytes;
  }
  Bytes seal(ByteView message, std::span<const OwnedEnvelope> blocks = {}) {
    return seal_message(alice, bob.node_key(), id, blocks, message, now, random).value().bytes;
  }
};

TEST_F(MessageSeal, OpensToTheSameBytesAndNamesTheSender) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1'000}, std::size_t{65'518},
                                 std::size_t{65'519}, std::size_t{131'038}, limits::message_bytes_max}) {
    const auto message = some(size);
    const auto sealed = seal(message);
    ASSERT_LE(sealed.size(), limits::sealed_bytes_max);
    const auto opened = open_message(bob, id, sealed).value();
    EXPECT_EQ(opened.bytes, message);
    EXPECT_EQ(opened.head.sender, alice.node_key());
    EXPECT_EQ(opened.head.sealed, now);
    const auto head = open_head(bob, id, ByteView{sealed}.first(sealed_head_bytes)).value();
    EXPECT_EQ(head.sealed_bytes, sealed.size());
  }
}

TEST_F(MessageSeal, ProvesItsDelivery) {
  const auto first = seal_message(alice, bob.node_key(), id, {}, as_bytes("x"), now, random).value();
  const auto second = seal_message(alice, bob.node_key(), id, {}, as_bytes("x"), now, random).value();
  EXPECT_EQ(open_message(bob, id, first.bytes).value().proof, first.proof);
  EXPECT_NE(first.proof, second.proof);
  EXPECT_NE(first.proof, DeliveryProof{});
}

TEST_F(MessageSeal, CarriesReplyBlocks) {
  std::vector<OwnedEnvelope> blocks;
  for (std::size_t i = 0; i < limits::reply_blocks_max; ++i) {
    blocks.push_back({i + 5, ReplyForm::last_seed, some(limits::reply_block_bytes)});
  }
  const auto opened = open_message(bob, id, seal(some(10), blocks)).value();
  ASSERT_EQ(opened.reply_blocks.size(), blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(opened.reply_blocks[i].epoch, blocks[i].epoch);
    EXPECT_EQ(opened.reply_blocks[i].bytes, blocks[i].bytes);
  }
  blocks.push_back({1, ReplyForm::last_seed, some(limits::reply_block_bytes)});
  EXPECT_EQ(seal_message(alice, bob.node_key(), id, blocks, {}, now, random).error().code,
            Errc::limit_exceeded);
}

TEST_F(MessageSeal, OpensOnlyForItsRecipientAndItsId) {
  const auto sealed = seal(some(100));
  EXPECT_FALSE(open_message(alice, id, sealed));
  EXPECT_FALSE(open_message(bob, MessageId{std::byte{2}}, sealed));
  EXPECT_TRUE(open_message(bob, id, sealed));
}

TEST_F(MessageSeal, RefusesEveryChangeCutAndAddition) {
  const auto sealed = seal(some(70'000));
  for (int i = 0; i < 300; ++i) {
    auto bad = sealed;
    bad[i < 150 ? static_cast<std::size_t>(i) : random.below(bad.size())] ^= std::byte{0x40};
    // The top bit of a Curve25519 point is ignored, others are not.
    EXPECT_FALSE(open_message(bob, id, bad)) << i;
  }
  for (const auto size : {sealed.size() - 1, sealed.size() - 16, std::size_t{65'535 + 141}, std::size_t{141},
                          std::size_t{140}, std::size_t{0}}) {
    EXPECT_FALSE(open_message(bob, id, ByteView{sealed}.first(size))) << size;
  }
  auto longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(open_message(bob, id, longer));
}

TEST_F(MessageSeal, RefusesMoreThanAMessageMayHave) {
  EXPECT_EQ(seal_message(alice, bob.node_key(), id, {}, Bytes(limits::message_bytes_max + 1), now, random)
                .error()
                .code,
            Errc::limit_exceeded);
  EXPECT_EQ(seal_message(alice, crypto::Ed25519Public{}, id, {}, some(1), now, random).error().code,
            Errc::bad_key);
}

}  // namespace
}  // namespace village::mix
