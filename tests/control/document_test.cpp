#include "control/document.hpp"

#include <gtest/gtest.h>

namespace village::control {
namespace {

Document parse(const std::string& text) {
  Problems problems{"t", text};
  auto document = parse_document(text, problems);
  for (const auto& error : problems.take_errors()) ADD_FAILURE() << error.text();
  return document ? *std::move(document) : Document{};
}

TEST(Document, KeepsThePlaceOfEveryValue) {
  const std::string text = "{ // c\n  \"a\": [1, {\"b/~\": \"x\"}], /* } */ \"c\": true,\n}";
  const auto document = parse(text);
  const auto at = [&](const char* pointer) {
    const auto* mark = document.find(pointer);
    return mark == nullptr ? "none" : text.substr(mark->begin, mark->end - mark->begin);
  };
  EXPECT_EQ(at("/a"), "[1, {\"b/~\": \"x\"}]");
  EXPECT_EQ(at("/a/0"), "1");
  EXPECT_EQ(at("/a/1/b~1~0"), "\"x\"");
  EXPECT_EQ(at("/c"), "true");
  EXPECT_EQ(at(""), text);
  EXPECT_EQ(at("/d"), "none");
  EXPECT_EQ(at("/a/2"), "none");
  EXPECT_EQ(at("/c/d"), "none");
  EXPECT_EQ(text.substr(document.find("/c")->key, 3), "\"c\"");
  EXPECT_EQ(&document.closest("/a/7/x"), document.find("/a"));
}

TEST(Document, ReadsTheValuesOfJson) {
  const auto root = parse(R"({"n": [0, -1, 9223372036854775807, 18446744073709551615, 1.5, 1e3, -2.5E-1],
      "t": "\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é", "l": [true, false, null], "e": [[], {}]})")
                        .root;
  EXPECT_EQ(root, Json::parse(R"({"n": [0, -1, 9223372036854775807, 18446744073709551615, 1.5, 1000.0, -0.25],
      "t": "\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00é", "l": [true, false, null], "e": [[], {}]})"));
}

TEST(Document, AllowsAByteOrderMarkAndCarriageReturns) {
  EXPECT_EQ(parse("\xEF\xBB\xBF{\r\n\"a\": 1\r\n}\r\n").root.at("a"), 1);
}

TEST(Document, RefusesEveryBrokenUtf8) {
  for (const std::string bytes : {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80",
                                  "\xF0\x80\x80\x80", "\xF5\x80\x80\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    const auto text = "{\"a\": \"" + bytes + "\"}";
    Problems problems{"t", text};
    EXPECT_FALSE(parse_document(text, problems));
    EXPECT_TRUE(problems.any());
  }
}

TEST(Document, EveryPrefixIsRefusedWithoutACrash) {
  const std::string text = R"({"a": [1, "b\u0041", {"c": null}], "d": -1.5e3, /* x */ "e": "é"})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    Problems problems{"t", std::string_view{text}.substr(0, size)};
    parse_document(std::string_view{text}.substr(0, size), problems);
    EXPECT_TRUE(problems.any()) << size;
  }
}

TEST(Document, GoesOnBehindAMistakeThatLeavesTheStructureClear) {
  const std::string text = "{\"a\": yes, \"b\": 01 \"c\": 3, , \"d\": 4}";
  Problems problems{"t", text};
  const auto document = parse_document(text, problems);
  ASSERT_TRUE(document);
  EXPECT_EQ(problems.take_errors().size(), 4U);
  EXPECT_EQ(document->root.at("c"), 3);
  EXPECT_EQ(document->root.at("d"), 4);
}

TEST(Document, DepthIsBounded) {
  for (const std::size_t depth : {32U, 33U, 100'000U}) {
    const auto text = "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    Problems problems{"t", text};
    EXPECT_EQ(parse_document(text, problems).has_value(), depth == 32) << depth;
  }
}

}  // namespace
}  // namespace village::control
