#include "daemon/log_sink.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

namespace village::daemon {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

struct Captured {
  std::ostringstream text;
  std::unique_ptr<LogSink> sink;
  explicit Captured(LogFormat format)
      : sink{std::make_unique<LogSink>(format,
                                       std::make_shared<spdlog::sinks::ostream_sink_mt>(text, true))} {}
};

TEST(LogSink, TextLineHasTimeLevelTagAndLine) {
  Captured log{LogFormat::text};
  log.sink->write(log::Level::info, "htx", "listen address=127.0.0.1:1");
  EXPECT_THAT(log.text.str(),
              MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]+Z info  htx listen address=127.0.0.1:1\n"));
}

TEST(LogSink, JsonLineNamesTheEvent) {
  Captured log{LogFormat::json};
  log.sink->write(log::Level::warn, "net", "slow_name host=\"x\"");
  EXPECT_THAT(log.text.str(), HasSubstr(R"("level":"warn","tag":"net","event":"slow_name")"));
  EXPECT_THAT(log.text.str(), EndsWith("\"line\":\"slow_name host=\\\"x\\\"\"}\n"));
}

TEST(LogSink, JournalLineHasThePriority) {
  Captured log{LogFormat::journal};
  log.sink->write(log::Level::error, "net", "broken");
  EXPECT_EQ(log.text.str(), "<3>net broken\n");
}

TEST(LogSink, ControlCharactersForgeNoLine) {
  Captured log{LogFormat::text};
  log.sink->write(log::Level::info, "htx", "peer name=a\nb\x1b[2J");
  EXPECT_THAT(log.text.str(), EndsWith("peer name=a?b?[2J\n"));
}

TEST(LogSink, JsonEscapesControlCharactersAndBrokenUtf8) {
  EXPECT_THAT(json_line("t", log::Level::info, "x", "a\n\xff\xc3\xa9"),
              EndsWith("\"line\":\"a\\u000a\\u00ff\xc3\xa9\"}"));
  EXPECT_THAT(json_line("t", log::Level::info, "x", "\xed\xa0\x80|\xc0\xaf|\xf0\x9f\x8c\xb1"),
              EndsWith("\\u00ed\\u00a0\\u0080|\\u00c0\\u00af|\xf0\x9f\x8c\xb1\"}"));
}

TEST(LogSink, KeepsTheNewestWarningsForStatus) {
  Captured log{LogFormat::text};
  log.sink->write(log::Level::info, "htx", "not this");
  for (int i = 0; i < 12; ++i) log.sink->write(log::Level::warn, "htx", "number " + std::to_string(i));
  const auto kept = log.sink->last_errors();
  ASSERT_EQ(kept.size(), 8u);
  EXPECT_THAT(kept.front(), EndsWith("warn htx number 4"));
  EXPECT_THAT(kept.back(), EndsWith("warn htx number 11"));
}

TEST(LineBudget, LetsABurstPassThenASteadyRate) {
  LineBudget budget{3, 10};
  const Instant start{1h};
  EXPECT_TRUE(budget.allow(start));
  EXPECT_TRUE(budget.allow(start));
  EXPECT_TRUE(budget.allow(start));
  EXPECT_FALSE(budget.allow(start));
  EXPECT_FALSE(budget.allow(start + 50ms));
  EXPECT_TRUE(budget.allow(start + 150ms));
  EXPECT_EQ(budget.take_refused(), 2u);
  EXPECT_EQ(budget.take_refused(), 0u);
}

TEST(LogSink, FloodIsCutButErrorsPass) {
  Captured log{LogFormat::journal};
  for (int i = 0; i < 5'000; ++i) log.sink->write(log::Level::info, "htx", "flood");
  log.sink->write(log::Level::error, "htx", "must be seen");
  const auto text = log.text.str();
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 3'000);
  EXPECT_THAT(text, HasSubstr("log_lines_dropped count="));
  EXPECT_THAT(text, HasSubstr("must be seen"));
}

}  // namespace
}  // namespace village::daemon
