#include "village/net/relay.hpp"

#include <fcntl.h>

#include <filesystem>

#include "net/relay_memory.hpp"
#include "net/support.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;
using test::pattern;
using test::read_exactly;
using test::stream_pair;
using test::value_of;

/// Opaque hides that a stream is a socket, as an HTX stream would.
class Opaque final : public Stream {
 public:
  explicit Opaque(Stream& under) : under_{under} {}
  Task<std::size_t> read_some(ByteSpan out) override { return under_.read_some(out); }
  Task<void> write_all(ByteView in) override { return under_.write_all(in); }
  Task<void> shutdown_write() override { return under_.shutdown_write(); }
  void close() noexcept override { under_.close(); }

 private:
  Stream& under_;
};

enum class Path { splice, copy, blind };

/// Scene is client <-> (near, far_end) relayed <-> server.
struct Scene {
  explicit Scene(Core& owner, Path path) : core{owner}, left{stream_pair(owner)}, right{stream_pair(owner)} {
    limits.splice = path == Path::splice;
    hidden = path == Path::blind;
  }
  asio::awaitable<void> run() {
    if (hidden) {
      Opaque a{*left.right}, b{*right.left};
      statistics = co_await relay(core, a, b, limits);
    } else {
      statistics = co_await relay(core, *left.right, *right.left, limits);
    }
  }
  TcpStream& client() { return *left.left; }
  TcpStream& server() { return *right.right; }

  Core& core;
  test::StreamPair left, right;
  RelayLimits limits;
  bool hidden = false;
  RelayStatistics statistics;
};

class Relay : public ::testing::TestWithParam<Path> {};
INSTANTIATE_TEST_SUITE_P(Paths, Relay, ::testing::Values(Path::splice, Path::copy, Path::blind),
                         [](const auto& instance) -> std::string {
                           switch (instance.param) {
                             case Path::splice:
                               return "splice";
                             case Path::copy:
                               return "copy";
                             case Path::blind:
                               return "blind";
                           }
                           return "?";
                         });

asio::awaitable<void> send_then_finish(TcpStream& stream, const Bytes& bytes) {
  (void)co_await stream.write_all(bytes);
  (void)co_await stream.shutdown_write();
}

TEST_P(Relay, CarriesBulkBothWaysAtOnceAndEndsAfterBothFins) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    const auto up = pattern(24 << 20), down = pattern(17 << 20, 99);
    Nursery nursery{core};
    nursery.spawn([&] { return scene.run(); });
    nursery.spawn([&] { return send_then_finish(scene.client(), up); });
    nursery.spawn([&] { return send_then_finish(scene.server(), down); });
    Bytes got_up, got_down;
    nursery.spawn(
        [&]() -> asio::awaitable<void> { got_up = co_await read_exactly(scene.server(), up.size() + 1); });
    nursery.spawn([&]() -> asio::awaitable<void> {
      got_down = co_await read_exactly(scene.client(), down.size() + 1);
    });
    co_await nursery.join();
    EXPECT_TRUE(got_up == up);
    EXPECT_TRUE(got_down == down);
    EXPECT_EQ(scene.statistics.end, RelayEnd::finished);
    EXPECT_EQ(scene.statistics.bytes_a_to_b, up.size());
    EXPECT_EQ(scene.statistics.bytes_b_to_a, down.size());
    EXPECT_EQ(scene.statistics.bytes_spliced > 0, GetParam() == Path::splice);
    EXPECT_EQ(RelayBuffer::in_use(), 0u);
  });
}

