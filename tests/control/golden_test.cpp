// Every kind of mistake an operator can make, with the exact text that he reads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "support/vectors.hpp"
#include "village/control/config.hpp"

namespace village::control {
namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path{VILLAGE_SOURCE_DIR} / "tests/control/golden";

std::vector<fs::path> golden_inputs() {
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator{golden}) {
    if (entry.path().extension() == ".json") inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

std::string report(const ConfigOutcome& outcome) {
  std::string text;
  for (const auto& error : outcome.errors) text += error.text() + "\n";
  for (const auto& warning : outcome.warnings) text += "warning: " + warning.text() + "\n";
  return text;
}

/// VILLAGE_UPDATE_GOLDEN=1 writes what is said now; read the difference before committing it.
TEST(GoldenConfig, EveryMistakeIsToldInTheseWords) {
  const bool update = std::getenv("VILLAGE_UPDATE_GOLDEN") != nullptr;
  for (const auto& input : golden_inputs()) {
    const auto outcome = parse_config(test::read_file(input), input.filename().string());
    const auto said = report(outcome);
    const auto expected_path = fs::path{input}.replace_extension(".txt");
    if (update) std::ofstream{expected_path} << said;
    EXPECT_EQ(said, test::read_file(expected_path)) << input;
    EXPECT_EQ(outcome.config.has_value(), outcome.errors.empty()) << input;
  }
}

TEST(GoldenConfig, ErrorsNamePlaceAndMessage) {
  for (const auto& input : golden_inputs()) {
    const auto outcome = parse_config(test::read_file(input), "x.json");
    for (const auto& error : outcome.errors) {
      EXPECT_GE(error.line, 1U) << error.text();
      EXPECT_GE(error.column, 1U) << error.text();
      EXPECT_FALSE(error.message.empty()) << input;
    }
  }
}

/// A kind is a message without what it quotes and counts.
TEST(GoldenConfig, MoreThanThirtyKindsOfErrorsAreCovered) {
  std::set<std::string> kinds;
  for (const auto& input : golden_inputs()) {
    for (const auto& error : parse_config(test::read_file(input), "x.json").errors) {
      std::string kind;
      bool quoted = false;
      for (const char c : error.message) {
        if (c == '"') quoted = !quoted;
        if (!quoted && c != '"' && (c < '0' || c > '9')) kind.push_back(c);
      }
      kinds.insert(kind.substr(0, 40));
    }
  }
  EXPECT_GE(kinds.size(), 30U);
}

TEST(GoldenConfig, NoSecretAppearsInAMessage) {
  const auto outcome = parse_config(test::read_file(golden / "secrets.json"), "secrets.json");
  ASSERT_FALSE(outcome.errors.empty());
  for (const auto* secret : {"hunter2", "12345", "correct horse"}) {
    EXPECT_EQ(report(outcome).find(secret), std::string::npos) << secret;
  }
}

}  // namespace
}  // namespace village::control
