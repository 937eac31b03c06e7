#pragma once
// Relay: carries bytes both ways between two streams until both have finished.
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string_view>

#include "village/net/core.hpp"
#include "village/net/limits.hpp"
#include "village/net/stream.hpp"

namespace village::net {

struct RelayLimits {
  Duration idle = std::chrono::minutes{5};  ///< no byte either way for so long ends it; 0 = never
  Duration half_closed_idle = std::chrono::seconds{60};   ///< the same once one side has finished
  std::size_t buffer_bytes = limits::relay_buffer_bytes;  ///< bytes held for one direction, 4 KiB to 256 KiB
  bool splice = true;  ///< let the kernel move bulk bytes between plain TCP sockets
};

enum class RelayEnd : std::uint8_t { finished, idle, half_closed_idle, failed, cancelled };
std::string_view name(RelayEnd end);

struct RelayStatistics {
  std::uint64_t bytes_a_to_b = 0;
  std::uint64_t bytes_b_to_a = 0;
  std::uint64_t bytes_spliced = 0;  ///< of both, those that never entered user space
  RelayEnd end = RelayEnd::finished;
  std::optional<Error> error;  ///< the first one, when failed
  bool error_from_a = false;   ///< it came from reading or writing a
};

/// relay moves bytes a -> b and b -> a. A FIN of one side is passed to the other, and that direction is done;
/// it ends after the second FIN, an error of either side, the idle time, or cancellation, and then closes
/// both. Waits of the slower side hold the faster one back; while nothing moves no buffer is held (streams
/// with wait_readable) or 1 KiB (others). Both streams must outlive it and live on `core`.
asio::awaitable<RelayStatistics> relay(Core& core, Stream& a, Stream& b, RelayLimits limits = {});

}  // namespace village::net