TEST_P(Relay, SmallMessagesPingPong) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    Nursery nursery{core};
    nursery.spawn([&] { return scene.run(); });
    for (int i = 1; i <= 100; ++i) {
      const auto message = pattern(static_cast<std::size_t>(i) * 17, static_cast<std::size_t>(i));
      (void)co_await scene.client().write_all(message);
      const auto there = co_await read_exactly(scene.server(), message.size());
      EXPECT_TRUE(there == message);
      (void)co_await scene.server().write_all(there);
      const auto back = co_await read_exactly(scene.client(), message.size());
      EXPECT_TRUE(back == message);
    }
    scene.client().close();
    scene.server().close();
    co_await nursery.join();
    EXPECT_EQ(scene.statistics.end, RelayEnd::finished);
  });
}

TEST_P(Relay, HalfCloseIsPassedOnAndTheOtherWayGoesOn) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    Nursery nursery{core};
    nursery.spawn([&] { return scene.run(); });
    (void)co_await scene.client().write_all(as_bytes("request"));
    (void)co_await scene.client().shutdown_write();
    const auto request = co_await read_exactly(scene.server(), 1000);  // up to the FIN
    EXPECT_EQ(as_text(request), "request");
    EXPECT_EQ(nursery.live(), 1u);
    (void)co_await scene.server().write_all(as_bytes("response"));
    (void)co_await scene.server().shutdown_write();
    const auto response = co_await read_exactly(scene.client(), 1000);
    EXPECT_EQ(as_text(response), "response");
    co_await nursery.join();
    EXPECT_EQ(scene.statistics.end, RelayEnd::finished);
  });
}

TEST_P(Relay, SlowReaderHoldsTheSenderBack) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    Nursery nursery{core};
    nursery.spawn([&] { return scene.run(); });
    // Nobody reads at the server: the client fills what buffers there are, and then must wait.
    std::uint64_t sent = 0;
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto chunk = pattern(1 << 20);
      for (;;) {
        const auto written =
            co_await with_deadline(core, scene.client().write_all(chunk), after(core, 200ms));
        if (written.has_error()) break;
        sent += chunk.size();
      }
      (void)co_await scene.client().shutdown_write();
    });
    (void)co_await sleep_until(core, after(core, 10ms));
    while (nursery.live() > 1) (void)co_await sleep_until(core, after(core, 10ms));
    EXPECT_LT(sent, 64u << 20);  // two pairs of socket buffers of at most 6 MiB, and a pipe
    EXPECT_LE(RelayBuffer::in_use(), 1u);
    Bytes buffer(1 << 20);
    std::uint64_t received = 0;
    for (;;) {
      const auto got = co_await scene.server().read_some(buffer);
      if (got.has_error() || *got == 0) break;
      received += *got;
    }
    EXPECT_GE(received, sent);
    scene.server().close();
    co_await nursery.join();
  });
}

TEST_P(Relay, IdleEndsIt) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    scene.limits.idle = 10ms;
    co_await scene.run();
    EXPECT_EQ(scene.statistics.end, RelayEnd::idle);
    Bytes buffer(1);
    const auto end = co_await scene.client().read_some(buffer);
    EXPECT_EQ(value_of(end, std::size_t{9}), 0u);
  });
}

TEST_P(Relay, HalfClosedIdleEndsItSooner) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    scene.limits.idle = 60s;
    scene.limits.half_closed_idle = 10ms;
    (void)co_await scene.client().shutdown_write();
    co_await scene.run();
    EXPECT_EQ(scene.statistics.end, RelayEnd::half_closed_idle);
  });
}

TEST_P(Relay, ResetOfOneSideResetsTheOther) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    for (const bool from_client : {true, false}) {
      Scene scene{core, GetParam()};
      Nursery nursery{core};
      nursery.spawn([&] { return scene.run(); });
      auto& breaking = from_client ? scene.client() : scene.server();
      auto& other = from_client ? scene.server() : scene.client();
      (void)co_await breaking.write_all(as_bytes("x"));
      (void)co_await read_exactly(other, 1);
      breaking.reset();
      Bytes buffer(1);
      const auto end = co_await other.read_some(buffer);
      EXPECT_EQ(code_of(end), GetParam() == Path::blind ? std::nullopt : std::optional{Errc::reset});
      co_await nursery.join();
      EXPECT_EQ(scene.statistics.end, RelayEnd::failed);
      EXPECT_TRUE(scene.statistics.error.has_value());
      EXPECT_EQ(scene.statistics.error.value_or(fail(Errc::io)).code, Errc::reset);
      EXPECT_EQ(scene.statistics.error_from_a, from_client);
    }
  });
}

