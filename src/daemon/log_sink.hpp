#pragma once
// LogSink: where VG_LOG lines of this process go: standard error, as text, as JSON lines, or in the journal's
// form.
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/log.hpp"
#include "village/base/time.hpp"

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace village::daemon {

enum class LogFormat {
  text,
  json,
  journal
};  ///< journal: "<6>tag line", the journal adds time and level itself

/// LineBudget lets `burst` lines pass at once and `per_second` after that; what it refuses is counted.
class LineBudget {
 public:
  LineBudget(double burst, double per_second) : burst_{burst}, per_second_{per_second}, left_{burst} {}
  /// allow says whether a line at `now` may pass.
  bool allow(Instant now);
  /// take_refused returns how many were refused since the last call.
  std::uint64_t take_refused();

 private:
  double burst_, per_second_, left_;
  Instant last_{};
  std::uint64_t refused_ = 0;
};

/// json_line writes one line of the JSON form; text that is not UTF-8 is escaped byte by byte.
std::string json_line(std::string_view time, log::Level level, std::string_view tag, std::string_view line);

class LogSink final : public log::Sink {
 public:
  /// `target` is standard error if null (tests pass their own).
  explicit LogSink(LogFormat format, std::shared_ptr<spdlog::sinks::sink> target = nullptr);
  ~LogSink() override;
  void write(log::Level level, std::string_view tag, std::string_view line) override;
  /// last_errors lists the newest lines of level error and warn, oldest first (at most 8).
  std::vector<std::string> last_errors() const;

 private:
  void emit(log::Level level, std::string_view tag, std::string_view line);
  LogFormat format_;
  std::shared_ptr<spdlog::logger> logger_;
  mutable std::mutex mutex_;
  LineBudget budget_;
  std::vector<std::string> last_errors_;
};

}  // namespace village::daemon
