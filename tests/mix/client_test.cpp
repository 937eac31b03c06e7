#include "village/mix/client.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "mix/client_network.hpp"
#include "support/statistics.hpp"

namespace village::mix {
namespace {

using test::ClientNetwork;
using test::NetworkOptions;

TEST(Client, DeliversAMessageAndKnowsIt) {
  NetworkOptions options;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  const auto id = network.send(alice, bob, to_bytes("hello"));
  ASSERT_TRUE(network.run_until_reported(30s));
  network.check();
  EXPECT_TRUE(network.delivered().contains(id));
  const auto& message = network.received().at(id).message;
  EXPECT_EQ(as_text(message.bytes), "hello");
  EXPECT_EQ(message.sender, network.key(alice));
  EXPECT_FALSE(message.in_reply);
  EXPECT_EQ(message.replies, 0U);
  network.run_for(5s);
  EXPECT_EQ(network.client(alice).counters().loops_sent > 0, true);
  EXPECT_GT(network.client(alice).loops().returned_total(), 0U);
  EXPECT_EQ(network.client(alice).loops().missing_total(), 0U);
  EXPECT_EQ(network.client(bob).counters().refused_payload, 0U);
  EXPECT_EQ(network.client(alice).reply_blocks().size(), 0U)
      << "blocks of acknowledged fragments are forgotten";
}

TEST(Client, CarriesEverySizeUpToTheLargest) {
  NetworkOptions options;
  options.parameters.client_mean = 2ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1'100}, std::size_t{1'252},
                                 std::size_t{30'000}, std::size_t{70'000}, limits::message_bytes_max}) {
    network.send(alice, bob, network.some(size));
  }
  ASSERT_TRUE(network.run_until_reported(120s));
  network.check();
  EXPECT_EQ(network.failed().size(), 0U);
  EXPECT_EQ(network.client(bob).reassembly().bytes(), 0U);
  EXPECT_EQ(network.client(alice).outbox().bytes(), 0U);
  EXPECT_FALSE(network.client(alice).send({network.key(bob), network.gateway_id(1)},
                                          Bytes(limits::message_bytes_max + 1), {}, network.now(),
                                          network.wall()));
}

