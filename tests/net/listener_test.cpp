#include "village/net/listener.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <vector>

#include "net/metrics.hpp"
#include "net/support.hpp"
#include "net/unix_address.hpp"
#include "village/net/unix.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;
using test::read_exactly;
using test::value_of;

asio::awaitable<void> echo(Core&, Accepted accepted) {
  Bytes buffer(4096);
  for (;;) {
    const auto got = co_await accepted.stream->read_some(buffer);
    if (got.has_error() || *got == 0) co_return;
    const auto sent = co_await accepted.stream->write_all(ByteView{buffer}.first(*got));
    if (sent.has_error()) co_return;
  }
}

Task<Bytes> ask(Core& core, Target target, std::string_view text) {
  TcpDialer dialer{core};
  auto stream = co_await dialer.dial(std::move(target), far(core));
  if (stream.has_error()) co_return stream.error();
  VG_CO_TRY_VOID(co_await (*stream)->write_all(as_bytes(text)));
  VG_CO_TRY_VOID(co_await (*stream)->shutdown_write());
  co_return co_await read_exactly(**stream, 1000);
}

TEST(Listener, EchoesOnIpv4AndIpv6) {
  OneCore one;
  for (const auto& where : {loopback_v4(), loopback_v6()}) {
    auto listener = Listener::bind_tcp(where, 1);
    ASSERT_TRUE(listener.has_value());
    EXPECT_NE((*listener)->local()->port, 0);
    one.run([&](Core& core) -> asio::awaitable<void> {
      Nursery nursery{core};
      nursery.spawn([&] { return (*listener)->serve(core, echo); });
      const auto answer = co_await ask(core, to_target(*(*listener)->local()), "hello");
      EXPECT_TRUE(answer.has_value());
      EXPECT_EQ(as_text(value_of(answer)), "hello");
      (*listener)->close();
      co_await nursery.join();
    });
  }
}

TEST(Listener, EveryCoreGetsConnections) {
  Runtime runtime{4};
  runtime.start();
  auto listener = Listener::bind_tcp(loopback_v4(), 4);
  ASSERT_TRUE(listener.has_value());
  std::array<std::atomic<int>, 4> served{};
  std::vector<std::thread> serving;
  for (std::size_t i = 0; i < 4; ++i) {
    serving.emplace_back([&, i] {
      runtime.call(i, [&](Core& core) -> asio::awaitable<void> {
        co_await (*listener)->serve(core, [&](Core& here, Accepted accepted) -> asio::awaitable<void> {
          EXPECT_EQ(&here, &core);
          ++served[here.index()];
          co_await echo(here, std::move(accepted));
        });
      });
    });
  }
  runtime.call(0, [&](Core& core) -> asio::awaitable<void> {
    for (int i = 0; i < 200; ++i) {
      const auto answer = co_await ask(core, to_target(*(*listener)->local()), "x");
      EXPECT_TRUE(answer.has_value());
    }
  });
  (*listener)->close();
  for (auto& thread : serving) thread.join();
  int sum = 0;
  for (const auto& count : served) {
    EXPECT_GT(count, 10);
    sum += count;
  }
  EXPECT_EQ(sum, 200);
  EXPECT_EQ((*listener)->connections(), 0u);
}

TEST(Listener, SecondOneOnTheSamePortIsRefused) {
  auto first = Listener::bind_tcp(loopback_v4(), 2);
  ASSERT_TRUE(first.has_value());
  const auto where = *(*first)->local();
  EXPECT_EQ(code_of(Listener::bind_tcp(where, 2)), Errc::already_exists);
  EXPECT_EQ(code_of(Listener::bind_tcp(where, 1)), Errc::already_exists);
  auto any = where;
  any.ip = Ipv4Address{};
  EXPECT_EQ(code_of(Listener::bind_tcp(any, 2)), Errc::already_exists);
  first->reset();
  EXPECT_TRUE(Listener::bind_tcp(where, 2).has_value());
}

