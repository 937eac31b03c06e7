// base: values that everything else is made of.
#include <gtest/gtest.h>

#include <thread>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/base/error.hpp"
#include "village/base/latency_histogram.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/base/random.hpp"
#include "village/base/target.hpp"
#include "village/base/time.hpp"

namespace village {
namespace {

TEST(Hex, RoundTripsAndRefusesOddOrForeignText) {
  const Bytes all{std::byte{0x00}, std::byte{0x7f}, std::byte{0xff}};
  EXPECT_EQ(to_hex(all), "007fff");
  EXPECT_EQ(from_hex("007FfF"), all);
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::malformed, 7);
  return n / 2;
}
Result<int> quarter(int n) {
  VG_TRY(h, half(n));
  return half(h);
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error(), (Error{Errc::malformed, 7}));
  EXPECT_EQ(name(quarter(7).error().code), "malformed");
  EXPECT_TRUE(ok().has_value());
}

TEST(CheckDeathTest, BrokenInvariantAborts) {
  EXPECT_DEATH(VG_CHECK(1 == 2), "broken invariant: 1 == 2");
  EXPECT_DEATH((void)VG_EXPECT(1 == 2), "1 == 2");
}

TEST(SeededRandom, SameSeedSameBytesAndBelowStaysBelow) {
  SeededRandom a{5}, b{5}, c{6};
  ByteArray<33> x, y, z;
  a.fill(x);
  b.fill(y);
  c.fill(z);
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.below(3), 3U);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(a.unit(), 1.0);
}

TEST(Metrics, AGaugeIsShownInTheUnitOfItsName) {
  static metrics::Gauge gauge{"villaged_base_test_seconds", "Test.", {}, 0.25};
  gauge.add(-6);
  EXPECT_EQ(gauge.value(), -6);
  EXPECT_EQ(gauge.shown(), -1.5);
}

TEST(Metrics, CountsFromManyThreadsAddUp) {
  static metrics::Counter counter{"villaged_base_test_total", "Test.", "kind=\"a\""};
  static metrics::Gauge gauge{"villaged_base_test_level", "Test."};
  std::vector<std::thread> threads;
  for (std::size_t core = 0; core < 4; ++core) {
    threads.emplace_back([core] {
      metrics::core_slot = core;  // slot 0 is the shared one
      for (int i = 0; i < 10'000; ++i) {
        counter.add();
        gauge.add(2);
        gauge.sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter.total(), 40'000U);
  EXPECT_EQ(gauge.value(), 40'000);
  bool listed = false;
  for (const auto* metric : metrics::all()) listed |= metric == &counter;
  EXPECT_TRUE(listed);
}

TEST(Metrics, HistogramBucketsHoldTheirBound) {
  static metrics::Histogram histogram{"villaged_base_test_seconds", "Test."};
  histogram.record_ns(1'000);
  histogram.record_ns(1'001);
  histogram.record_ns(1'000'000'000'000);
  EXPECT_EQ(histogram.count(0), 1U);
  EXPECT_EQ(histogram.count(1), 1U);
  EXPECT_EQ(histogram.count(metrics::Histogram::buckets), 1U);
  EXPECT_DOUBLE_EQ(metrics::Histogram::bound_s(1), 4e-6);
}

TEST(LatencyHistogram, PercentilesAreWithinTwoPercent) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 100'000; ++i) histogram.record(i * 1000);
  for (const double p : {50.0, 90.0, 99.0, 99.9}) {
    EXPECT_NEAR(static_cast<double>(histogram.percentile(p)), p * 1e6, p * 1e6 * 0.02);
  }
  EXPECT_EQ(histogram.max(), 100'000'000U);
  histogram.record(~std::uint64_t{0});
  EXPECT_EQ(histogram.percentile(100), ~std::uint64_t{0});
}

TEST(Log, ArgumentsOfASilentLevelAreNotEvaluated) {
  log::set_level(log::Level::warn);
  int evaluated = 0;
  VG_LOG(debug, "base", "n={}", ++evaluated);
  EXPECT_EQ(evaluated, 0);
  EXPECT_EQ(log::parse_level("debug"), log::Level::debug);
  EXPECT_FALSE(log::parse_level("loud"));
}

TEST(Target, ReadsAddressesAndNames) {
  EXPECT_EQ(to_text(parse_target("example.org:443").value()), "example.org:443");
  EXPECT_EQ(to_text(parse_target("192.0.2.1:80").value()), "192.0.2.1:80");
  EXPECT_EQ(to_text(parse_target("[2001:db8::1]:8443").value()), "[2001:db8::1]:8443");
  for (const char* bad : {"", ":80", "host", "host:", "host:0", "host:65536", "host:8a", "2001:db8::1:80",
                          "[host]:1", "[::1]", "a b:80", "a/b:80"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
  EXPECT_TRUE(parse_target("0.0.0.0:0", true));
  EXPECT_FALSE(DomainName::parse(std::string(256, 'a')));
}

TEST(Target, PublicMeansGloballyReachable) {
  const auto is_public_text = [](const char* text) {
    const auto host = parse_host(text).value();
    if (const auto* v4 = std::get_if<Ipv4Address>(&host)) return is_public(*v4);
    return is_public(std::get<Ipv6Address>(host));
  };
  for (const char* yes :
       {"1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(is_public_text(yes)) << yes;
  }
  for (const char* no : {"0.0.0.0",
                         "10.1.2.3",
                         "100.64.0.1",
                         "127.0.0.1",
                         "169.254.169.254",
                         "172.16.0.1",
                         "172.31.255.1",
                         "192.168.1.1",
                         "198.18.0.1",
                         "224.0.0.1",
                         "255.255.255.255",
                         "::",
                         "::1",
                         "fe80::1",
                         "fc00::1",
                         "ff02::1",
                         "2001:db8::1",
                         "::ffff:127.0.0.1",
                         "64:ff9b::10.0.0.1",
                         "2002:7f00:1::"}) {
    EXPECT_FALSE(is_public_text(no)) << no;
  }
}

}  // namespace
}  // namespace village
