// choose_path: draws whole paths until one keeps the rules; when that does not succeed, searches for one.
#include <algorithm>
#include <cmath>

#include "village/mix/topology.hpp"

namespace village::mix {
namespace {

using Path = std::vector<const NodeEntry*>;
constexpr int draws_max = 32;
constexpr std::size_t gateway_group = 0;

struct Plan {
  const MixView& view;
  bool distinct_operators, distinct_networks;
  const NodeEntry* entry = nullptr;       ///< given first hop
  const NodeEntry* apart_from = nullptr;  ///< that no hop before the recipient may clash with
  std::vector<std::size_t> groups;        ///< what each hop before the recipient is drawn from
};

bool clashes(const Plan& plan, const NodeEntry& a, const NodeEntry& b) {
  if (&a == &b) return true;
  if (plan.distinct_operators && !a.operator_name.empty() && a.operator_name == b.operator_name) return true;
  return plan.distinct_networks && is_same_network(a.mix_address, b.mix_address);
}

bool fits(const Plan& plan, const Path& chosen, const NodeEntry& next) {
  if (plan.apart_from != nullptr && clashes(plan, *plan.apart_from, next)) return false;
  return std::none_of(chosen.begin(), chosen.end(),
                      [&](const NodeEntry* hop) { return clashes(plan, *hop, next); });
}

/// drawn_path draws every hop anew, so that rejecting the whole keeps the weights.
bool drawn_path(const Plan& plan, RandomSource& random, Path& path) {
  const auto fixed = path.size();
  for (const auto group : plan.groups) {
    const auto& next = plan.view.draw(group, random);
    if (!fits(plan, path, next)) {
      path.resize(fixed);
      return false;
    }
    path.push_back(&next);
  }
  return true;
}

/// in_random_order sorts members by the times at which clocks of their capacities would first ring.
Path in_random_order(const MixView& view, std::size_t group, RandomSource& random) {
  const auto members = group == gateway_group ? view.gateways() : view.layer(group);
  std::vector<std::pair<double, const NodeEntry*>> timed;
  timed.reserve(members.size());
  for (const auto* node : members) {
    // Efraimidis and Spirakis: by u^(1/w), compared without the power.
    const double unit = (static_cast<double>(random.u64() >> 11) + 0.5) * 0x1.0p-53;
    timed.emplace_back(-std::log(unit) / static_cast<double>(node->capacity_pps), node);
  }
  std::sort(timed.begin(), timed.end());
  Path out;
  for (const auto& [time, node] : timed) out.push_back(node);
  return out;
}

/// search goes through the combinations in random order. `furthest` is the hop that it never got past.
bool search(const Plan& plan, const std::vector<Path>& candidates, std::size_t hop, Path& path,
            std::size_t& furthest, std::size_t& steps) {
  if (hop == candidates.size()) return true;
  furthest = std::max(furthest, hop);
  for (const auto* next : candidates[hop]) {
    if (steps == 0) return false;
    --steps;
    if (!fits(plan, path, *next)) continue;
    path.push_back(next);
    if (search(plan, candidates, hop + 1, path, furthest, steps)) return true;
    path.pop_back();
  }
  return false;
}

Result<void> searched_path(const Plan& plan, RandomSource& random, Path& path) {
  std::vector<Path> candidates;
  for (const auto group : plan.groups) candidates.push_back(in_random_order(plan.view, group, random));
  std::size_t furthest = 0, steps = limits::path_steps_max;
  if (search(plan, candidates, 0, path, furthest, steps)) return ok();
  return fail(Errc::denied, furthest + 1 + (plan.entry != nullptr ? 1 : 0));
}

Result<Plan> plan_of(const MixView& view, const PathOptions& options) {
  const auto hops = options.hops.value_or(view.parameters().hops);
  if (hops == 0 || hops > mix_layers + 2) return fail(Errc::bad_argument, hops);
  Plan plan{view,
            options.distinct_operators,
            options.distinct_networks.value_or(view.parameters().distinct_networks),
            nullptr,
            options.apart_from ? view.find(*options.apart_from) : nullptr,
            {}};
  if (hops == mix_layers + 2) {
    if (options.entry) {
      plan.entry = view.find(*options.entry);
      if (plan.entry == nullptr) return fail(Errc::not_found);
    } else {
      plan.groups.push_back(gateway_group);
    }
  }
  for (std::size_t layer = 1; layer < hops && layer <= mix_layers; ++layer) plan.groups.push_back(layer);
  for (std::size_t i = 0; i < plan.groups.size(); ++i) {
    const auto group = plan.groups[i];
    const auto members = group == gateway_group ? view.gateways() : view.layer(group);
    if (members.empty()) return fail(Errc::exhausted, i + 1 + (plan.entry != nullptr ? 1 : 0));
  }
  return plan;
}

}  // namespace

bool is_same_network(const sphinx::NodeAddress& a, const sphinx::NodeAddress& b) {
  if (a[0] != b[0]) return false;
  constexpr std::size_t at = 3;  // behind type and port
  const std::size_t size = a[0] == std::byte{4} ? 2 : 4;
  return std::equal(a.begin() + at, a.begin() + at + size, b.begin() + at);
}

Result<std::vector<const NodeEntry*>> choose_path(const MixView& view, const wire::NodeId& recipient,
                                                  RandomSource& random, const PathOptions& options) {
  const auto* last = view.find(recipient);
  if (last == nullptr) return fail(Errc::not_found);
  VG_TRY(plan, plan_of(view, options));
  Path path{last};  // first, so that the others are compared with it; put in its place at the end
  if (plan.entry != nullptr) {
    if (!fits(plan, path, *plan.entry)) return fail(Errc::denied, 1);
    path.push_back(plan.entry);
  }
  bool found = false;
  for (int i = 0; i < draws_max && !found; ++i) found = drawn_path(plan, random, path);
  if (!found) VG_TRY_VOID(searched_path(plan, random, path));
  std::rotate(path.begin(), path.begin() + 1, path.end());
  return path;
}

}  // namespace village::mix