TEST(Listener, SecondOneIsRefusedWhileTwoRuntimesServe) {
  auto first = Listener::bind_tcp(loopback_v4(), 2);
  ASSERT_TRUE(first.has_value());
  Runtime first_runtime{2}, second_runtime{2};  // end before the listener they serve does
  first_runtime.start();
  second_runtime.start();
  for (std::size_t i = 0; i < 2; ++i) {
    first_runtime.spawn_on(i, [&](Core& core) { return (*first)->serve(core, echo); });
  }
  second_runtime.call(0, [&](Core& core) -> asio::awaitable<void> {
    const auto answer = co_await ask(core, to_target(*(*first)->local()), "served");
    EXPECT_TRUE(answer.has_value());
    EXPECT_EQ(code_of(Listener::bind_tcp(*(*first)->local(), second_runtime.cores())), Errc::already_exists);
  });
  (*first)->close();
}

TEST(Listener, CancelledServeEndsItsConnections) {
  OneCore one;
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  ASSERT_TRUE(listener.has_value());
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([&] { return (*listener)->serve(core, echo); });
    TcpDialer dialer{core};
    auto stream = co_await dialer.dial(to_target(*(*listener)->local()), far(core));
    EXPECT_TRUE(stream.has_value());
    (void)co_await (*stream)->write_all(as_bytes("x"));
    (void)co_await read_exactly(**stream, 1);
    EXPECT_EQ((*listener)->connections(), 1u);
    nursery.cancel();
    co_await nursery.join();
    EXPECT_EQ((*listener)->connections(), 0u);
    Bytes buffer(1);
    const auto end = co_await (*stream)->read_some(buffer);
    EXPECT_EQ(value_of(end, std::size_t{1}), 0u);
  });
}

TEST(Listener, ClosedServeLetsConnectionsFinish) {
  OneCore one;
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  ASSERT_TRUE(listener.has_value());
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([&] { return (*listener)->serve(core, echo); });
    TcpDialer dialer{core};
    const auto target = to_target(*(*listener)->local());
    auto stream = co_await dialer.dial(target, far(core));
    (void)co_await (*stream)->write_all(as_bytes("x"));
    (void)co_await read_exactly(**stream, 1);
    (*listener)->close();
    (void)co_await sleep_until(core, after(core, 1ms));
    EXPECT_EQ(code_of(co_await dialer.dial(target, far(core))), Errc::refused);
    (void)co_await (*stream)->write_all(as_bytes("still here"));
    const auto answer = co_await read_exactly(**stream, 10);
    EXPECT_EQ(as_text(answer), "still here");
    EXPECT_EQ(nursery.live(), 1u);
    (*stream)->close();
    co_await nursery.join();
  });
}

TEST(Listener, ConnectionsAboveTheLimitAreClosed) {
  OneCore one;
  ListenOptions options;
  options.connections_max = 3;
  auto listener = Listener::bind_tcp(loopback_v4(), 1, options);
  ASSERT_TRUE(listener.has_value());
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([&] { return (*listener)->serve(core, echo); });
    TcpDialer dialer{core};
    std::vector<StreamPtr> streams;
    int served = 0;
    for (int i = 0; i < 8; ++i) {
      auto stream = co_await dialer.dial(to_target(*(*listener)->local()), far(core));
      if (stream.has_error()) continue;
      (void)co_await (*stream)->write_all(as_bytes("x"));
      const auto answer = co_await read_exactly(**stream, 1);
      served += answer.size() == 1 ? 1 : 0;
      streams.push_back(std::move(*stream));
    }
    EXPECT_EQ(served, 3);
    EXPECT_EQ((*listener)->connections(), 3u);
    streams.clear();
    (*listener)->close();
    co_await nursery.join();
  });
}

TEST(Listener, SurvivesRunningOutOfDescriptors) {
#if defined(__clang__)
#if __has_feature(undefined_behavior_sanitizer)
  // clang's vptr check asks the kernel by a pipe whether memory is readable; without descriptors it errs.
  GTEST_SKIP() << "clang's UBSan needs descriptors of its own";
#endif
#endif
  OneCore one;
  auto listener = Listener::bind_tcp(loopback_v4(), 1);
  ASSERT_TRUE(listener.has_value());
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([&] { return (*listener)->serve(core, echo); });
    TcpDialer dialer{core};
    auto first = co_await dialer.dial(to_target(*(*listener)->local()), far(core));
    (void)co_await (*first)->write_all(as_bytes("x"));
    (void)co_await read_exactly(**first, 1);
    // A second client's socket exists; then no descriptor is left for the accepting side.
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto counted = metric::accept_no_descriptors.total();
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    auto none = before;
    none.rlim_cur = 3;
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto where = to_address(*(*listener)->local());
    EXPECT_EQ(::connect(fd, where.get(), where.size), 0);
    (void)co_await sleep_until(core, after(core, 30ms));
    EXPECT_EQ((*listener)->connections(), 1u);
    EXPECT_GT(metric::accept_no_descriptors.total(), counted);
    EXPECT_LT(metric::accept_no_descriptors.total(), counted + 10) << "it must pause, not spin";
    ::setrlimit(RLIMIT_NOFILE, &before);
    TcpStream second{core, fd};
    (void)co_await second.write_all(as_bytes("y"));
    const auto answer = co_await read_exactly(second, 1);
    EXPECT_EQ(as_text(answer), "y");
    first->reset();
    second.close();
    (*listener)->close();
    co_await nursery.join();
  });
}