TEST(Client, RepliesByReplyBlocksOnce) {
  NetworkOptions options;
  options.parameters.client_mean = 5ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  SendOptions send;
  send.replies = 8;
  const auto question = network.send(alice, bob, to_bytes("?"), send);
  ASSERT_TRUE(network.run_until_reported(30s));
  ASSERT_EQ(network.received().at(question).message.replies, 8U);
  const auto answer = network.reply(bob, question, network.some(5'000)).value();  // five fragments
  EXPECT_EQ(network.reply(bob, question, network.some(15'000)).error().code, Errc::limit_exceeded);
  ASSERT_TRUE(network.run_until_reported(30s));
  network.check();
  EXPECT_TRUE(network.delivered().contains(answer));
  EXPECT_EQ(network.received().at(answer).message.in_reply, question);
  EXPECT_EQ(network.received().at(answer).message.sender, network.key(bob));
  EXPECT_LE(network.client(bob).replies_left(question), 3U);
  EXPECT_EQ(network.reply(bob, MessageId{}, to_bytes("x")).error().code, Errc::not_found);
}

TEST(Client, NeverRepliesAfterTheEpochAndItsOverlap) {
  NetworkOptions options;
  options.epochs = {20s, 5s};
  options.parameters.client_mean = 50ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  SendOptions send;
  send.replies = 3;
  const auto question = network.send(alice, bob, to_bytes("?"), send);
  ASSERT_TRUE(network.run_until_reported(30s));
  ASSERT_EQ(network.client(bob).replies_left(question), 3U);
  const auto end = options.epochs.end(options.epochs.at(network.wall())) + options.epochs.overlap;
  network.run_for(end - network.wall());
  EXPECT_FALSE(network.reply(bob, question, to_bytes("too late")));
  EXPECT_EQ(network.client(alice).reply_blocks().find(sphinx::Identifier{}, network.wall()), nullptr);
}

TEST(Client, ReportsFailureWhenNobodyAnswers) {
  NetworkOptions options;
  options.parameters.client_mean = 50ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  network.set_online(bob, false);
  const auto id = network.send(alice, bob, to_bytes("anyone?"));
  SendOptions hurry;
  hurry.time_max = 1s;
  const auto hurried = network.send(alice, bob, to_bytes("now!"), hurry);
  const auto cancelled = network.send(alice, bob, to_bytes("never mind"));
  EXPECT_TRUE(network.client(alice).cancel(cancelled));
  EXPECT_FALSE(network.client(alice).cancel(cancelled));
  ASSERT_TRUE(network.run_until_reported(120s));
  EXPECT_EQ(network.failed().at(id), SendFailure::unacknowledged);
  EXPECT_EQ(network.failed().at(hurried), SendFailure::out_of_time);
  EXPECT_EQ(network.failed().at(cancelled), SendFailure::cancelled);
  EXPECT_EQ(network.client(alice).outbox().retransmissions(), 5U);
  network.set_online(bob, true);
  network.run_for(5s);
  EXPECT_EQ(network.received().at(id).times, 1U) << "it arrives all the same, once";
}

TEST(Client, SendsNothingWithoutAValidDocument) {
  SeededRandom random{3};
  const auto key = crypto::Ed25519KeyPair::generate(random);
  ClientOptions options{wire::NodeId::of(key.public_key)};
  Client client{key, options, random, Instant{}};
  Bytes packet(2'048);
  EXPECT_TRUE(client.send({key.public_key, options.gateway}, Bytes(10), {}, Instant{}, WallTime{1h}));
  EXPECT_FALSE(client.poll_packet(packet, Instant{10s}, WallTime{1h}));
  SendOptions send;
  send.replies = 1;
  EXPECT_EQ(
      client.send({key.public_key, options.gateway}, Bytes(10), send, Instant{}, WallTime{1h}).error().code,
      Errc::net_unreachable);
}

TEST(Client, SurvivesDeliveriesThatNobodySent) {
  const std::uint64_t seed = 8;
  SCOPED_TRACE(seed);
  NetworkOptions options;
  ClientNetwork network{options};
  const auto alice = network.add_client(0);
  SeededRandom random{seed};
  std::uint64_t receipt = 0;
  for (int i = 0; i < 300; ++i) {
    Bytes payload(1'700);
    if (i % 3 != 0) {
      PlainPayload plain;
      plain.type = static_cast<PayloadType>(1 + random.below(5));
      plain.data = plain.carries_message() ? as_bytes("some bytes that are no message") : ByteView{};
      if (plain.type == PayloadType::acknowledgement) plain.data = as_bytes("proof of nothing");
      std::fill(payload.begin(), payload.begin() + 16, std::byte{0});
      ASSERT_TRUE(write_plain_payload(plain, ByteSpan{payload}.subspan(16, 1'683)));
      payload.back() = std::byte{1};
    } else {
      random.fill(payload);
    }
    sphinx::Identifier identifier;
    random.fill(identifier);
    network.client(alice).on_delivery(++receipt, identifier, payload, network.now(), network.wall());
  }
  network.client(alice).on_delivery(++receipt, {}, Bytes(17), network.now(), network.wall());
  EXPECT_EQ(network.received().size(), 0U);
  const auto& counters = network.client(alice).counters();
  EXPECT_GT(counters.refused_payload, 0U);
  EXPECT_GT(counters.refused_format, 0U);
  EXPECT_GT(counters.refused_seal, 0U);
  std::array<std::uint64_t, 400> receipts{};
  EXPECT_EQ(network.client(alice).poll_receipts(receipts), 0U) << "not without a packet";
  Bytes packet(2'048);
  const auto later = network.now() + 1s;
  ASSERT_TRUE(network.client(alice).poll_packet(packet, later, network.wall() + 1s));
  EXPECT_EQ(network.client(alice).poll_receipts(receipts), receipt) << "the gateway need not keep any";
  EXPECT_EQ(network.client(alice).poll_receipts(receipts), 0U);
}

TEST(Client, TakesNothingTwiceAfterAClockThatJumped) {
  NetworkOptions options;
  options.keep_deliveries = true;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  network.send(alice, bob, to_bytes("once"));
  ASSERT_TRUE(network.run_until_reported(30s));
  auto& client = network.client(bob);
  ASSERT_EQ(client.counters().received, 1U);
  const auto again = [&](Instant now, WallTime wall) {
    for (const auto& each : network.handed_over()) {
      if (each.user == bob) client.on_delivery(0, each.identifier, each.payload, now, wall);
    }
    return client.counters().received;
  };
  // The wall clock goes two days ahead for a while.
  client.on_deadline(network.now() + 2min, network.wall() + 48h);
  EXPECT_EQ(again(network.now() + 3min, network.wall() + 3min), 1U);
  // A day later the id is forgotten, and the clock goes back to where it was.
  client.on_deadline(network.now() + 27h, network.wall() + 27h);
  EXPECT_EQ(again(network.now() + 27h, network.wall() + 1min), 1U);
  EXPECT_GT(client.counters().refused_age, 0U);
}

TEST(Client, KeepsNoKeysOfBlocksThatWereNotSent) {
  NetworkOptions options;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  const Recipient to{network.key(bob), network.gateway_id(1)};
  SendOptions with_blocks;
  with_blocks.replies = limits::reply_blocks_max;
  const Bytes large(limits::message_bytes_max);
  auto& client = network.client(alice);
  Result<MessageId> sent = fail(Errc::internal);
  do {
    sent = client.send(to, large, {}, network.now(), network.wall());
  } while (sent);
  ASSERT_EQ(sent.error().code, Errc::busy);
  const auto before = client.reply_blocks().size();
  EXPECT_FALSE(client.send(to, large, with_blocks, network.now(), network.wall()));
  EXPECT_EQ(client.reply_blocks().size(), before);
  const auto bad = client.send({crypto::Ed25519Public{}, to.gateway}, as_bytes("x"), with_blocks,
                               network.now(), network.wall());
  ASSERT_FALSE(bad) << "no key";
  EXPECT_EQ(client.reply_blocks().size(), before);
}

TEST(Client, LetsGoOfWhatItEvicted) {
  // More unfinished messages than a client keeps: the gateway need not keep the oldest ones' fragments
  // either.
  NetworkOptions options;
  options.parameters.client_mean = Duration{0};
  ClientNetwork network{options};
  auto& client = network.client(network.add_client(0));
  std::uint64_t receipt = 0;
  for (std::size_t n = 0; n < limits::partial_messages_max + 100; ++n) {
    Bytes payload(1'700), data(1'252);
    PlainPayload plain;
    plain.type = PayloadType::data;
    plain.message_id[0] = std::byte(n);
    plain.message_id[1] = std::byte(n >> 8);
    plain.index = 1;
    plain.count = 3;
    plain.data = data;
    ASSERT_TRUE(write_plain_payload(plain, ByteSpan{payload}.subspan(16, 1'683)));
    payload.back() = std::byte{1};
    client.on_delivery(++receipt, sphinx::Identifier{std::byte{1}}, payload, network.now(), network.wall());
  }
  EXPECT_EQ(client.reassembly().evicted(), 100U);
  EXPECT_EQ(client.counters().refused_room, 0U);
  std::array<std::uint64_t, 400> receipts{};
  const auto count = client.poll_receipts(receipts);
  EXPECT_GE(count, 100U);
  EXPECT_EQ(receipts[0], 1U);
}

TEST(Client, KeepsNoMoreReceiptsThanItsBound) {
  SeededRandom random{4};
  const auto key = crypto::Ed25519KeyPair::generate(random);
  ClientOptions options{wire::NodeId::of(key.public_key)};
  options.stream_mean = Duration{0};
  Client client{key, options, random, Instant{}};
  for (std::uint64_t receipt = 1; receipt <= limits::receipts_waiting_max + 10; ++receipt)
    client.on_delivery(receipt, {}, Bytes(17), Instant{}, WallTime{1h});
  std::vector<std::uint64_t> receipts(2 * limits::receipts_waiting_max);
  EXPECT_EQ(client.poll_receipts(receipts), limits::receipts_waiting_max);
}

TEST(Client, IsNotToldDeliveredOfWhatTheRecipientForgot) {
  NetworkOptions options;
  options.parameters.client_mean = 25ms;
  ClientNetwork network{options};
  const auto alice = network.add_client(0), bob = network.add_client(1);
  const auto id = network.send(alice, bob, network.some(50'000));
  while (network.client(bob).counters().fragments_received < 20) network.run_for(20ms);
  network.forget(bob);  // everything, and its mailbox with it
  ASSERT_TRUE(network.run_until_reported(5min));
  network.check();
  EXPECT_EQ(network.failed().at(id), SendFailure::unacknowledged);
  EXPECT_GT(network.client(bob).counters().fragments_received, 15U) << "the rest came and was acknowledged";
}

/// times gives the distances of what leaves a client for `count` packets.
std::vector<std::uint64_t> distances(ClientNetwork& network, std::size_t user, std::size_t count) {
  auto& client = network.client(user);
  std::vector<std::uint64_t> values;
  Bytes packet(2'048);
  auto now = network.now(), last = now;
  auto wall = network.wall();
  while (values.size() < count) {
    const auto next = std::max(client.next_deadline().value(), now);
    wall += next - now;
    now = next;
    client.on_deadline(now, wall);
    while (client.poll_packet(packet, now, wall)) {
      values.push_back(static_cast<std::uint64_t>((now - last).count()));
      last = now;
    }
  }
  return values;
}

TEST(Client, SendsAtTimesThatDoNotDependOnUse) {
  NetworkOptions options;
  options.seed = 12;
  SCOPED_TRACE(options.seed);
  ClientNetwork network{options};
  const auto idle = network.add_client(0), busy = network.add_client(0), half = network.add_client(0);
  network.send(busy, idle, Bytes(200'000));
  network.send(busy, idle, Bytes(limits::message_bytes_max));
  for (int i = 0; i < 4; ++i) network.send(half, idle, Bytes(100));
  const auto exponential = [](std::uint64_t v) { return 1 - std::exp(-static_cast<double>(v + 1) / 20e6); };
  for (const auto user : {idle, busy, half}) {
    EXPECT_GT(village::test::ks_p(distances(network, user, 1'000), exponential), 0.001) << user;
  }
  EXPECT_GT(network.client(busy).counters().fragments_sent, 50U);
  EXPECT_EQ(network.client(idle).counters().fragments_sent, 0U);
}

}  // namespace
}  // namespace village::mix
