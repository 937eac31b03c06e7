#include "village/net/resolver.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "net/fake_dns.hpp"
#include "net/hosts_file.hpp"
#include "net/support.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::FakeDns;
using test::far;
using test::OneCore;
using test::value_of;

std::string texts(const Result<std::vector<Ip>>& answer) {
  std::string all;
  for (const auto& ip : value_of(answer)) all += to_text(ip) + " ";
  return all;
}

TEST(Resolver, LiteralsAndLocalhostNeedNoQuestion) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    auto& resolver = core.resolver();
    EXPECT_EQ(texts(co_await resolver.resolve("192.0.2.7", far(core))), "192.0.2.7 ");
    EXPECT_EQ(texts(co_await resolver.resolve("2001:db8::7", far(core))), "2001:db8::7 ");
    EXPECT_EQ(texts(co_await resolver.resolve("LocalHost", far(core))), "::1 127.0.0.1 ");
    EXPECT_EQ(texts(co_await resolver.resolve("a.localhost.", far(core))), "::1 127.0.0.1 ");
    EXPECT_EQ(resolver.statistics().queries, 0u);
    EXPECT_EQ(resolver.statistics().local, 4u);
  });
}

TEST(Resolver, GivesBothFamiliesIpv6First) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    auto& resolver = core.resolver();
    EXPECT_EQ(texts(co_await resolver.resolve("both.example", far(core))), "2001:db8::1 192.0.2.1 ");
    EXPECT_EQ(texts(co_await resolver.resolve("v4.example", far(core))), "192.0.2.1 ");
  });
}

TEST(Resolver, AnswersComeFromTheCacheUntilTheyExpire) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([&](Core& core) -> asio::awaitable<void> {
    auto& resolver = core.resolver();
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE((co_await resolver.resolve("Both.Example", far(core))).has_value());
      EXPECT_EQ(code_of(co_await resolver.resolve("nx.example", far(core))), Errc::name_not_found);
    }
    EXPECT_EQ(dns.questions("both.example"), 2u);
    EXPECT_EQ(dns.questions("nx.example"), 2u);
    EXPECT_EQ(resolver.statistics().cache_hits, 18u);
    resolver.forget();
    (void)co_await resolver.resolve("both.example", far(core));
    EXPECT_EQ(dns.questions("both.example"), 4u);
  });
}

TEST(Resolver, ZeroTtlIsNotKept) {
  FakeDns dns{0};
  OneCore one{dns.options()};
  one.run([&](Core& core) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) (void)co_await core.resolver().resolve("both.example", far(core));
    EXPECT_EQ(dns.questions("both.example"), 6u);
  });
}

TEST(Resolver, EqualLookupsShareOneQuestion) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([&](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    int found = 0;
    for (int i = 0; i < 100; ++i) {
      nursery.spawn([&]() -> asio::awaitable<void> {
        const auto answer = co_await core.resolver().resolve("both.example", far(core));
        found += answer.has_value() ? 1 : 0;
      });
    }
    co_await nursery.join();
    EXPECT_EQ(found, 100);
    EXPECT_EQ(dns.questions("both.example"), 2u);
    EXPECT_EQ(core.resolver().statistics().joined, 99u);
  });
}

TEST(Resolver, SilentFamilyDelaysTheOtherBy50Ms) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto begin = core.clock().now();
    EXPECT_EQ(texts(co_await core.resolver().resolve("half.example", far(core))), "192.0.2.1 ");
    const auto took = core.clock().now() - begin;
    EXPECT_GE(took, limits::dns_family_delay);
    EXPECT_LT(took, 1s);
  });
}

TEST(Resolver, SilentServerFailsWithinTheTimeGiven) {
  FakeDns dns;
  auto options = dns.options();
  options.time_max = 30ms;
  OneCore one{options};
  one.run([](Core& core) -> asio::awaitable<void> {
    EXPECT_EQ(code_of(co_await core.resolver().resolve("dead.example", far(core))), Errc::name_failed);
    EXPECT_EQ(core.resolver().statistics().in_flight, 0u);
    EXPECT_EQ(code_of(co_await core.resolver().resolve("dead.example", far(core))), Errc::name_failed);
    EXPECT_EQ(core.resolver().statistics().cache_hits, 1u) << "a failure is remembered for a second";
  });
}