TEST(Listener, AdoptsAnInheritedSocket) {
  OneCore one;
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto any = to_address(loopback_v4());
  ASSERT_EQ(::bind(fd, any.get(), any.size), 0);
  EXPECT_EQ(code_of(Listener::adopt(fd, 1)), Errc::bad_argument);  // does not listen yet
  ASSERT_EQ(::listen(fd, 16), 0);
  auto listener = Listener::adopt(fd, 2);
  ASSERT_TRUE(listener.has_value());
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    nursery.spawn([&] { return (*listener)->serve(core, echo); });
    const auto answer = co_await ask(core, to_target(*(*listener)->local()), "adopted");
    EXPECT_EQ(as_text(value_of(answer)), "adopted");
    (*listener)->close();
    co_await nursery.join();
  });
}

class UnixListener : public ::testing::Test {
 protected:
  std::string path_ = ::testing::TempDir() + "village_" + std::to_string(::getpid()) + ".sock";
};

TEST_F(UnixListener, ServesWithTheModeAsked) {
  OneCore one;
  for (const mode_t mode : {mode_t{0600}, mode_t{0660}}) {
    auto listener = Listener::bind_unix(path_, mode, 1);
    ASSERT_TRUE(listener.has_value());
    struct stat made {};
    ASSERT_EQ(::stat(path_.c_str(), &made), 0);
    EXPECT_EQ(made.st_mode & 0777, mode);
    one.run([&](Core& core) -> asio::awaitable<void> {
      Nursery nursery{core};
      nursery.spawn([&] {
        return (*listener)->serve(core, [](Core& here, Accepted accepted) -> asio::awaitable<void> {
          EXPECT_FALSE(accepted.peer.has_value());
          const auto& stream = dynamic_cast<UnixStream&>(*accepted.stream);
          EXPECT_EQ(stream.peer()->uid, ::getuid());
          co_await echo(here, std::move(accepted));
        });
      });
      auto stream = co_await unix_connect(core, path_, far(core));
      EXPECT_TRUE(stream.has_value());
      (void)co_await (*stream)->write_all(as_bytes("local"));
      const auto answer = co_await read_exactly(**stream, 5);
      EXPECT_EQ(as_text(answer), "local");
      stream->reset();
      (*listener)->close();
      co_await nursery.join();
    });
  }
  EXPECT_NE(::access(path_.c_str(), F_OK), 0);
}

TEST_F(UnixListener, LiveSocketIsNotTakenOverStaleOneIs) {
  {
    auto live = Listener::bind_unix(path_, 0600, 1);
    ASSERT_TRUE(live.has_value());
    EXPECT_EQ(code_of(Listener::bind_unix(path_, 0600, 1)), Errc::already_exists);
  }
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  const auto address = unix_address(path_);
  ASSERT_EQ(::bind(dead, address->get(), address->size), 0);
  ::close(dead);
  EXPECT_TRUE(Listener::bind_unix(path_, 0600, 1).has_value()) << "nobody listens there any more";
  FILE* file = std::fopen(path_.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fclose(file);
  EXPECT_EQ(code_of(Listener::bind_unix(path_, 0600, 1)), Errc::already_exists)
      << "an ordinary file is not ours";
  ::unlink(path_.c_str());
}

TEST_F(UnixListener, TooLongPathIsABadArgument) {
  EXPECT_EQ(code_of(Listener::bind_unix(std::string(200, 'x'), 0600, 1)), Errc::bad_argument);
}

}  // namespace
}  // namespace village::net
