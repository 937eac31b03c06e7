#pragma once
// Log facade. Modules of layers 5-8 write lines; `daemon` installs the sink (spdlog). Layers 0-4 do not log.
//
// A line is `tag event key=value ...`, for example VG_LOG(debug, "htx", "close peer={} reason={}", id, why).
// error = operator must act; warn = degraded; info = a life event of the process; debug = life of a
// connection; trace = packets, compiled out unless VILLAGE_LOG_TRACE. A peer can cause nothing above debug.
#include <fmt/core.h>

#include <atomic>
#include <optional>
#include <string_view>

namespace village::log {

enum class Level : int { trace, debug, info, warn, error, off };

/// Sink receives finished lines. write may be called from any thread at once.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(Level level, std::string_view tag, std::string_view line) = 0;
};

/// set_sink installs the sink; it must outlive all threads that log. nullptr = standard error.
void set_sink(Sink* sink);
void set_level(Level level);
std::string_view name(Level level);
std::optional<Level> parse_level(std::string_view text);

namespace detail {
extern std::atomic<int> threshold;
void write(Level level, std::string_view tag, fmt::string_view format, fmt::format_args args);
template <class... T>
void print(Level level, std::string_view tag, fmt::format_string<T...> format, T&&... args) {
  write(level, tag, format, fmt::make_format_args(args...));
}
}  // namespace detail

inline bool enabled(Level level) {
  return static_cast<int>(level) >= detail::threshold.load(std::memory_order_relaxed);
}

}  // namespace village::log

#ifdef VILLAGE_LOG_TRACE
#define VG_LOG_COMPILED(level) true
#else
#define VG_LOG_COMPILED(level) (::village::log::Level::level != ::village::log::Level::trace)
#endif

/// VG_LOG(level, tag, format, args...): arguments are evaluated only when the level is on.
#define VG_LOG(level, tag, ...)                                                        \
  do {                                                                                 \
    if constexpr (VG_LOG_COMPILED(level)) {                                            \
      if (::village::log::enabled(::village::log::Level::level))                       \
        ::village::log::detail::print(::village::log::Level::level, tag, __VA_ARGS__); \
    }                                                                                  \
  } while (false)
