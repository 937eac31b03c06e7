#pragma once
// How long a packet is held. Sources: Loopix (USENIX Security 2017), decisions/mix (Delays), reference mixnet
// 5 and 8.2.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/mix/drop.hpp"
#include "village/mix/epoch.hpp"
#include "village/sphinx/types.hpp"

namespace village::mix {

/// DelayBin is a part of a mixture: uniform over [from, to).
struct DelayBin {
  Duration from, to;
  std::uint32_t weight;
  friend bool operator==(const DelayBin&, const DelayBin&) = default;
};

/// DelayDistribution is what delays are drawn from: exponential, or a mixture of bins.
class DelayDistribution {
 public:
  /// exponential: memoryless, so that the pool's next departure is uniform over the pool. Errors:
  /// bad_argument (mean not in (0, limits::delay_max]).
  static Result<DelayDistribution> exponential(Duration mean);
  /// bins: 1 to limits::delay_bins_max, in any order, from < to <= limits::delay_max, some weight > 0.
  /// Errors: bad_argument.
  static Result<DelayDistribution> bins(std::span<const DelayBin> bins);

  /// draw turns u, uniform over [0, 1), into a delay: floor(-mean * log1p(-u)), or the mixture's inverse
  /// distribution function. Not capped. About 15 ns.
  Duration draw(double u) const;
  /// cdf is the probability of a delay of at most `delay`.
  double cdf(Duration delay) const;
  Duration mean() const { return mean_; }
  bool is_exponential() const { return steps_.empty(); }

 private:
  struct Step {
    double below;  ///< probability of the bins before this one
    double share;
    Duration from, to;
  };
  Duration mean_{};
  std::vector<Step> steps_;
};

/// DelayPolicy says who decides.
enum class DelayPolicy : std::uint8_t {
  header,  ///< the sender: the packet says it
  vrf,     ///< the node's verifiable draw
  max,     ///< the longer of both
};

/// name is the word that configurations and descriptors have for it; delay_policy the way back.
std::string_view name(DelayPolicy policy);
std::optional<DelayPolicy> delay_policy(std::string_view word);

struct DelayRules {
  DelayPolicy policy = DelayPolicy::header;
  DelayDistribution distribution = DelayDistribution::exponential(std::chrono::milliseconds{50}).value();
  Duration delay_max = std::chrono::seconds{10};  ///< longer ones are cut to this; <= limits::delay_max
};

/// DelayStatement is what a node says of how it holds packets, signed in its descriptor, so that anybody can
/// check it. Whose descriptor says nothing has the values that stand here: they are part of the format.
struct DelayStatement {
  DelayPolicy policy = DelayPolicy::header;
  /// The mixture that delays are drawn from, up to limits::stated_bins_max; none = exponential with the
  /// document's mean. Under `header` none.
  std::vector<DelayBin> bins;
  Duration delay_max = std::chrono::seconds{10};  ///< longer ones are cut to this; <= limits::delay_max
  friend bool operator==(const DelayStatement&, const DelayStatement&) = default;
};
/// delay_rules is what a statement means under a document that says `mean` and `delay_max`. Errors:
/// bad_argument (of DelayDistribution).
Result<DelayRules> delay_rules(const DelayStatement& statement, Duration mean, Duration delay_max);

/// vrf_input is what a node's VRF is evaluated at for an epoch: "villaged/mix-delay/v1" | epoch u64.
ByteArray<29> vrf_input(Epoch epoch);

/// unit_of_tag is the u of a packet under the epoch's secret (the first 32 bytes of the VRF output):
/// BLAKE2b-128 keyed with it, of the replay tag; first 8 bytes, 53 bits.
double unit_of_tag(std::span<const std::byte, 32> key, const sphinx::ReplayTag& tag);
/// units_of_tags does the same for 1 to limits::batch_packets_max tags: about 0.1 us each.
void units_of_tags(std::span<const std::byte, 32> key, std::span<const sphinx::ReplayTag> tags,
                   std::span<double> units);

/// vrf_delay is the delay of a packet whose u is known: drawn and cut.
Duration vrf_delay(const DelayRules& rules, double u);

/// HeaderDelay is what the sender's wish becomes.
struct HeaderDelay {
  Duration delay;
  bool clamped;  ///< it was above delay_max
};
/// header_delay cuts the wish to delay_max. Errors: malformed, detail Drop::delay: above three epochs.
Result<HeaderDelay> header_delay(std::uint64_t wish_ns, const DelayRules& rules, Duration epoch_length);

/// decide_delay applies the policy; `u` is used by vrf and max only. Errors: as header_delay (under vrf as
/// well).
Result<HeaderDelay> decide_delay(const DelayRules& rules, std::uint64_t wish_ns, double u,
                                 Duration epoch_length);

}  // namespace village::mix
