#include "village/base/log.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>

namespace village::log {
namespace {
constexpr std::array<std::string_view, 6> names{"trace", "debug", "info", "warn", "error", "off"};
std::atomic<Sink*> installed{nullptr};
}  // namespace

namespace detail {
std::atomic<int> threshold{static_cast<int>(Level::warn)};

void write(Level line_level, std::string_view tag, fmt::string_view format, fmt::format_args args) {
  fmt::basic_memory_buffer<char, 512> line;
  fmt::vformat_to(std::back_inserter(line), format, args);
  const std::string_view text{line.data(), line.size()};
  if (auto* sink = installed.load(std::memory_order_acquire)) {
    sink->write(line_level, tag, text);
    return;
  }
  std::fprintf(stderr, "[%s] %.*s %.*s\n", names[static_cast<std::size_t>(line_level)].data(),
               static_cast<int>(tag.size()), tag.data(), static_cast<int>(text.size()), text.data());
}
}  // namespace detail

void set_sink(Sink* sink) { installed.store(sink, std::memory_order_release); }
void set_level(Level level) { detail::threshold.store(static_cast<int>(level), std::memory_order_relaxed); }
std::string_view name(Level level) { return names[static_cast<std::size_t>(level)]; }

std::optional<Level> parse_level(std::string_view text) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) return static_cast<Level>(i);
  }
  return std::nullopt;
}

}  // namespace village::log
