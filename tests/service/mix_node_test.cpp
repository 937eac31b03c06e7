// A whole mixnet in one process: what its users and operators see.
#include <gtest/gtest.h>

#include "mix_world.hpp"
#include "village/crypto/hash.hpp"

namespace village {
namespace {

using service::MixFate;
using service::MixOutgoing;
using test::MixWorld;

TEST(MixNode, CarriesAMessageToAClientOfAnotherGateway) {
  MixWorld world;
  world.start();
  MixOutgoing out;
  out.to = world.clients[1]->address();
  out.message = to_bytes(std::string_view{"hello"});
  const auto id = world.send(*world.clients[0], out);
  ASSERT_TRUE(id) << name(id.error().code);
  const auto got = world.receive(*world.clients[1]);
  ASSERT_TRUE(got);
  EXPECT_EQ(as_text(got->message), "hello");
  EXPECT_EQ(got->id, *id);
  EXPECT_EQ(got->from, world.clients[0]->node->identity->public_key);
  EXPECT_TRUE(world.until([&] { return world.fate(*world.clients[0], *id) == MixFate::delivered; }));
}

TEST(MixNode, CarriesRepliesByReplyBlock) {
  MixWorld world;
  world.start();
  MixOutgoing out;
  out.to = world.clients[1]->address();
  out.message = test::pattern(5'000, 1);
  out.reply_blocks = 3;
  ASSERT_TRUE(world.send(*world.clients[0], out));
  const auto got = world.receive(*world.clients[1]);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->message, out.message);
  EXPECT_EQ(got->reply_blocks, 3U);
  MixOutgoing answer;
  answer.reply_to = got->id;
  answer.message = to_bytes(std::string_view{"and back"});
  ASSERT_TRUE(world.send(*world.clients[1], answer));
  const auto back = world.receive(*world.clients[0]);
  ASSERT_TRUE(back);
  EXPECT_EQ(as_text(back->message), "and back");
  EXPECT_EQ(back->reply_to, got->id);
}

TEST(MixNode, CarriesPacketsWhoseFirstHopIsTheSendersOwnGateway) {
  // With five hops and two gateways no other one can stand in front.
  MixWorld world;
  world.parameters.hops = 5;
  world.start();
  MixOutgoing out;
  out.to = world.clients[1]->address();
  out.message = to_bytes(std::string_view{"the long way"});
  const auto id = world.send(*world.clients[0], out);
  ASSERT_TRUE(id);
  const auto got = world.receive(*world.clients[1]);
  ASSERT_TRUE(got);
  EXPECT_EQ(as_text(got->message), "the long way");
  EXPECT_TRUE(world.until([&] { return world.fate(*world.clients[0], *id) == MixFate::delivered; }));
}

TEST(MixNode, MayBeMixAndGatewayAtOnce) {
  MixWorld world{6};
  for (auto* gate : world.gateways) gate->options->roles = {service::MixRole::gateway, service::MixRole::mix};
  world.start();
  for (auto* from : world.clients) {
    auto& to = from == world.clients[0] ? *world.clients[1] : *world.clients[0];
    MixOutgoing out;
    out.to = to.address();
    out.message = test::pattern(5'000, 3);
    const auto id = world.send(*from, out);
    ASSERT_TRUE(id);
    const auto got = world.receive(to);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->message, out.message);
    EXPECT_TRUE(world.until([&] { return world.fate(*from, *id) == MixFate::delivered; }));
  }
  EXPECT_NE(world.status(*world.gateways[0]).layer, 0U);
  EXPECT_TRUE(world.until([&] { return world.status(*world.gateways[0]).loops_back >= 5; }));
}

TEST(MixNode, LoopsComeBack) {
  MixWorld world;
  world.start();
  EXPECT_TRUE(world.until([&] { return world.status(*world.mixes[0]).loops_back >= 5; }));
  EXPECT_FALSE(world.status(*world.mixes[0]).loss_alarm);
}

TEST(MixNode, ForwardsNothingWithoutAValidDocument) {
  MixWorld world;
  world.start();
  ASSERT_TRUE(world.until([&] { return world.status(*world.mixes[0]).loops_back >= 1; }));
  world.use_views({});
  EXPECT_FALSE(world.status(*world.mixes[0]).directory_valid);
  MixOutgoing out;
  out.to = world.clients[1]->address();
  out.message = to_bytes(std::string_view{"hello"});
  const auto forwarded = [&] {
    std::uint64_t sum = 0;
    for (auto* mix : world.mixes) sum += world.status(*mix).forwarded;
    return sum;
  };
  // What was inside may still leave; then nothing moves.
  ASSERT_TRUE(world.until([&] { return world.status(*world.mixes[0]).held == 0; }));
  ASSERT_TRUE(world.send(*world.clients[0], out));
  const auto before = forwarded();
  EXPECT_FALSE(world.receive(*world.clients[1], std::chrono::seconds{2}));
  EXPECT_LE(forwarded() - before, 3U);
}

}  // namespace
}  // namespace village
