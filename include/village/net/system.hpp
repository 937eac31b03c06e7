#pragma once
// What the process asks of the operating system once, at start.
#include <cstdint>
#include <string>
#include <vector>

#include "village/base/error.hpp"

namespace village::net {

/// raise_descriptor_limit sets RLIMIT_NOFILE's soft limit to the hard one and returns it.
Result<std::uint64_t> raise_descriptor_limit();
/// usable_cpus lists the CPUs this process may run on (affinity mask), ascending; never empty.
std::vector<unsigned> usable_cpus();
/// default_congestion is the system's TCP congestion control, "cubic" or "bbr"; empty if unknown.
std::string default_congestion();
/// set_congestion sets TCP_CONGESTION on a socket. Errors: not_found (no such algorithm), denied.
Result<void> set_congestion(int fd, const std::string& algorithm);

}  // namespace village::net
