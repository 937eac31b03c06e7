// Limits against RLIMIT_NOFILE: a node must not run out of descriptors before it refuses work.
#include <algorithm>
#include <array>

#include "control/config_check.hpp"
#include "control/scalar_shapes.hpp"
#include "village/control/limits.hpp"

namespace village::control {
namespace {

constexpr std::uint64_t others = 256;  // log, listeners of each core, timers, name servers, files in use
constexpr std::uint32_t least_useful = 64;

/// Bound is one limit and how many descriptors one of it takes.
struct Bound {
  const char* pointer;
  std::uint32_t* limit;
  std::uint64_t each;
};

/// bounds lists the limits in force. A connection of a program is one descriptor here and at most one to the
/// outside; so is a UDP association.
std::vector<Bound> bounds(Config& config) {
  std::vector<Bound> list;
  if (!config.proxy.inbounds.empty()) {
    list.push_back({"/proxy/connections_max", &config.proxy.connections_max, 2});
    list.push_back({"/proxy/udp_associations_max", &config.proxy.udp_associations_max, 2});
  }
  if (!config.htx.listen.empty()) {
    list.push_back({"/htx/inbound_sessions_max", &config.htx.inbound_sessions_max, 1});
    // The decoy's origins are dialled while TLS is under way; then one is kept for a stranger.
    const auto& decoy = config.htx.decoy;
    const std::uint64_t origins = (decoy.origin ? 1U : 0U) + (decoy.origin_h2 ? 1U : 0U);
    list.push_back({"/htx/handshakes_max", &config.htx.handshakes_max, 1 + origins});
    const auto has_tls = [](const auto& listen) { return listen.outer == service::Outer::tls; };
    if (std::any_of(config.htx.listen.begin(), config.htx.listen.end(), has_tls))
      list.push_back(
          {"/htx/decoy/connections_max", &config.htx.decoy.connections_max, origins != 0 ? 2U : 1U});
    if (config.htx.exit.enabled)
      list.push_back({"/htx/exit/udp_associations_max", &config.htx.exit.udp_associations_max, 2});
  }
  return list;
}

}  // namespace

std::uint64_t descriptors_needed(const Config& config) {
  auto copy = config;
  std::uint64_t needed = others + limits::http_connections_max;
  for (const auto& bound : bounds(copy)) needed += bound.each * *bound.limit;
  return needed;
}

void fit_descriptors(Config& config, const Document& document, rlim_t allowed, Problems& problems) {
  const auto needed = descriptors_needed(config);
  if (allowed == RLIM_INFINITY || needed <= allowed) return;
  const auto all = bounds(config);
  std::vector<Bound> set, unset;
  for (const auto& bound : all) (document.find(bound.pointer) != nullptr ? set : unset).push_back(bound);
  std::uint64_t fixed = others + limits::http_connections_max, flexible = 0, floor = 0;
  for (const auto& bound : set) fixed += bound.each * *bound.limit;
  for (const auto& bound : unset) {
    flexible += bound.each * *bound.limit;
    floor += bound.each * least_useful;
  }
  const auto have = detail::whole_text(allowed);
  if (fixed + floor > allowed) {
    const std::string pointer = set.empty() ? "" : set.front().pointer;
    problems.error(document.closest(pointer).begin, pointer,
                   "the limits need " + detail::whole_text(fixed + floor) +
                       " open descriptors, but this process may have " + have +
                       ": lower them, or raise RLIMIT_NOFILE (LimitNOFILE= of the unit)");
    return;
  }
  for (const auto& bound : unset) {
    const auto share = std::uint64_t{*bound.limit} * (allowed - fixed - floor) / flexible;
    const auto fitting =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(*bound.limit, share + least_useful));
    if (fitting == *bound.limit) continue;
    problems.warning(document.closest(bound.pointer).begin, bound.pointer,
                     "this process may have " + have + " open descriptors, so the limit is " +
                         detail::whole_text(fitting) + " instead of " + detail::whole_text(*bound.limit) +
                         "; raise RLIMIT_NOFILE (LimitNOFILE= of the unit) for more");
    *bound.limit = fitting;
  }
}

}  // namespace village::control
