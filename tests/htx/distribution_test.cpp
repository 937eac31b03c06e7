// Distributions: what is drawn is what the table says. Seeds are fixed, so a failure repeats.
#include "village/htx/distribution.hpp"

#include <gtest/gtest.h>

#include "support/statistics.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::chi_square_p;
using test::ks_p;

Distribution made(std::vector<Bucket> buckets) {
  auto result = Distribution::make(std::move(buckets));
  EXPECT_TRUE(result);
  return result ? *std::move(result) : Distribution{};
}

/// random_table makes an arbitrary sound table.
std::vector<Bucket> random_table(RandomSource& random) {
  std::vector<Bucket> buckets;
  std::uint64_t from = random.below(100);
  for (auto count = 1 + random.below(12); count > 0; --count) {
    const auto low = from + random.below(50);
    const auto high = low + (random.below(2) == 0 ? 0 : random.below(200));
    buckets.push_back({low, high, static_cast<std::uint32_t>(1 + random.below(100))});
    from = high + 1;
  }
  return buckets;
}

TEST(Distribution, RefusesTablesThatMeanNothing) {
  EXPECT_FALSE(Distribution::make({{5, 4, 1}}));
  EXPECT_FALSE(Distribution::make({{5, 6, 0}}));
  EXPECT_FALSE(Distribution::make({{5, 6, 1}, {6, 9, 1}}));
  EXPECT_FALSE(Distribution::make({{5, 6, 1}, {1, 2, 1}}));
  EXPECT_FALSE(Distribution::make({{5, 6, limits::shape_weight_max + 1}}));
  EXPECT_FALSE(Distribution::make({{0, limits::shape_value_max + 1, 1}}));
  std::vector<Bucket> many;
  for (std::uint64_t i = 0; i <= limits::shape_buckets_max; ++i) many.push_back({i, i, 1});
  EXPECT_EQ(Distribution::make(many).error().code, Errc::limit_exceeded);
  many.pop_back();
  EXPECT_TRUE(Distribution::make(many));
  EXPECT_TRUE(made({}).empty());
}

TEST(Distribution, BucketsComeAsOftenAsTheyWeigh) {
  SeededRandom random{1};
  for (int round = 0; round < 20; ++round) {
    const auto table = random_table(random);
    if (table.size() < 2) continue;
    const auto distribution = made(table);
    constexpr int draws = 20'000;
    std::vector<double> seen(table.size(), 0), expected;
    double total = 0;
    for (const auto& bucket : table) total += bucket.weight;
    for (const auto& bucket : table) expected.push_back(draws * bucket.weight / total);
    for (int i = 0; i < draws; ++i) {
      const auto value = distribution.sample(random);
      for (std::size_t b = 0; b < table.size(); ++b)
        seen[b] += table[b].low <= value && value <= table[b].high;
    }
    EXPECT_GT(chi_square_p(seen, expected), 1e-4) << "round " << round;
  }
}

TEST(Distribution, ValuesFollowTheTableInsideBucketsToo) {
  SeededRandom random{2};
  for (int round = 0; round < 20; ++round) {
    const auto distribution = made(random_table(random));
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 5'000; ++i) values.push_back(distribution.sample(random));
    EXPECT_GT(ks_p(values, [&](std::uint64_t v) { return distribution.cdf(v); }), 1e-4) << "round " << round;
  }
}

TEST(Distribution, AnotherTableIsToldApart) {
  SeededRandom random{3};
  const auto drawn = made({{10, 60, 1}}), other = made({{10, 50, 1}});
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 500; ++i) values.push_back(drawn.sample(random));
  EXPECT_LT(ks_p(values, [&](std::uint64_t v) { return other.cdf(v); }), 1e-4);
}

