#include "daemon/log_sink.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>

#include "daemon/limits.hpp"
#include "village/base/limits.hpp"
#include "village/base/metrics.hpp"

namespace village::daemon {
namespace {

const village::limits::Row rows[]{
    {"daemon", "log_lines_burst", limits::log_lines_burst, 0,
     "log lines at once; more are counted and dropped"},
    {"daemon", "log_lines_per_second", limits::log_lines_per_second, 0, "log lines steadily"},
    {"daemon", "last_errors_max", limits::last_errors_max, 512, "warnings and errors kept for status"},
    {"daemon", "inherited_sockets_max", limits::inherited_sockets_max, 0,
     "sockets taken from a service manager"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

metrics::Counter lines_dropped{"villaged_daemon_log_lines_dropped_total", "Log lines above the budget."};

spdlog::level::level_enum spdlog_level(log::Level level) {
  switch (level) {
    case log::Level::trace:
      return spdlog::level::trace;
    case log::Level::debug:
      return spdlog::level::debug;
    case log::Level::info:
      return spdlog::level::info;
    case log::Level::warn:
      return spdlog::level::warn;
    case log::Level::error:
      return spdlog::level::err;
    case log::Level::off:
      break;
  }
  return spdlog::level::off;
}

/// syslog_priority is the number in the journal's "<N>" prefix. Source: sd-daemon(3).
int syslog_priority(log::Level level) {
  switch (level) {
    case log::Level::error:
      return 3;
    case log::Level::warn:
      return 4;
    case log::Level::info:
      return 6;
    default:
      return 7;
  }
}

Instant steady_now() {
  return Instant{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch())};
}

std::string wall_text() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(now - seconds).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), micros);
}

/// utf8_size is the length of the valid UTF-8 sequence at the front of `text`, 0 if there is none.
std::size_t utf8_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) < 0xe0) return tail(1) ? 2 : 0;
  if (byte(0) >= 0xe0 && byte(0) < 0xf0) {
    if (!tail(1) || !tail(2)) return 0;
    const bool overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = byte(0) == 0xed && byte(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (byte(0) >= 0xf0 && byte(0) < 0xf5) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    return (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) >= 0x90) ? 0 : 4;
  }
  return 0;
}

void append_json(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    const auto size = utf8_size(text);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text.front();
    } else if (c < 0x20 || size == 0) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      out.append(text.substr(0, size));
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

/// visible replaces control characters, so that a peer's text can forge no line and move no cursor.
std::string visible(std::string_view line) {
  std::string out{line};
  std::replace_if(
      out.begin(), out.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, '?');
  return out;
}

}  // namespace

bool LineBudget::allow(Instant now) {
  const auto seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  left_ = std::min(burst_, left_ + seconds * per_second_);
  if (left_ < 1) {
    ++refused_;
    return false;
  }
  left_ -= 1;
  return true;
}

std::uint64_t LineBudget::take_refused() { return std::exchange(refused_, 0); }

std::string json_line(std::string_view time, log::Level level, std::string_view tag, std::string_view line) {
  auto out = fmt::format(R"({{"time":"{}","level":"{}","tag":")", time, log::name(level));
  append_json(out, tag);
  out += R"(","event":")";
  append_json(out, line.substr(0, line.find(' ')));
  out += R"(","line":")";
  append_json(out, line);
  out += "\"}";
  return out;
}

LogSink::LogSink(LogFormat format, std::shared_ptr<spdlog::sinks::sink> target)
    : format_{format}, budget_{limits::log_lines_burst, limits::log_lines_per_second} {
  if (!target) target = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger_ = std::make_shared<spdlog::logger>("villaged", std::move(target));
  logger_->set_level(spdlog::level::trace);
  logger_->set_pattern("%v");
}

LogSink::~LogSink() = default;

void LogSink::write(log::Level level, std::string_view tag, std::string_view line) {
  std::uint64_t refused = 0;
  {
    const std::lock_guard lock{mutex_};
    if (level >= log::Level::warn) {
      if (last_errors_.size() == limits::last_errors_max) last_errors_.erase(last_errors_.begin());
      last_errors_.push_back(fmt::format("{} {} {} {}", wall_text(), log::name(level), tag, visible(line)));
    }
    // Errors always pass: they are the operator's, and nothing from outside can cause one.
    if (level < log::Level::error && !budget_.allow(steady_now())) return lines_dropped.add();
    refused = budget_.take_refused();
  }
  if (refused != 0) emit(log::Level::warn, "daemon", fmt::format("log_lines_dropped count={}", refused));
  emit(level, tag, line);
}

void LogSink::emit(log::Level level, std::string_view tag, std::string_view line) {
  const auto target = spdlog_level(level);
  switch (format_) {
    case LogFormat::json:
      logger_->log(target, "{}", json_line(wall_text(), level, tag, line));
      break;
    case LogFormat::journal:
      logger_->log(target, "<{}>{} {}", syslog_priority(level), tag, visible(line));
      break;
    case LogFormat::text:
      logger_->log(target, "{} {:<5} {} {}", wall_text(), log::name(level), tag, visible(line));
      break;
  }
}

std::vector<std::string> LogSink::last_errors() const {
  const std::lock_guard lock{mutex_};
  return last_errors_;
}

}  // namespace village::daemon
