#include "control/config_edit.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::control {
namespace {

ConfigEdit open(const std::string& text) {
  auto edit = ConfigEdit::open(text);
  EXPECT_TRUE(edit) << text;
  return *std::move(edit);
}

TEST(ConfigEdit, AppendsBehindTheLastEntryAndKeepsComments) {
  auto edit = open(
      "{\n"
      "  // who we talk with\n"
      "  \"htx\": {\n"
      "    \"peers\": [\n"
      "      {\"name\": \"a\"} // the first\n"
      "      // more to come\n"
      "    ] /* end */\n"
      "  }\n"
      "}\n");
  edit.append("/htx/peers", {{"name", "b"}});
  EXPECT_EQ(edit.text(),
            "{\n"
            "  // who we talk with\n"
            "  \"htx\": {\n"
            "    \"peers\": [\n"
            "      {\"name\": \"a\"}, // the first\n"
            "      // more to come\n"
            "      {\n"
            "        \"name\": \"b\"\n"
            "      }\n"
            "    ] /* end */\n"
            "  }\n"
            "}\n");
}

TEST(ConfigEdit, AppendsBehindATrailingComma) {
  auto edit = open("{\"p\": [\n\t1, // one\n]}");
  edit.append("/p", 2);
  EXPECT_EQ(edit.text(), "{\"p\": [\n\t1, // one\n\t2\n]}");
}

TEST(ConfigEdit, AppendsToAnEmptyList) {
  auto edit = open("{\n  \"p\": []\n}\n");
  edit.append("/p", 1);
  EXPECT_EQ(edit.text(), "{\n  \"p\": [\n    1\n  ]\n}\n");
  auto commented = open("{\n  \"p\": [\n    // none yet\n  ]\n}\n");
  commented.append("/p", 1);
  EXPECT_EQ(commented.text(), "{\n  \"p\": [\n    // none yet\n    1\n  ]\n}\n");
}

TEST(ConfigEdit, AppendsOnOneLineWhereThatIsTheStyle) {
  auto edit = open("{\"p\": [1, 2]}");
  edit.append("/p", 3);
  EXPECT_EQ(edit.text(), "{\"p\": [1, 2, 3]}");
}

TEST(ConfigEdit, MakesListsAndObjectsThatAreNotThere) {
  auto edit = open("{}");
  edit.append("/htx/peers", {{"name", "a"}});
  EXPECT_EQ(edit.root(), Json::parse(R"({"htx": {"peers": [{"name": "a"}]}})"));
  auto other = open("{\n  \"node\": {\"name\": \"x\"}, // us\n}\n");
  other.append("/htx/peers", {{"name", "a"}});
  EXPECT_TRUE(other.text().starts_with("{\n  \"node\": {\"name\": \"x\"}, // us\n  \"htx\": {"))
      << other.text();
}

TEST(ConfigEdit, SetReplacesOneValueOnly) {
  auto edit = open("{\"a\": /* old */ \"x\", \"b\": {\"c\": [1,2]}}");
  edit.set("/a", "y");
  edit.set("/b/c", Json::array({3}));
  edit.set("/b/d", true);
  EXPECT_EQ(edit.text(), "{\"a\": /* old */ \"y\", \"b\": {\"c\": [3], \"d\": true}}");
}

TEST(ConfigEdit, RemovesAnEntryWithItsLines) {
  const std::string text =
      "{\"p\": [\n  // first\n  {\"n\": 1},\n  // second\n  {\n    \"n\": 2\n  },\n  // third\n  {\"n\": 3} "
      "// x\n]}";
  auto first = open(text), second = open(text), third = open(text);
  first.remove("/p/0");
  EXPECT_EQ(first.text(),
            "{\"p\": [\n  // first\n  // second\n  {\n    \"n\": 2\n  },\n  // third\n  {\"n\": 3} // x\n]}");
  second.remove("/p/1");
  EXPECT_EQ(second.text(),
            "{\"p\": [\n  // first\n  {\"n\": 1},\n  // second\n  // third\n  {\"n\": 3} // x\n]}");
  third.remove("/p/2");
  EXPECT_EQ(third.root(), Json::parse(R"({"p": [{"n": 1}, {"n": 2}]})"));
  EXPECT_NE(third.text().find("// x"), std::string::npos);
}

TEST(ConfigEdit, RemovesOnOneLine) {
  const std::string text = "{\"p\": [1, 2, 3]}";
  for (const auto& [index, left] :
       std::vector<std::pair<int, std::string>>{{0, "[2, 3]"}, {1, "[1, 3]"}, {2, "[1, 2]"}}) {
    auto edit = open(text);
    edit.remove("/p/" + std::to_string(index));
    EXPECT_EQ(edit.text(), "{\"p\": " + left + "}");
  }
  auto only = open("{\"p\": [1]}");
  only.remove("/p/0");
  EXPECT_EQ(only.text(), "{\"p\": []}");
}

/// Random lists in random layouts: after any edits the values are what a plain list would hold, and no
/// comment is lost.
TEST(ConfigEdit, RandomEditsEqualEditsOfTheValues) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SeededRandom random{seed};
    const auto pick = [&random](std::initializer_list<const char*> list) {
      return std::string{list.begin()[random.below(list.size())]};
    };
    std::string text =
        "{" + pick({"", "\n", " // a\n"}) + "\"p\":" + pick({"[", " [\n", "[ /* b, */ ", "\n[// ]\n"});
    auto model = Json::array();
    const auto count = random.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      text += pick({"", " ", "\n  "}) + std::to_string(i) + pick({"", " /* , */", " // ,\n", "\n"});
      if (i + 1 < count || random.below(2) == 0) text += "," + pick({"", " ", " // c\n", "\n"});
      model.push_back(i);
    }
    text += pick({"]", "\n]", " /* d */ ]"}) + pick({"}", ",\n}", "\n}\n"});
    auto edit = open(text);
    const auto comments = std::count(text.begin(), text.end(), '/');
    for (int step = 0; step < 5; ++step) {
      if (random.below(2) == 0 || model.empty()) {
        const auto value = random.below(2) == 0 ? Json(100 + step) : Json{{"v", step}};
        edit.append("/p", value);
        model.push_back(value);
      } else {
        const auto index = random.below(model.size());
        edit.remove("/p/" + std::to_string(index));
        model.erase(index);
      }
      ASSERT_EQ(edit.root().at("p"), model) << "seed " << seed << "\n" << text << "\n---\n" << edit.text();
      ASSERT_EQ(std::count(edit.text().begin(), edit.text().end(), '/'), comments) << "seed " << seed << "\n"
                                                                                   << edit.text();
    }
  }
}

}  // namespace
}  // namespace village::control
