#include "village/mix/delay.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "village/base/check.hpp"
#include "village/crypto/blake2b_batch.hpp"
#include "village/crypto/secret.hpp"
#include "village/mix/limits.hpp"
#include "village/wire/writer.hpp"

namespace village::mix {
namespace {

constexpr std::string_view vrf_label = "villaged/mix-delay/v1";
constexpr std::uint64_t impossible_epochs = 3;

double to_double(Duration duration) { return static_cast<double>(duration.count()); }
Duration floor_ns(double ns) { return Duration{static_cast<Duration::rep>(std::floor(ns))}; }

double unit_of_digest(ByteView digest) {
  std::uint64_t value = 0;
  for (const auto b : digest.first(8)) value = value << 8 | std::to_integer<std::uint64_t>(b);
  return static_cast<double>(value >> 11) * 0x1.0p-53;
}

}  // namespace

Result<DelayDistribution> DelayDistribution::exponential(Duration mean) {
  if (mean <= Duration{0} || mean > limits::delay_max) return Error{Errc::bad_argument};
  DelayDistribution result;
  result.mean_ = mean;
  return result;
}

Result<DelayDistribution> DelayDistribution::bins(std::span<const DelayBin> bins) {
  if (bins.empty() || bins.size() > limits::delay_bins_max) return Error{Errc::bad_argument};
  double total = 0;
  for (const auto& bin : bins) {
    if (bin.from < Duration{0} || bin.from >= bin.to || bin.to > limits::delay_max)
      return Error{Errc::bad_argument};
    total += bin.weight;
  }
  if (total <= 0) return Error{Errc::bad_argument};
  DelayDistribution result;
  double below = 0, mean = 0;
  for (const auto& bin : bins) {
    if (bin.weight == 0) continue;
    const double share = bin.weight / total;
    result.steps_.push_back({below, share, bin.from, bin.to});
    below += share;
    mean += share * (to_double(bin.from) + to_double(bin.to)) / 2;
  }
  result.mean_ = floor_ns(mean);
  return result;
}

Duration DelayDistribution::draw(double u) const {
  if (steps_.empty()) return floor_ns(to_double(mean_) * -std::log1p(-u));
  const auto above = std::upper_bound(steps_.begin(), steps_.end(), u,
                                      [](double value, const Step& step) { return value < step.below; });
  const auto& step = *(above - 1);  // the first step begins at 0
  const double part = std::clamp((u - step.below) / step.share, 0.0, 1.0);
  const auto width = to_double(step.to - step.from);
  return step.from + std::min(floor_ns(part * width), step.to - step.from - Duration{1});
}

double DelayDistribution::cdf(Duration delay) const {
  if (delay < Duration{0}) return 0;
  if (steps_.empty()) return -std::expm1(-to_double(delay) / to_double(mean_));
  double sum = 0;
  for (const auto& step : steps_) {
    const double part = to_double(delay - step.from) / to_double(step.to - step.from);
    sum += step.share * std::clamp(part, 0.0, 1.0);
  }
  return std::min(sum, 1.0);
}

std::string_view name(DelayPolicy policy) {
  static constexpr std::array<std::string_view, 3> names{"header", "vrf", "max"};
  return names[static_cast<std::size_t>(policy)];
}

std::optional<DelayPolicy> delay_policy(std::string_view word) {
  for (const auto policy : {DelayPolicy::header, DelayPolicy::vrf, DelayPolicy::max}) {
    if (name(policy) == word) return policy;
  }
  return std::nullopt;
}

Result<DelayRules> delay_rules(const DelayStatement& statement, Duration mean, Duration delay_max) {
  DelayRules rules;
  rules.policy = statement.policy;
  auto distribution =
      statement.bins.empty() ? DelayDistribution::exponential(mean) : DelayDistribution::bins(statement.bins);
  if (!distribution) return distribution.error();
  rules.distribution = *std::move(distribution);
  rules.delay_max = std::min({statement.delay_max, delay_max, limits::delay_max});
  return rules;
}

ByteArray<29> vrf_input(Epoch epoch) {
  ByteArray<29> input;
  wire::Writer writer{input};
  writer.text(vrf_label);
  writer.u64(epoch);
  return input;
}

double unit_of_tag(std::span<const std::byte, 32> key, const sphinx::ReplayTag& tag) {
  double unit;
  units_of_tags(key, {&tag, 1}, {&unit, 1});
  return unit;
}

void units_of_tags(std::span<const std::byte, 32> key, std::span<const sphinx::ReplayTag> tags,
                   std::span<double> units) {
  VG_CHECK(!tags.empty() && tags.size() <= limits::batch_packets_max && units.size() >= tags.size());
  std::array<ByteArray<16>, limits::batch_packets_max> digests;
  const std::span rows{digests.data(), tags.size()};
  crypto::blake2b_batch(crypto::ConstRows::repeated(key, tags.size()), crypto::ConstRows{tags},
                        crypto::Rows{rows});
  for (std::size_t i = 0; i < tags.size(); ++i) units[i] = unit_of_digest(digests[i]);
  for (auto& digest : rows) crypto::wipe(digest);
}

Duration vrf_delay(const DelayRules& rules, double u) {
  return std::min(rules.distribution.draw(u), rules.delay_max);
}

Result<HeaderDelay> header_delay(std::uint64_t wish_ns, const DelayRules& rules, Duration epoch_length) {
  const auto length = static_cast<std::uint64_t>(epoch_length.count());
  if (wish_ns / impossible_epochs > length || wish_ns > impossible_epochs * length)
    return fail(Errc::malformed, static_cast<std::uint64_t>(Drop::delay));
  if (wish_ns > static_cast<std::uint64_t>(rules.delay_max.count()))
    return HeaderDelay{rules.delay_max, true};
  return HeaderDelay{Duration{static_cast<Duration::rep>(wish_ns)}, false};
}

Result<HeaderDelay> decide_delay(const DelayRules& rules, std::uint64_t wish_ns, double u,
                                 Duration epoch_length) {
  VG_TRY(wish, header_delay(wish_ns, rules, epoch_length));
  if (rules.policy == DelayPolicy::header) return wish;
  const auto drawn = vrf_delay(rules, u);
  if (rules.policy == DelayPolicy::vrf || drawn >= wish.delay) return HeaderDelay{drawn, false};
  return wish;
}

}  // namespace village::mix