TEST_P(Relay, CancelEndsItAndClosesBoth) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Scene scene{core, GetParam()};
    Nursery nursery{core};
    nursery.spawn([&] { return scene.run(); });
    (void)co_await scene.client().write_all(as_bytes("x"));
    (void)co_await read_exactly(scene.server(), 1);
    nursery.cancel();
    co_await nursery.join();
    EXPECT_EQ(scene.statistics.end, RelayEnd::cancelled);
    EXPECT_FALSE(scene.left.right->is_open());
    EXPECT_FALSE(scene.right.left->is_open());
  });
}

TEST(RelayMemory, IdleRelaysHoldNoBuffer) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    constexpr std::size_t count = 100;
    std::vector<std::unique_ptr<Scene>> scenes;
    Nursery nursery{core};
    for (std::size_t i = 0; i < count; ++i) {
      scenes.push_back(std::make_unique<Scene>(core, Path::copy));
      nursery.spawn([&scene = *scenes.back()] { return scene.run(); });
      (void)co_await scenes.back()->client().write_all(as_bytes("x"));
      (void)co_await read_exactly(scenes.back()->server(), 1);
    }
    EXPECT_EQ(RelayBuffer::in_use(), 0u);
    nursery.cancel();
    co_await nursery.join();
  });
}

TEST(RelayMemory, BuffersShrinkWhenTooManyAreInUse) {
  std::vector<RelayBuffer> all;
  for (std::size_t i = 0; i < limits::relay_buffers_max; ++i)
    all.push_back(RelayBuffer::take(limits::relay_buffer_bytes));
  EXPECT_EQ(all.back().span().size(), limits::relay_buffer_bytes);
  EXPECT_EQ(RelayBuffer::take(limits::relay_buffer_bytes).span().size(), 4'096u);
  all.clear();
  EXPECT_EQ(RelayBuffer::in_use(), 0u);
  EXPECT_EQ(RelayBuffer::take(limits::relay_buffer_bytes).span().size(), limits::relay_buffer_bytes);
}

TEST(RelayMemory, PipesAreBoundedAndReusedOnlyEmpty) {
  std::vector<SplicePipe> all;
  for (std::size_t i = 0; i < limits::relay_pipes_max; ++i) {
    all.push_back(SplicePipe::take());
    ASSERT_TRUE(all.back().valid());
  }
  EXPECT_FALSE(SplicePipe::take().valid());
  all.clear();
  const auto [left, right] = test::tcp_pair();
  ASSERT_EQ(::send(left, "abc", 3, 0), 3);
  ::fcntl(right, F_SETFL, O_NONBLOCK);
  {
    auto dirty = SplicePipe::take();
    while (dirty.fill(right) != 3) {
    }
    EXPECT_EQ(dirty.filled(), 3u);
  }
  for (std::size_t i = 0; i < limits::relay_pipes_max; ++i) {
    all.push_back(SplicePipe::take());
    ASSERT_TRUE(all.back().valid());
    ASSERT_EQ(::send(left, "xyz", 3, 0), 3);
    while (all.back().fill(right) != 3) {
    }
    EXPECT_EQ(all.back().empty(right), 3);
    std::array<char, 8> got{};
    EXPECT_EQ(::recv(left, got.data(), got.size(), 0), 3);
    EXPECT_STREQ(got.data(), "xyz") << "a used pipe must not carry another relay's bytes";
  }
  ::close(left);
  ::close(right);
}

}  // namespace
}  // namespace village::net
