// Neighbours that flood, next hops that are stuck, mixes that die, strangers, epochs that end under load.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mix_world.hpp"
#include "service/mix_link.hpp"
#include "service/mix_neighbours.hpp"
#include "service/tunnel_stream.hpp"
#include "village/mix/frame.hpp"
#include "village/net/clock.hpp"
#include "village/service/mix_key_store.hpp"

namespace village {
namespace {

using namespace std::chrono_literals;
using service::MixFate;
using service::MixOutgoing;
using test::MixWorld;
using test::TunnelWorld;

std::uint64_t drops(const service::MixStatus& status, std::string_view reason) {
  for (const auto& [each, count] : status.drops) {
    if (each == reason) return count;
  }
  return 0;
}

MixOutgoing hello(MixWorld& world) {
  MixOutgoing out;
  out.to = world.clients[1]->address();
  out.message = to_bytes(std::string_view{"hello"});
  return out;
}

/// Owner counts what a link does with a worker's packets.
struct Owner final : service::FrameOwner {
  void sent(mix::HeldPacket) override { ++sent_count; }
  void dropped(mix::HeldPacket, mix::Drop reason) override { ++dropped_count[reason]; }
  std::size_t sent_count = 0;
  std::map<mix::Drop, std::size_t> dropped_count;
};

TEST(MixLink, AStuckNextHopCostsItsOwnFramesOnly) {
  TunnelWorld world;
  const auto pair = world.pair(service::Outer::none);
  auto& entry = pair.entry;
  // The exit takes the stream and never reads.
  world.run(pair.exit.core, [&](net::Core&) -> test::asio_void {
    service::StreamService service;
    service.admits = [](const auto&) { return true; };
    service.serve = [](crypto::Ed25519Public,
                       std::shared_ptr<service::TunnelStream> stream) -> test::asio_void {
      (void)co_await stream->wait_over();
    };
    pair.exit.tunnel->use_service(htx::Service::mix, std::move(service));
    co_return;
  });
  Owner owner;
  const auto refused = world.run(entry.core, [&](net::Core& core) -> boost::asio::awaitable<std::uint64_t> {
    service::MixLinkOptions options;
    options.frame_bytes = 2'052;
    options.queue_max = 64;
    service::MixLink link{core, *entry.tunnel, owner, pair.exit.name, options};
    const Bytes frame(options.frame_bytes);
    // More than the stream's window and buffer can hold.
    for (std::uint32_t i = 0; i < 40'000; ++i) {
      link.send({mix::HeldPacket{i}, 0, frame});
      if (i % 1'000 == 0) (void)co_await net::sleep_until(core, net::after(core, 1ms));
    }
    const auto waiting = link.waiting();
    EXPECT_LE(waiting, options.queue_max);
    const auto counts = link.counts();
    co_await link.stop();
    EXPECT_EQ(owner.sent_count + owner.dropped_count[mix::Drop::ring] +
                  owner.dropped_count[mix::Drop::route] + owner.dropped_count[mix::Drop::late],
              40'000U);
    co_return counts.refused;
  });
  EXPECT_GT(refused, 0U);
}

TEST(MixLink, FramesForNobodyAreDropped) {
  TunnelWorld world;
  const auto pair = world.pair(service::Outer::none);
  auto& entry = pair.entry;
  Owner owner;
  world.run(entry.core, [&](net::Core& core) -> test::asio_void {
    service::MixLinkOptions options;
    options.frame_bytes = 2'052;
    service::MixLink link{core, *entry.tunnel, owner, "nobody", options};
    const Bytes frame(options.frame_bytes);
    for (std::uint32_t i = 0; i < 10; ++i) link.send({mix::HeldPacket{i}, 0, frame});
    (void)co_await net::sleep_until(core, net::after(core, 50ms));
    EXPECT_FALSE(link.open());
    co_await link.stop();
  });
  EXPECT_EQ(owner.sent_count, 0U);
  EXPECT_EQ(owner.dropped_count[mix::Drop::route], 10U);
}

/// flood sends 64 * `times` frames of random bytes from one node to another, as fast as it goes.
void flood(MixWorld& world, test::Node& mad, const test::Node& victim, int times) {
  const auto peer = service::mix_peer_name(victim.identity->public_key);
  world.tunnels().run(mad.core, [&](net::Core& core) -> test::asio_void {
    auto stream = co_await mad.tunnel->open(peer, htx::Service::mix, net::after(core, 20s));
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    Bytes frames(64 * 2'052);
    SeededRandom random{1};
    random.fill(frames);
    for (std::size_t at = 0; at < frames.size(); at += 2'052)
      mix::write_frame_header(mix::Profile::n2048, std::byte{1}, ByteSpan{frames}.subspan(at).first<4>());
    for (int i = 0; i < times; ++i) {
      const auto written = co_await (*stream)->write_all(frames);
      if (!written) break;
    }
    (void)co_await (*stream)->shutdown_write();
  });
}

TEST(MixNodeHostile, GarbageOfANeighbourIsCountedAndHurtsNobody) {
  MixWorld world;
  for (auto* gate : world.gateways) gate->options->rate.burst = 100;
  for (auto* gate : world.gateways) gate->options->rate.peer_pps = 1'000;
  world.start();
  // A mix that went mad: frames of random bytes into a gateway, as fast as it goes.
  auto& victim = *world.gateways[1];
  flood(world, *world.mixes[0]->node, *victim.node, 100);
  EXPECT_TRUE(world.until([&] {
    const auto status = world.status(victim);
    return drops(status, "rate") + drops(status, "mac") + drops(status, "low_order") +
               drops(status, "route") + drops(status, "ring") >=
           6'400;
  }));
  ASSERT_TRUE(world.send(*world.clients[0], hello(world)));
  const auto got = world.receive(*world.clients[1]);
  ASSERT_TRUE(got);
  EXPECT_EQ(as_text(got->message), "hello");
}

TEST(MixNodeHostile, TheOperatorsRatesHoldWhateverANeighbourPublishes) {
  MixWorld world;
  auto& mad = *world.mixes[0];
  mad.options->capacity_pps = 10'000'000;
  // So slow that the time this takes adds next to nothing to what the bursts let in.
  auto& of_one = *world.gateways[0];
  of_one.options->rate = {1, 10, 1, 0};
  auto& of_all = *world.gateways[1];
  of_all.options->rate = {10'000'000, 1'000'000, 1, 1};
  world.start();
  flood(world, *mad.node, *of_one.node, 16);   // 1,024 frames
  flood(world, *mad.node, *of_all.node, 100);  // 6,400; a worker's own burst is 4,000
  EXPECT_TRUE(world.until([&] { return drops(world.status(of_one), "rate") >= 900; }))
      << drops(world.status(of_one), "rate");
  EXPECT_TRUE(world.until([&] { return drops(world.status(of_all), "rate") >= 2'000; }))
      << drops(world.status(of_all), "rate");
}

TEST(MixNodeHostile, AStrangerAmongThePeersMayNotBringPackets) {
  MixWorld world;
  auto& stranger = world.tunnels().node("stranger", test::clients);
  world.tunnels().knows(stranger, *world.gateways[0]->node, false);
  world.tunnels().knows(*world.gateways[0]->node, stranger, true);
  world.start();
  // Its address is known only now.
  for (auto& peer : stranger.options->peers) peer.address = world.gateways[0]->node->address;
  world.tunnels().start(stranger);
  const auto error = world.tunnels().run(stranger.core, [&](net::Core& core) -> boost::asio::awaitable<Errc> {
    const auto name = world.gateways[0]->node->name;
    const auto opened = co_await stranger.tunnel->open(name, htx::Service::mix, net::after(core, 20s));
    co_return opened ? Errc{} : opened.error().code;
  });
  EXPECT_EQ(error, Errc::denied);
}

TEST(MixNodeHostile, AMessageSurvivesTheDeathOfAMix) {
  MixWorld world{6};
  world.start();
  auto& from = *world.clients[0];
  std::vector<std::string> ids;
  for (int i = 0; i < 10; ++i) {
    const auto id = world.send(from, hello(world));
    ASSERT_TRUE(id);
    ids.push_back(*id);
  }
  world.stop(*world.mixes[0]);
  // The document of the same epoch without it, as the next one would be.
  const auto epoch = from.options->epochs.at(net::SystemClock{}.wall());
  world.use_views({world.view(epoch)});
  for (int i = 0; i < 10; ++i) {
    const auto got = world.receive(*world.clients[1]);
    ASSERT_TRUE(got) << i;
  }
  for (const auto& id : ids)
    EXPECT_TRUE(world.until([&] { return world.fate(from, id) == MixFate::delivered; })) << id;
}

TEST(MixNodeHostile, MailWaitsForAClientThatIsAway) {
  MixWorld world;
  world.start();
  ASSERT_TRUE(world.until([&] { return world.status(*world.clients[1]).client->connected; }));
  world.stop(*world.clients[1]);
  ASSERT_TRUE(world.send(*world.clients[0], hello(world)));
  EXPECT_TRUE(world.until([&] { return world.status(*world.gateways[1]).mailbox_messages >= 1; }));
}

TEST(MixKeyStore, KeepsKeysInFilesOfTheirOwnerAndForgetsThem) {
  const auto folder = std::string{testing::TempDir()} + "/mix-keys-" + std::to_string(::getpid());
  crypto::SystemRandom random;
  const auto store = service::MixKeyStore::make_folder(folder);
  ASSERT_TRUE(store);
  const auto vrf = store->vrf(random);
  ASSERT_TRUE(vrf);
  EXPECT_EQ(store->vrf(random)->public_key, vrf->public_key);
  const auto key = crypto::X25519KeyPair::generate(random);
  ASSERT_TRUE(store->store(7, key.private_key));
  ASSERT_TRUE(store->store(9, key.private_key));
  std::vector<std::string> damaged;
  const auto keys = store->load(damaged);
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].epoch, 7U);
  EXPECT_TRUE(equal(keys[0].key, key.private_key));
  store->remove(7);
  EXPECT_EQ(store->epochs(), std::vector<mix::Epoch>{9});
  ::chmod((folder + "/sphinx-9.key").c_str(), 0644);
  EXPECT_TRUE(store->load(damaged).empty());
  EXPECT_EQ(damaged.size(), 1U);
  store->remove(9);
}

}  // namespace
}  // namespace village