TEST(Distribution, SampleAtLeastKeepsSharesAmongWhatIsLeft) {
  SeededRandom random{4};
  for (int round = 0; round < 20; ++round) {
    const auto distribution = made(random_table(random));
    const auto least = distribution.quantile(0.1 + 0.8 * random.unit());
    const double below = least == 0 ? 0 : distribution.cdf(least - 1);
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 5'000; ++i) values.push_back(distribution.sample_at_least(least, random).value());
    EXPECT_GE(*std::min_element(values.begin(), values.end()), least);
    const auto cdf = [&](std::uint64_t v) {
      return v < least ? 0 : (distribution.cdf(v) - below) / (1 - below);
    };
    EXPECT_GT(ks_p(values, cdf), 1e-4) << "round " << round;
  }
  EXPECT_FALSE(made({{1, 9, 1}}).sample_at_least(10, random));
  EXPECT_EQ(made({{1, 1'000'000, 1}}).sample_at_least(1'000'000, random), 1'000'000U);
}

TEST(Distribution, QuantileTurnsCdfRound) {
  SeededRandom random{5};
  for (int round = 0; round < 200; ++round) {
    const auto distribution = made(random_table(random));
    const double share = 0.001 + 0.998 * random.unit();
    const auto value = distribution.quantile(share);
    EXPECT_GE(distribution.cdf(value), share - 1e-9);
    if (value > distribution.lowest()) {
      EXPECT_LT(distribution.cdf(value - 1), share + 1e-9);
    }
  }
  const auto one = made({{7, 7, 3}});
  EXPECT_EQ(one.quantile(0.5), 7U);
  EXPECT_EQ(one.cdf(6), 0);
  EXPECT_EQ(one.cdf(7), 1);
  EXPECT_EQ(one.mean(), 7);
}

TEST(Distribution, OfSamplesGivesBackWhatWasSeen) {
  SeededRandom random{6};
  for (int round = 0; round < 20; ++round) {
    const auto truth = made(random_table(random));
    std::vector<std::uint64_t> learned, fresh;
    for (int i = 0; i < 4'000; ++i) {
      learned.push_back(truth.sample(random));
      if (i < 1'000) fresh.push_back(truth.sample(random));
    }
    const auto summary = Distribution::of_samples(learned, 64);
    EXPECT_LE(summary.buckets().size(), 64U);
    EXPECT_GT(ks_p(fresh, [&](std::uint64_t v) { return summary.cdf(v); }), 1e-4) << "round " << round;
  }
}

TEST(Distribution, OfSamplesKeepsAValueThatComesOften) {
  SeededRandom random{7};
  std::vector<std::uint64_t> values(700, 16'384);
  for (int i = 0; i < 300; ++i) values.push_back(1 + random.below(16'000));
  const auto summary = Distribution::of_samples(values, 16);
  EXPECT_EQ(summary.buckets().back(), (Bucket{16'384, 16'384, 700}));
  EXPECT_LE(summary.buckets().size(), 16U);
}

TEST(Distribution, OfSamplesKeepsToItsBuckets) {
  SeededRandom random{8};
  for (const std::size_t most : {1U, 2U, 3U, 10U, 256U, 1'000U}) {
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 2'000; ++i) values.push_back(random.below(1 + random.below(500)));
    const auto summary = Distribution::of_samples(values, most);
    EXPECT_LE(summary.buckets().size(), std::min(most, limits::shape_buckets_max));
    EXPECT_EQ(summary.lowest(), values.front());
    EXPECT_EQ(summary.highest(), values.back());
  }
  std::vector<std::uint64_t> none;
  EXPECT_TRUE(Distribution::of_samples(none, 8).empty());
}

TEST(Distribution, DividedKeepsOrderAndMass) {
  const auto divided = made({{0, 0, 1}, {1, 5, 2}, {1'000, 2'000, 3}}).divided(100);
  EXPECT_EQ(divided.buckets(), (std::vector<Bucket>{{0, 0, 1}, {1, 1, 2}, {10, 20, 3}}));
}

}  // namespace
}  // namespace village::htx
