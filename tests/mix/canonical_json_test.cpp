#include "village/mix/canonical_json.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::mix {
namespace {

constexpr JsonLimits some{1 << 16, 8, 1'000};

Result<JsonValue> parse(std::string_view text, const JsonLimits& limits = some) {
  return parse_canonical_json(as_bytes(text), limits);
}

Errc refusal(std::string_view text, const JsonLimits& limits = some) {
  const auto read = parse(text, limits);
  EXPECT_FALSE(read.has_value()) << text;
  return read ? Errc::internal : read.error().code;
}

TEST(CanonicalJson, WritesWhatItReads) {
  for (const std::string text : {R"({})", R"([])", R"({"a":[1,-2,0,true,false,"x"],"b":{"c":{}}})", R"("")",
                                 R"("\b\t\n\f\r\"\\\u0000\u001f/")", "\"\u20ac\U0001F600\x7f\"",
                                 "9007199254740991", "-9007199254740991", R"({"":1,"A":2,"a":3,"ö":4})"}) {
    const auto value = parse(text);
    ASSERT_TRUE(value.has_value()) << text << " " << name(value.error().code) << value.error().detail;
    EXPECT_EQ(canonical_json(*value), text);
  }
}

TEST(CanonicalJson, SortsMembersByUtf16) {
  // The example of RFC 8785 3.2.3, and one where bytes and code units disagree.
  const JsonValue value{JsonValue::Object{{"\u20ac", {"Euro Sign"}},
                                          {"\r", {"Carriage Return"}},
                                          {"\ufb33", {"Hebrew Letter Dalet With Dagesh"}},
                                          {"1", {"One"}},
                                          {"\U0001F600", {"Emoji: Grinning Face"}},
                                          {"\u0080", {"Control"}},
                                          {"\u00f6", {"Latin Small Letter O With Diaeresis"}}}};
  const std::string text =
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"\u00f6\":\"Latin Small Letter O "
      "With "
      "Diaeresis\",\"\u20ac\":\"Euro Sign\",\"\U0001F600\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew "
      "Letter "
      "Dalet With Dagesh\"}";
  EXPECT_EQ(canonical_json(value), text);
  EXPECT_TRUE(parse(text).has_value());
  EXPECT_EQ(refusal("{\"\ufb33\":1,\"\U0001F600\":2}"), Errc::not_canonical);
}

TEST(CanonicalJson, RefusesOtherFormsOfTheSameValue) {
  for (const std::string_view text :
       {"{ }", "[1, 2]", "1 ", "\n1", R"({"b":1,"a":2})", R"("\/")", R"("\u0041")", R"("\u000a")",
        R"("\u001F")", "01", "-0", "-01", R"({"a" :1})", "{\"a\":1,\"b\":\t2}"}) {
    EXPECT_EQ(refusal(text), Errc::not_canonical) << text;
  }
}

TEST(CanonicalJson, RefusesMembersThatStandTwice) {
  EXPECT_EQ(refusal(R"({"a":1,"a":1})"), Errc::already_exists);
  EXPECT_EQ(refusal(R"({"a":1,"b":1,"a":1})"), Errc::already_exists);
}

TEST(CanonicalJson, RefusesNumbersOutOfRangeAndKindsItDoesNotHave) {
  for (const std::string_view text : {"9007199254740992", "-9007199254740992", "99999999999999999999999"}) {
    EXPECT_EQ(refusal(text), Errc::limit_exceeded) << text;
  }
  for (const std::string_view text : {"null", "1.5", "1e3", "0.0", "1E3", "[null]"}) {
    EXPECT_EQ(refusal(text), Errc::unsupported) << text;
  }
}

TEST(CanonicalJson, RefusesWhatIsNoJson) {
  for (const std::string_view text :
       {"{", "[1", "\"", "\"\\", "\"\\u00", "", "-", "tru", "{\"a\"", "{\"a\":"}) {
    EXPECT_EQ(refusal(text), Errc::truncated) << text;
  }
  for (const std::string_view text :
       {"}", "[1,]", "{\"a\":1,}", "{1:2}", "+1", "'a'", "\"\n\"", "\"\\x\"", "\"\\u00g0\"", "\"\xff\"",
        "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "truE", "[1 2", "NaN"}) {
    const auto code = refusal(text);
    EXPECT_TRUE(code == Errc::malformed || code == Errc::not_canonical) << text;
  }
  EXPECT_EQ(refusal("1}"), Errc::trailing_bytes);
}

TEST(CanonicalJson, KeepsItsBounds) {
  EXPECT_EQ(refusal("[1,2,3]", {7, 8, 3}), Errc::limit_exceeded);  // four values
  EXPECT_TRUE(parse("[1,2,3]", {7, 8, 4}).has_value());
  EXPECT_EQ(refusal("[1,2,3]", {6, 8, 4}), Errc::limit_exceeded);
  EXPECT_TRUE(parse("[[[]]]", {100, 3, 100}).has_value());
  EXPECT_EQ(refusal("[[[]]]", {100, 2, 100}), Errc::limit_exceeded);
  EXPECT_EQ(refusal(std::string(60'000, '[')), Errc::limit_exceeded);
  EXPECT_EQ(refusal(std::string(100'000, '1')), Errc::limit_exceeded);
}

TEST(CanonicalJson, AcceptsNothingThatItWouldWriteOtherwise) {
  const std::uint64_t seed = 20'260'401;
  SCOPED_TRACE(seed);
  SeededRandom random{seed};
  const std::string text = R"({"a":[1,-20,{"x":"\n€"}],"b":true,"c":"\u0001"})";
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto copy = text;
    for (auto changes = random.below(3) + 1; changes > 0; --changes) {
      const auto at = random.below(copy.size());
      if (random.below(3) == 0) {
        copy.erase(at, 1);
      } else {
        copy[at] = text[random.below(text.size())];
      }
    }
    const auto value = parse(copy);
    if (!value) continue;
    ++accepted;
    EXPECT_EQ(canonical_json(*value), copy);
  }
  EXPECT_GT(accepted, 10U);
}

TEST(JsonReader, KeepsTheFirstThingThatIsWrong) {
  const auto value = parse(R"({"flag":true,"list":[1],"number":5,"text":"abc"})");
  ASSERT_TRUE(value.has_value());
  const auto read = [&value](auto body) {
    JsonReader reader{*value};
    body(reader);
    return reader.finish();
  };
  EXPECT_TRUE(read([](JsonReader& reader) {
                EXPECT_TRUE(reader.boolean("flag"));
                EXPECT_EQ(reader.array("list", 1).size(), 1U);
                EXPECT_EQ(reader.integer("number", 0, 5), 5);
                EXPECT_EQ(reader.text("text", 3), "abc");
              }).has_value());
  EXPECT_EQ(read([](JsonReader& reader) { reader.boolean("flag"); }).error().code, Errc::unsupported);
  EXPECT_EQ(read([](JsonReader& reader) { reader.integer("number", 0, 4); }).error().code,
            Errc::limit_exceeded);
  EXPECT_EQ(read([](JsonReader& reader) { reader.text("text", 2); }).error().code, Errc::limit_exceeded);
  EXPECT_EQ(read([](JsonReader& reader) { reader.array("list", 0); }).error().code, Errc::limit_exceeded);
  EXPECT_EQ(read([](JsonReader& reader) { reader.text("flag", 9); }).error().code, Errc::malformed);
  EXPECT_EQ(read([](JsonReader& reader) { reader.text("other", 9); }).error().code, Errc::malformed);
  EXPECT_EQ(JsonReader{JsonValue{true}}.finish().error().code, Errc::malformed);
}

}  // namespace
}  // namespace village::mix
