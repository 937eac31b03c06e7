// What a gateway keeps for clients, and a client's first words with it.
#include "service/mix_gateway.hpp"

#include <gtest/gtest.h>

#include "mix_directory_world.hpp"
#include "mix_world.hpp"
#include "service/bounded_posts.hpp"
#include "service/mix_client_service.hpp"
#include "service/tunnel_stream.hpp"

namespace village::service {
namespace {

using test::TurnedCore;
using village::test::TunnelWorld;
namespace asio = boost::asio;

class MixGatewayTest : public testing::Test {
 protected:
  MixGatewayTest() {
    core_.turn(WallTime{std::chrono::hours{490'000}});
    options_.clients.push_back({"anna", mix::test::key_of(1).public_key});
    gateway_ = std::make_shared<MixGateway>(core_, options_);
    runtime_.start();
  }
  ~MixGatewayTest() override {
    runtime_.stop();
    runtime_.join();
  }
  template <class Work>
  void on_core(Work work) {
    runtime_.call(0, [&work](net::Core&) -> asio::awaitable<void> {
      work();
      co_return;
    });
  }

  net::Runtime runtime_{1};
  TurnedCore core_{runtime_.core(0)};
  MixOptions options_;
  std::shared_ptr<MixGateway> gateway_;
  const wire::NodeId anna_ = wire::NodeId::of(mix::test::key_of(1).public_key);
};

TEST_F(MixGatewayTest, ForgetsSessionsThatLeft) {
  for (int i = 0; i < 100; ++i) {
    on_core([&] { gateway_->attach(anna_, std::make_shared<MixInbox>(core_)); });
  }
  std::size_t attached = 0;
  on_core([&] { attached = gateway_->attached(); });
  EXPECT_LE(attached, 2U);
  // A session that is there gets what comes, one that left does not keep it.
  auto inbox = std::make_shared<MixInbox>(core_);
  on_core([&] { gateway_->attach(anna_, inbox); });
  on_core([&] { gateway_->put(anna_, {}, Bytes(1'700)); });
  bool more = false;
  on_core([&] { more = inbox->more; });
  for (int i = 0; i < 100 && !more; ++i) on_core([&] { more = inbox->more; });
  EXPECT_TRUE(more);
  on_core([&] { attached = gateway_->attached(); });
  EXPECT_EQ(attached, 1U);
}

TEST_F(MixGatewayTest, AWallClockThatJumpsFreesNoMail) {
  std::size_t messages = 0;
  on_core([&] { gateway_->put(anna_, {}, Bytes(1'700)); });
  core_.turn(core_.wall() + 1'000h);
  on_core([&] { gateway_->expire(); });
  core_.turn(core_.wall() - 2'000h);
  on_core([&] {
    gateway_->expire();
    messages = gateway_->mailbox().messages();
  });
  EXPECT_EQ(messages, 1U);
}

TEST(BoundedPosts, LetsOnlySoMuchWait) {
  net::Runtime runtime{1};
  BoundedPosts posts{runtime.core(0), 3};
  std::atomic<int> ran{0};
  const auto post = [&] { return posts.post([&ran] { ++ran; }); };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(post());
  EXPECT_FALSE(post());  // the core does not turn yet
  EXPECT_FALSE(post());
  runtime.start();
  while (ran < 3) std::this_thread::yield();
  EXPECT_TRUE(post());
  while (ran < 4) std::this_thread::yield();
  runtime.stop();
  runtime.join();
  EXPECT_EQ(ran, 4);
}

/// greet answers a client's hello with a welcome and a delivery in one piece, and says which sequence the
/// client acknowledges first.
asio::awaitable<void> greet(std::shared_ptr<TunnelStream> stream, std::atomic<std::uint64_t>& acknowledged) {
  const mix::GatewayRecords records{2'048};
  Bytes record(records.record_bytes()), both(2 * records.record_bytes());
  const auto read_one = [&]() -> Result<mix::UpRecord> { return records.read_up(record); };
  auto hello = co_await village::test::read_exactly(*stream, record.size());
  if (!hello) co_return;
  mix::DownRecord welcome, delivery;
  welcome.kind = mix::DownRecord::Kind::welcome;
  welcome.version = mix::gateway_records_version;
  delivery.kind = mix::DownRecord::Kind::delivery;
  delivery.sequence = 77;
  const Bytes payload(records.payload_bytes(), std::byte{0x5A});
  delivery.payload = payload;
  EXPECT_TRUE(records.write(welcome, ByteSpan{both}.first(record.size())));
  EXPECT_TRUE(records.write(delivery, ByteSpan{both}.subspan(record.size())));
  const auto written = co_await stream->write_all(both);
  if (!written) co_return;
  for (;;) {
    auto next = co_await village::test::read_exactly(*stream, record.size());
    if (!next) co_return;
    record = *std::move(next);
    const auto up = read_one();
    EXPECT_TRUE(up);
    if (up && up->acknowledged[0] != 0) acknowledged = up->acknowledged[0];
  }
}

TEST(MixClientService, AcknowledgesWhatComesRightBehindTheWelcome) {
  TunnelWorld world;
  const auto pair = world.pair(Outer::none);
  std::atomic<std::uint64_t> acknowledged{0};
  world.run(pair.exit.core, [&](net::Core&) -> asio::awaitable<void> {
    StreamService service;
    service.admits = [](const auto&) { return true; };
    service.serve = [&acknowledged](crypto::Ed25519Public, std::shared_ptr<TunnelStream> stream) {
      return greet(std::move(stream), acknowledged);
    };
    pair.exit.tunnel->use_service(htx::Service::mix, std::move(service));
    co_return;
  });
  MixOptions options;
  options.identity = pair.entry.identity;
  options.gateway = pair.exit.name;
  std::unique_ptr<MixClientService> client;
  world.run(pair.entry.core, [&](net::Core& core) -> asio::awaitable<void> {
    client = std::make_unique<MixClientService>(core, *pair.entry.tunnel, options,
                                                wire::NodeId::of(pair.exit.identity->public_key));
    client->start();
    co_return;
  });
  EXPECT_TRUE(world.until(pair.entry.core, [&] { return acknowledged == 77; }));
  world.run(pair.entry.core, [&](net::Core&) -> asio::awaitable<void> {
    co_await client->stop();
    client.reset();
  });
}

}  // namespace
}  // namespace village::service
