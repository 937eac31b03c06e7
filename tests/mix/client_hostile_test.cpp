// A correspondent who does with reply blocks what no client does.
#include <gtest/gtest.h>

#include "mix/client_network.hpp"
#include "village/mix/fragments.hpp"
#include "village/sphinx/payload.hpp"
#include "village/sphinx/surb.hpp"

namespace village::mix {
namespace {

using test::ClientNetwork;
using test::NetworkOptions;

/// blocks_of opens a message of one fragment as its recipient can: the block for its acknowledgement comes
/// first, those for replies follow.
std::vector<OwnedEnvelope> blocks_of(const crypto::Ed25519KeyPair& recipient, ByteView payload) {
  const auto plain = sphinx::open_payload(payload);
  if (!plain) return {};
  const auto fragment = parse_plain_payload(*plain, plain->size());
  if (!fragment || fragment->type != PayloadType::data || fragment->reply_blocks.empty()) return {};
  const auto message = open_message(MessageIdentity{recipient}, fragment->message_id, fragment->data);
  if (!message) return {};
  const auto& first = fragment->reply_blocks[0];
  std::vector<OwnedEnvelope> blocks{{first.epoch, first.form, to_bytes(first.bytes)}};
  blocks.insert(blocks.end(), message->reply_blocks.begin(), message->reply_blocks.end());
  return blocks;
}

TEST(ClientHostile, AReplyBlockBringsOnlyWhatItWasMadeFor) {
  constexpr PayloadType types[] = {PayloadType::data, PayloadType::acknowledgement, PayloadType::loop,
                                   PayloadType::drop, PayloadType::reply};
  for (const auto type : types) {
    for (const bool acknowledges : {true, false}) {
      if (type == (acknowledges ? PayloadType::acknowledgement : PayloadType::reply)) continue;
      SCOPED_TRACE(static_cast<int>(type) * 10 + acknowledges);
      NetworkOptions options;
      options.keep_deliveries = true;
      options.parameters.client_mean = 10ms;
      ClientNetwork network{options};
      const auto alice = network.add_client(0), mallory = network.add_client(1);
      SendOptions send;
      send.replies = 1;
      const auto id = network.send(alice, mallory, to_bytes("hello"), send);
      std::vector<OwnedEnvelope> blocks;
      for (int i = 0; i < 2'000 && blocks.empty(); ++i) {
        network.run_for(1ms);
        for (const auto& each : network.handed_over())
          if (blocks.empty() && each.user == mallory)
            blocks = blocks_of(network.key_pair(mallory), each.payload);
      }
      ASSERT_EQ(blocks.size(), 2U);
      network.set_online(mallory, false);  // the block is not used otherwise
      const auto& block = blocks[acknowledges ? 0 : 1];
      PlainPayload fragment;
      fragment.type = type;
      fragment.message_id = id;
      const bool one = type == PayloadType::loop || type == PayloadType::drop;
      fragment.index = one ? 0 : 1;
      fragment.count = one ? 1 : 3;
      const Bytes data(fragment_data_bytes(1'683));
      if (fragment.carries_message()) fragment.data = data;
      Bytes plain(1'683), packet(2'048);
      ASSERT_TRUE(write_plain_payload(fragment, plain));
      sphinx::ReplyBlock own;
      ASSERT_EQ(block.bytes.size(), own.bytes.size());
      std::ranges::copy(block.bytes, own.bytes.begin());
      const auto first = sphinx::use_reply_block(own, plain, packet);
      ASSERT_TRUE(first);
      const auto before = network.client(alice).counters();
      network.inject(*first, block.epoch, packet);
      network.run_for(2s);
      const auto& after = network.client(alice).counters();
      EXPECT_EQ(after.refused_format, before.refused_format + 1);
      EXPECT_EQ(after.acknowledged, before.acknowledged);
      EXPECT_EQ(network.client(alice).reassembly().messages(), 0U);
      EXPECT_FALSE(network.delivered().contains(id));
    }
  }
}

TEST(ClientHostile, ABlockThatIsOverIsNotUsed) {
  NetworkOptions options;
  options.epochs = {10s, 2s};
  options.parameters.client_mean = 20ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  network.set_online(bob, false);
  network.send(alice, bob, to_bytes("hello"));
  ASSERT_TRUE(network.run_until_reported(5min));  // given up: nobody acknowledged any transmission
  ASSERT_EQ(network.failed().size(), 1U);
  network.run_for(30s);
  network.set_online(bob, true);
  network.run_for(5s);
  EXPECT_EQ(network.received().size(), 1U);
  const auto& counters = network.client(bob).counters();
  EXPECT_EQ(counters.acknowledgements_sent, 0U);
  EXPECT_GT(counters.acknowledgements_dropped, 0U);
}

}  // namespace
}  // namespace village::mix
