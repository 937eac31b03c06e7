#include "daemon/inherited.hpp"

#include <gtest/gtest.h>

namespace village::daemon {
namespace {

const std::vector<ListenSlot> slots{
    {"htx-0", "htx"}, {"htx-1", ""}, {"proxy-local", "local"}, {"control", ""}};

TEST(InheritedSockets, AreReadFromTheThreeVariables) {
  const auto sockets = parse_inherited("42", "3", "htx:local:unknown", 42);
  ASSERT_TRUE(sockets);
  ASSERT_EQ(sockets->size(), 3u);
  EXPECT_EQ((*sockets)[0].descriptor, 3);
  EXPECT_EQ((*sockets)[0].name, "htx");
  EXPECT_EQ((*sockets)[2].descriptor, 5);
  EXPECT_EQ((*sockets)[2].name, "unknown");
}

TEST(InheritedSockets, MayHaveFewerNamesThanDescriptors) {
  const auto sockets = parse_inherited("42", "2", "htx", 42);
  ASSERT_TRUE(sockets);
  EXPECT_EQ((*sockets)[1].name, "");
  const auto nameless = parse_inherited("42", "1", nullptr, 42);
  ASSERT_TRUE(nameless);
  EXPECT_EQ((*nameless)[0].name, "");
}

TEST(InheritedSockets, OfAnotherProcessAreNotOurs) { EXPECT_FALSE(parse_inherited("41", "1", "htx", 42)); }

TEST(InheritedSockets, BadNumbersGiveNothing) {
  EXPECT_FALSE(parse_inherited(nullptr, "1", "", 42));
  EXPECT_FALSE(parse_inherited("42", nullptr, "", 42));
  EXPECT_FALSE(parse_inherited("42", "-1", "", 42));
  EXPECT_FALSE(parse_inherited("42", "1x", "", 42));
  EXPECT_FALSE(parse_inherited("42", "100000", "", 42));
}

TEST(InheritedSockets, AreAssignedByNameWhateverTheOrder) {
  const auto plan = assign({{3, "control"}, {4, "proxy-local"}, {5, "htx"}}, slots);
  EXPECT_EQ(plan.descriptors, (std::vector<int>{5, -1, 4, 3}));
  EXPECT_TRUE(plan.unused.empty());
}

TEST(InheritedSockets, OneNameTwiceGoesToTheAliasOnlyOnce) {
  const auto plan = assign({{3, "htx"}, {4, "htx"}}, slots);
  EXPECT_EQ(plan.descriptors, (std::vector<int>{3, -1, -1, -1}));
  ASSERT_EQ(plan.unused.size(), 1u);
  EXPECT_EQ(plan.unused[0].descriptor, 4);
}

TEST(InheritedSockets, WithoutNamesAreAssignedByOrderAroundTheNamedOnes) {
  const auto plan = assign({{3, "unknown"}, {4, "htx-0"}, {5, "villaged.socket"}}, slots);
  EXPECT_EQ(plan.descriptors, (std::vector<int>{4, 3, 5, -1}));
}

TEST(InheritedSockets, TooManyAreReportedNotDropped) {
  const auto plan = assign({{3, ""}, {4, ""}}, {{"htx-0", "htx"}});
  EXPECT_EQ(plan.descriptors, std::vector<int>{3});
  ASSERT_EQ(plan.unused.size(), 1u);
  EXPECT_EQ(plan.unused[0].descriptor, 4);
}

}  // namespace
}  // namespace village::daemon
