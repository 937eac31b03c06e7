#include "village/mix/delay_audit.hpp"

#include <algorithm>

namespace village::mix {

DelayAudit DelayAudit::of_output(const crypto::VrfOutput& output) {
  DelayAudit audit;
  std::copy_n(output.begin(), audit.key_.size(), audit.key_.begin());
  return audit;
}

Result<DelayAudit> DelayAudit::open(const crypto::Ed25519Public& key, const PublishedDelays& published) {
  VG_TRY(output, crypto::vrf_verify(key, vrf_input(published.epoch), published.proof));
  return of_output(output);
}

Duration DelayAudit::delay(const sphinx::ReplayTag& tag, const DelayRules& rules) const {
  return vrf_delay(rules, unit_of_tag(key_, tag));
}

DelayVerdict DelayAudit::judge(const Observation& seen, const DelayRules& rules, Duration tolerance) const {
  DelayVerdict verdict;
  const Duration wish = std::min(Duration{static_cast<Duration::rep>(std::min<std::uint64_t>(
                                     seen.wish_ns, static_cast<std::uint64_t>(rules.delay_max.count())))},
                                 rules.delay_max);
  verdict.expected = rules.policy == DelayPolicy::header ? wish : delay(seen.tag, rules);
  if (rules.policy == DelayPolicy::max) verdict.expected = std::max(verdict.expected, wish);
  verdict.error = seen.held - verdict.expected;
  verdict.holds = verdict.error >= -audit_tolerance && verdict.error <= tolerance;
  return verdict;
}

}  // namespace village::mix