TEST(Resolver, CallersDeadlineIsTimedOut) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto answer = co_await core.resolver().resolve("dead.example", after(core, 5ms));
    EXPECT_EQ(code_of(answer), Errc::timed_out);
  });
}

TEST(Resolver, ServerFailureIsNameFailed) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    EXPECT_EQ(code_of(co_await core.resolver().resolve("fail.example", far(core))), Errc::name_failed);
  });
}

TEST(Resolver, NobodyListeningIsNameFailed) {
  Endpoint nobody;
  {
    FakeDns dns;
    nobody = dns.endpoint();
  }
  ResolverOptions options;
  options.servers = {nobody};
  options.server_timeout = 50ms;
  options.tries = 1;
  OneCore one{options};
  one.run([](Core& core) -> asio::awaitable<void> {
    EXPECT_EQ(code_of(co_await core.resolver().resolve("both.example", far(core))), Errc::name_failed);
  });
}

TEST(Resolver, CacheIsBounded) {
  FakeDns dns;
  auto options = dns.options();
  options.cache_entries = 16;
  OneCore one{options};
  one.run([](Core& core) -> asio::awaitable<void> {
    for (int i = 0; i < 100; ++i) {
      (void)co_await core.resolver().resolve("v4-" + std::to_string(i) + ".example", far(core));
    }
    EXPECT_EQ(core.resolver().statistics().cached, 16u);
  });
}

TEST(Resolver, LookupsUnderWayAreBounded) {
  FakeDns dns;
  auto options = dns.options();
  options.lookups_max = 4;
  OneCore one{options};
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    for (int i = 0; i < 4; ++i) {
      nursery.spawn([&core, i]() -> asio::awaitable<void> {
        (void)co_await core.resolver().resolve("dead-" + std::to_string(i) + ".example", far(core));
      });
    }
    EXPECT_EQ(code_of(co_await core.resolver().resolve("both.example", far(core))), Errc::busy);
    EXPECT_EQ(core.resolver().statistics().refused, 1u);
    nursery.cancel();
    co_await nursery.join();
  });
}

TEST(Resolver, CloseEndsLookupsWithClosed) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery nursery{core};
    std::optional<Errc> seen;
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto answer = co_await core.resolver().resolve("dead.example", far(core));
      seen = code_of(answer);
    });
    core.resolver().close();
    co_await nursery.join();
    EXPECT_EQ(seen, Errc::closed);
    EXPECT_EQ(code_of(co_await core.resolver().resolve("both.example", far(core))), Errc::closed);
  });
}

TEST(Resolver, CancelledCallerLeavesTheOthersAlone) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([](Core& core) -> asio::awaitable<void> {
    Nursery impatient{core}, patient{core};
    std::optional<Errc> first;
    bool second = false;
    impatient.spawn([&]() -> asio::awaitable<void> {
      const auto answer = co_await core.resolver().resolve("half.example", far(core));
      first = code_of(answer);
    });
    patient.spawn([&]() -> asio::awaitable<void> {
      const auto answer = co_await core.resolver().resolve("half.example", far(core));
      second = answer.has_value();
    });
    impatient.cancel();
    co_await impatient.join();
    co_await patient.join();
    EXPECT_EQ(first, Errc::cancelled);
    EXPECT_TRUE(second);
  });
}

