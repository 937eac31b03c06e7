// Recording from a live origin on loopback: our TLS server answers requests, upgrades, pings and hangs up.
#include "control/shape_recorder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "village/crypto/certificate.hpp"
#include "village/net/clock.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tls.hpp"

namespace village::control {
namespace {

using namespace std::chrono_literals;
using Served = boost::asio::awaitable<void>;

/// Origin is a TLS server whose connections `answer` serves.
class Origin {
 public:
  using Answer = std::function<Served(net::Core&, net::TlsStream&)>;
  explicit Origin(Answer answer) : answer_{std::move(answer)} {
    auto made = crypto::make_self_signed("127.0.0.1", net::SystemClock{}.wall(), 30);
    EXPECT_TRUE(made);
    order.ca_pem = made->certificate_pem;
    net::TlsServerOptions options;
    options.certificate_pem = made->certificate_pem;
    options.key_pem = made->key_pem;
    tls_ = *net::TlsServerContext::make(options);
    listener_ = *net::Listener::bind_tcp(net::loopback_v4(), 1);
    order.origin = net::to_target(*listener_->local());
    runtime_.start();
    runtime_.call(0, [this](net::Core& core) -> Served {
      tasks_ = std::make_unique<net::Nursery>(core);
      tasks_->spawn([this, &core] {
        return listener_->serve(core, [this](net::Core& on, net::Accepted accepted) {
          return serve(on, std::move(accepted.stream));
        });
      });
      co_return;
    });
  }
  ~Origin() {
    runtime_.call(0, [this](net::Core&) -> Served {
      tasks_->cancel();
      co_await tasks_->join();
      tasks_.reset();
    });
    runtime_.stop();
    runtime_.join();
  }
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  RecordOrder order;

 private:
  Served serve(net::Core& core, net::StreamPtr socket) {
    auto stream = co_await net::TlsStream::accept(core, std::move(socket), tls_, net::after(core, 10s));
    if (stream) co_await answer_(core, **stream);
  }

  Answer answer_;
  std::shared_ptr<net::TlsServerContext> tls_;
  std::shared_ptr<net::Listener> listener_;
  net::Runtime runtime_{1};
  std::unique_ptr<net::Nursery> tasks_;
};

Result<ShapeRecording> record(const RecordOrder& order) {
  return record_shape(order, [](const std::string&) {});
}

Served answer_pages(net::Core&, net::TlsStream& stream) {
  Bytes in(4'096), page(200'000, std::byte{'x'});
  for (;;) {
    const auto read = co_await stream.read_some(in);
    if (!read || *read == 0) co_return;
    const auto written = co_await stream.write_all(page);
    if (!written) co_return;
  }
}

TEST(ShapeRecorder, SeesRequestsAndPages) {
  Origin origin{answer_pages};
  origin.order.time = 3s;
  const auto recording = record(origin.order);
  ASSERT_TRUE(recording);
  const auto seen = sort_records(*recording);
  // Our server begins with records that fit a segment and goes on with full ones.
  ASSERT_FALSE(seen.client.small.empty());
  ASSERT_FALSE(seen.server.bulk.empty());
  EXPECT_EQ(*std::max_element(seen.server.bulk.begin(), seen.server.bulk.end()), 16'384U);
  EXPECT_GE(seen.server.first.size(), 10U);
  EXPECT_LE(*std::max_element(seen.client.small.begin(), seen.client.small.end()), 300U);
}

Served answer_websocket(net::Core& core, net::TlsStream& stream) {
  Bytes in(4'096);
  const auto read = co_await stream.read_some(in);
  if (!read || *read == 0) co_return;
  const auto said = co_await stream.write_all(as_bytes("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  if (!said) co_return;
  for (int i = 0; i < 4; ++i) {
    (void)co_await net::sleep_until(core, net::after(core, 200ms));
    const ByteArray<3> ping{std::byte{0x89}, std::byte{1}, std::byte{'p'}};
    const auto pinged = co_await stream.write_all(ping);
    if (!pinged) co_return;
    // A pong is masked: seven bytes.
    const auto pong = co_await stream.read_some(in);
    EXPECT_TRUE(pong);
    EXPECT_EQ(pong ? *pong : 0, 7U);
    EXPECT_EQ(in[0], std::byte{0x8A});
    EXPECT_EQ(in[6] ^ in[2], std::byte{'p'});
  }
  (void)co_await net::sleep_until(core, net::after(core, 300ms));
}

TEST(ShapeRecorder, SeesPingsOfAWebSocketAndItsPatience) {
  Origin origin{answer_websocket};
  origin.order.time = 6s;
  origin.order.websocket = true;
  const auto recording = record(origin.order);
  ASSERT_TRUE(recording);
  ASSERT_GE(recording->server_ping_us.size(), 3U);
  for (const auto interval : recording->server_ping_us) EXPECT_GE(interval, 200'000U);
  ASSERT_GE(recording->server_timeout_us.size(), 1U);
  EXPECT_GE(recording->server_timeout_us.front(), 300'000U);
}

TEST(ShapeRecorder, ARefusedUpgradeIsAnError) {
  Origin origin{[](net::Core&, net::TlsStream& stream) -> Served {
    Bytes in(4'096);
    const auto read = co_await stream.read_some(in);
    if (read && *read > 0) (void)co_await stream.write_all(as_bytes("HTTP/1.1 404 Not Found\r\n\r\n"));
  }};
  origin.order.time = 2s;
  origin.order.websocket = true;
  const auto recording = record(origin.order);
  ASSERT_FALSE(recording);
  EXPECT_EQ(recording.error().code, Errc::auth_failed);
}

TEST(ShapeRecorder, AnUnknownAuthorityIsAnError) {
  Origin origin{answer_pages};
  origin.order.time = 2s;
  origin.order.ca_pem.clear();
  const auto recording = record(origin.order);
  ASSERT_FALSE(recording);
  EXPECT_EQ(recording.error().code, Errc::bad_certificate);
}

/// The relay's client is our own recorder: what it asks through the relay, the relay sees.
TEST(ShapeRecorder, ARelayWatchesAClient) {
  Origin origin{answer_pages};
  RecordOrder watching = origin.order;
  watching.relay = net::loopback_v4();
  watching.time = 3s;
  std::string client_error;
  std::unique_ptr<std::thread> client;
  const auto recording = record_shape(watching, [&](const std::string& address) {
    client = std::make_unique<std::thread>([&, address] {
      auto asking = origin.order;
      asking.origin = *parse_target(address);
      asking.time = 2s;
      if (const auto asked = record(asking); !asked) client_error = name(asked.error().code);
    });
  });
  client->join();
  EXPECT_EQ(client_error, "");
  ASSERT_TRUE(recording);
  EXPECT_FALSE(sort_records(*recording).server.bulk.empty());
}

}  // namespace
}  // namespace village::control
