#include "village/mix/delay.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/statistics.hpp"
#include "support/vectors.hpp"
#include "village/mix/delay_audit.hpp"
#include "village/mix/limits.hpp"

namespace village::mix {
namespace {

using Json = nlohmann::json;

constexpr std::array seeds{1ULL, 20260801ULL, 0x5eedULL};

DelayDistribution exponential(Duration mean) { return DelayDistribution::exponential(mean).value(); }

// The published table: 0-10 ms 12.4 %, 10-50 23.7 %, ...
const std::vector<DelayBin> published_mixture{{0ms, 10ms, 124},    {10ms, 50ms, 237},   {50ms, 100ms, 289},
                                              {100ms, 250ms, 198}, {250ms, 500ms, 113}, {500ms, 1s, 39}};

double greatest_difference(const DelayDistribution& distribution, std::uint64_t seed, std::size_t count) {
  SeededRandom random{seed};
  std::vector<Duration> drawn;
  for (std::size_t i = 0; i < count; ++i) drawn.push_back(distribution.draw(random.unit()));
  std::sort(drawn.begin(), drawn.end());
  double distance = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double expected = distribution.cdf(drawn[i]);
    distance = std::max({distance, std::abs(expected - static_cast<double>(i) / static_cast<double>(count)),
                         std::abs(expected - static_cast<double>(i + 1) / static_cast<double>(count))});
  }
  return distance;
}

TEST(DelayDistribution, DrawsWhatItSays) {
  for (const auto& distribution : {exponential(50ms), DelayDistribution::bins(published_mixture).value()}) {
    for (const auto seed : seeds) {
      const auto distance = greatest_difference(distribution, seed, 100'000);
      EXPECT_LE(distance, 0.0062) << seed;  // p = 0.001 for 100,000 values
      EXPECT_GE(village::test::kolmogorov_p(distance, 100'000), 0.001) << seed;
    }
  }
}

TEST(DelayDistribution, StaysInsideItsBins) {
  const auto mixture = DelayDistribution::bins(std::vector<DelayBin>{{10ms, 20ms, 1}, {1s, 2s, 1}}).value();
  EXPECT_EQ(mixture.draw(0), 10ms);
  EXPECT_EQ(mixture.draw(0.25), 15ms);
  EXPECT_EQ(mixture.draw(0.5), 1s);
  EXPECT_LT(mixture.draw(std::nextafter(1.0, 0.0)), 2s);
  EXPECT_LT(mixture.draw(std::nextafter(0.5, 0.0)), 20ms);
  EXPECT_EQ(mixture.mean(), Duration{15ms + 1500ms} / 2);
  EXPECT_DOUBLE_EQ(mixture.cdf(15ms), 0.25);
  EXPECT_DOUBLE_EQ(mixture.cdf(500ms), 0.5);
}

TEST(DelayDistribution, RefusesWhatIsNone) {
  EXPECT_FALSE(DelayDistribution::exponential(0ns));
  EXPECT_FALSE(DelayDistribution::exponential(limits::delay_max + 1ns));
  EXPECT_FALSE(DelayDistribution::bins({}));
  EXPECT_FALSE(DelayDistribution::bins(std::vector<DelayBin>{{0ms, 1ms, 0}}));
  EXPECT_FALSE(DelayDistribution::bins(std::vector<DelayBin>{{1ms, 1ms, 1}}));
  EXPECT_FALSE(DelayDistribution::bins(std::vector<DelayBin>{{-1ms, 1ms, 1}}));
  EXPECT_FALSE(DelayDistribution::bins(std::vector<DelayBin>{{0ms, limits::delay_max + 1ns, 1}}));
  EXPECT_FALSE(
      DelayDistribution::bins(std::vector<DelayBin>(limits::delay_bins_max + 1, DelayBin{0ms, 1ms, 1})));
}

TEST(DelayDistribution, IsCutAtTheLongestDelay) {
  DelayRules rules;
  rules.distribution = exponential(5s);
  EXPECT_EQ(vrf_delay(rules, std::nextafter(1.0, 0.0)), 10s);
  EXPECT_EQ(vrf_delay(rules, 0), 0s);
}

TEST(HeaderDelay, IsClampedOrRefused) {
  const DelayRules rules;
  const Duration epoch = 20min;
  EXPECT_EQ(header_delay(0, rules, epoch)->delay, 0ns);
  EXPECT_EQ(header_delay(15'000'000, rules, epoch)->delay, 15ms);
  EXPECT_FALSE(header_delay(15'000'000, rules, epoch)->clamped);
  EXPECT_EQ(header_delay(10'000'000'001, rules, epoch)->delay, 10s);
  EXPECT_TRUE(header_delay(10'000'000'001, rules, epoch)->clamped);
  const auto three = static_cast<std::uint64_t>(Duration{60min}.count());
  EXPECT_TRUE(header_delay(three, rules, epoch)->clamped);
  for (const auto wish : {three + 1, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    const auto refused = header_delay(wish, rules, epoch);
    ASSERT_FALSE(refused);
    EXPECT_EQ(static_cast<Drop>(refused.error().detail), Drop::delay);
  }
}

TEST(DelayPolicy, DecidesWhoDecides) {
  DelayRules rules;
  rules.distribution = exponential(100ms);
  const double u = 0.5;
  const auto drawn = vrf_delay(rules, u);
  const auto decided = [&](DelayPolicy policy, std::uint64_t wish_ns) {
    rules.policy = policy;
    return decide_delay(rules, wish_ns, u, 20min)->delay;
  };
  EXPECT_EQ(decided(DelayPolicy::header, 5'000'000), 5ms);
  EXPECT_EQ(decided(DelayPolicy::vrf, 5'000'000), drawn);
  EXPECT_EQ(decided(DelayPolicy::max, 5'000'000), drawn);
  EXPECT_EQ(decided(DelayPolicy::max, 500'000'000), 500ms);
  for (const auto policy : {DelayPolicy::header, DelayPolicy::vrf, DelayPolicy::max}) {
    rules.policy = policy;
    EXPECT_FALSE(decide_delay(rules, std::uint64_t{1} << 63, u, 20min));
  }
}

template <std::size_t N>
ByteArray<N> array_of(const Json& value) {
  const auto bytes = village::test::hex(value.get<std::string>());
  ByteArray<N> array{};
  if (bytes.size() != N) throw std::runtime_error{"size of a hex value"};
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

void expect_delays(const Json& entry, const DelayAudit& audit, ByteView key) {
  ASSERT_FALSE(entry["delays"].empty());
  for (const auto& item : entry["delays"]) {
    const auto tag = array_of<32>(item["replay_tag"]);
    const auto unit = unit_of_tag(std::span<const std::byte, 32>{key.data(), 32}, tag);
    EXPECT_EQ(static_cast<std::uint64_t>(unit * 0x1.0p53), item["u53"].get<std::uint64_t>());
    DelayRules rules;
    rules.distribution = exponential(Duration{item["mean_ns"].get<Duration::rep>()});
    const auto expected = Duration{item["delay_ns"].get<Duration::rep>()};
    EXPECT_LE(std::chrono::abs(audit.delay(tag, rules) - expected), audit_tolerance);
  }
}

TEST(VrfDelayVectors, AgreeWithProofsOutputsAndDelays) {
  VG_VECTORS(text, "mixnet/vrf_epoch_delay.json");
  const auto cases = Json::parse(text);
  ASSERT_FALSE(cases.empty());
  for (const auto& entry : cases) {
    const auto epoch = entry["epoch"].get<Epoch>();
    EXPECT_EQ(to_hex(vrf_input(epoch)), entry["alpha_string"].get<std::string>());
    const auto pair =
        crypto::VrfKeyPair::from_seed(crypto::Secret<32>{array_of<32>(entry["vrf_secret_key"])});
    EXPECT_EQ(to_hex(pair.public_key), entry["vrf_public_key"].get<std::string>());
    const auto proof = pair.prove(vrf_input(epoch));
    EXPECT_EQ(to_hex(proof), entry["pi"].get<std::string>());
    const auto beta = array_of<64>(entry["beta"]);
    EXPECT_EQ(crypto::vrf_output(proof).value(), beta);
    const auto audit = DelayAudit::open(pair.public_key, {epoch, array_of<80>(entry["pi"])});
    ASSERT_TRUE(audit);
    expect_delays(entry, *audit, beta);
  }
}

TEST(DelayAudit, RefusesTheProofOfAnotherEpochOrNode) {
  SeededRandom random{7};
  const auto node = crypto::VrfKeyPair::generate(random);
  const auto other = crypto::VrfKeyPair::generate(random);
  const PublishedDelays published{11, node.prove(vrf_input(11))};
  EXPECT_TRUE(DelayAudit::open(node.public_key, published));
  EXPECT_FALSE(DelayAudit::open(other.public_key, published));
  EXPECT_FALSE(DelayAudit::open(node.public_key, {12, published.proof}));
}

TEST(DelayAudit, TellsHonestFromChosenDelays) {
  SeededRandom random{8};
  const auto node = crypto::VrfKeyPair::generate(random);
  const auto audit = DelayAudit::open(node.public_key, {5, node.prove(vrf_input(5))}).value();
  DelayRules rules;
  rules.policy = DelayPolicy::vrf;
  Observation seen{};
  random.fill(seen.tag);
  const auto drawn = audit.delay(seen.tag, rules);
  seen.held = drawn + 300us;
  EXPECT_TRUE(audit.judge(seen, rules, 1ms).holds);
  seen.held = drawn + 3ms;
  EXPECT_FALSE(audit.judge(seen, rules, 1ms).holds);
  seen.held = drawn - 2us;
  EXPECT_FALSE(audit.judge(seen, rules, 1ms).holds);
  rules.policy = DelayPolicy::max;
  seen.wish_ns = static_cast<std::uint64_t>((drawn + 40ms).count());
  EXPECT_EQ(audit.judge(seen, rules, 1ms).expected, drawn + 40ms);
  rules.policy = DelayPolicy::header;
  seen.wish_ns = ~std::uint64_t{0};
  EXPECT_EQ(audit.judge(seen, rules, 1ms).expected, rules.delay_max);
}

TEST(DelayStatement, BecomesTheRulesOfADocument) {
  const auto usual = delay_rules({}, 50ms, 10s);
  ASSERT_TRUE(usual);
  EXPECT_EQ(usual->policy, DelayPolicy::header);
  EXPECT_EQ(usual->delay_max, 10s);
  EXPECT_EQ(delay_rules({}, 50ms, 4s)->delay_max, 4s) << "the lesser of both";
  EXPECT_EQ(delay_rules({DelayPolicy::vrf, {}, 2s}, 50ms, 4s)->delay_max, 2s);
  EXPECT_EQ(delay_rules({DelayPolicy::vrf, {}, 60s}, 50ms, 1h)->delay_max, limits::delay_max);
  const auto mixture = delay_rules({DelayPolicy::max, published_mixture, 10s}, 50ms, 10s);
  ASSERT_TRUE(mixture);
  EXPECT_FALSE(mixture->distribution.is_exponential());
  EXPECT_EQ(mixture->distribution.draw(0.999), DelayDistribution::bins(published_mixture)->draw(0.999));
  EXPECT_FALSE(delay_rules({}, 0ms, 10s));
  EXPECT_FALSE(delay_rules({DelayPolicy::vrf, {{1ms, 1ms, 1}}, 10s}, 50ms, 10s));
}

TEST(DelayPolicy, HasAWordEach) {
  for (const auto policy : {DelayPolicy::header, DelayPolicy::vrf, DelayPolicy::max})
    EXPECT_EQ(delay_policy(name(policy)), policy);
  EXPECT_FALSE(delay_policy("mine"));
}

}  // namespace
}  // namespace village::mix