/// A dead server and dead names must not be felt by anybody else.
asio::awaitable<void> fifty_dead_beside_a_thousand_good(Core& core, Resolver& dead, Resolver& good) {
  Nursery waiting{core};
  std::size_t failed = 0;
  for (int i = 0; i < 50; ++i) {
    waiting.spawn([&core, &dead, &failed, i]() -> asio::awaitable<void> {
      const auto answer = co_await dead.resolve("dead-" + std::to_string(i) + ".example", far(core));
      failed += answer.has_error() ? 1 : 0;
    });
  }
  Nursery asking{core};
  const auto begin = core.clock().now();
  Duration slowest{0};
  std::size_t found = 0;
  for (int worker = 0; worker < 20; ++worker) {
    asking.spawn([&, worker]() -> asio::awaitable<void> {
      for (int i = 0; i < 50; ++i) {
        const auto name = "both-" + std::to_string(worker * 50 + i) + ".example";
        const auto start = core.clock().now();
        const auto answer = co_await good.resolve(name, far(core));
        slowest = std::max(slowest, core.clock().now() - start);
        found += answer.has_value() ? 1 : 0;
      }
    });
  }
  co_await asking.join();
  const auto took = core.clock().now() - begin;
  EXPECT_EQ(found, 1000u);
  EXPECT_EQ(waiting.live(), 50u) << "the dead ones must still be waiting";
  EXPECT_LT(took, 4s);
  EXPECT_LT(slowest, 1s);
  ::testing::Test::RecordProperty("took_us", std::to_string(took / 1us));
  ::testing::Test::RecordProperty("slowest_us", std::to_string(slowest / 1us));
  waiting.cancel();
  co_await waiting.join();
  EXPECT_EQ(failed, 50u);
}

TEST(Resolver, FiftyLookupsOfADeadServerBesideAThousandGoodOnes) {
  FakeDns dns;
  OneCore one{dns.options()};
  const int mute = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);  // bound, never read
  const auto any = to_address(loopback_v4());
  ASSERT_EQ(::bind(mute, any.get(), any.size), 0);
  one.run([&](Core& core) -> asio::awaitable<void> {
    auto options = dns.options();
    options.servers = {*socket_local(mute)};
    Resolver dead{core, options};
    co_await fifty_dead_beside_a_thousand_good(core, dead, core.resolver());
  });
  ::close(mute);
}

TEST(Resolver, FiftyNamesOfADeadZoneBesideAThousandGoodOnes) {
  FakeDns dns;
  OneCore one{dns.options()};
  one.run([&](Core& core) -> asio::awaitable<void> {
    co_await fifty_dead_beside_a_thousand_good(core, core.resolver(), core.resolver());
  });
}

TEST(Resolver, DeadFirstServerIsPassedOver) {
  FakeDns dns;
  const int mute = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto any = to_address(loopback_v4());
  ASSERT_EQ(::bind(mute, any.get(), any.size), 0);
  auto options = dns.options();
  options.servers.insert(options.servers.begin(), *socket_local(mute));
  options.server_timeout = 250ms;
  OneCore one{options};
  one.run([](Core& core) -> asio::awaitable<void> {
    EXPECT_TRUE((co_await core.resolver().resolve("both.example", far(core))).has_value());
  });
  ::close(mute);
}

TEST(HostsFile, IsReadAgainWhenItChanged) {
  const auto path = ::testing::TempDir() + "village_hosts_reread_" + std::to_string(::getpid());
  const auto write = [&](const char* text, time_t when) {
    FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fputs(text, file);
    std::fclose(file);
    const timespec times[2] = {{when, 0}, {when, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  HostsFile hosts{path};
  Instant now{1h};
  EXPECT_TRUE(hosts.find("a.test", now).empty());
  write("192.0.2.1\ta.test A2.test\n# 192.0.2.9 b.test\nfe80::1%eth0 c.test\nnonsense d.test\n", 1000);
  EXPECT_TRUE(hosts.find("a.test", now).empty()) << "looked at once a second";
  now += 1s;
  EXPECT_EQ(hosts.find("a.test", now).size(), 1u);
  EXPECT_EQ(hosts.find("a2.test", now).size(), 1u);
  EXPECT_EQ(hosts.find("c.test", now).size(), 1u);
  EXPECT_TRUE(hosts.find("b.test", now).empty());
  EXPECT_TRUE(hosts.find("d.test", now).empty());
  write("192.0.2.2 b.test\n", 2000);
  now += 1s;
  EXPECT_TRUE(hosts.find("a.test", now).empty());
  EXPECT_EQ(hosts.find("b.test", now).size(), 1u);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace village::net
