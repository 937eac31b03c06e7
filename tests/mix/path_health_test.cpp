#include "village/mix/path_health.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"

namespace village::mix {
namespace {

constexpr Instant start{std::chrono::hours{1}};

sphinx::Hop hop(std::uint8_t n) {
  return {{}, sphinx::node_address(Ipv4Address{std::byte{10}, {}, {}, std::byte{n}}, 9'001), 0};
}

/// view_of has mixes 10.0.0.1 to 10.0.0.`mixes`, dealt to three layers.
std::shared_ptr<const MixView> view_of(std::uint8_t mixes, Epoch epoch = 100) {
  auto document = test::document_of(epoch, mixes, 1);
  std::uint8_t n = 0;
  for (auto& node : document.nodes) {
    if (node.roles.mix) node.mix_address = hop(++n).address;
  }
  return MixView::make(document);
}

class PathHealthTest : public testing::Test {
 protected:
  PathHealthTest() { health.use(*view); }
  std::shared_ptr<const MixView> view = view_of(12);  // four in each layer

  SeededRandom random{2};
  PathHealth health{random};
  PathMarks path(std::initializer_list<std::uint8_t> numbers) {
    std::vector<sphinx::Hop> hops;
    for (const auto n : numbers) hops.push_back(hop(n));
    PathMarks marks;
    health.add(marks, hops);
    return marks;
  }
  bool suspected(std::uint8_t n, Instant now) { return health.suspected(health.mark(hop(n).address), now); }
};

TEST_F(PathHealthTest, SuspectsAMixThatNeverAnswers) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(suspected(2, start));
    health.answered(path({1, 3, 5, 9}));
    health.unanswered(path({1, 2, 5, 9}), start);
  }
  EXPECT_TRUE(suspected(2, start));
  EXPECT_FALSE(suspected(1, start)) << "it answered on other paths";
  EXPECT_FALSE(suspected(9, start)) << "the last hop cannot be gone round";
  EXPECT_EQ(health.suspects(start), 1U);
  EXPECT_FALSE(health.good(path({1, 2, 5, 9}), start));
  EXPECT_TRUE(health.good(path({1, 3, 5, 9}), start));
  health.answered(path({1, 2, 5, 9}));
  EXPECT_EQ(health.suspects(start), 0U);
}

TEST_F(PathHealthTest, TriesAgainAfterAMinuteAndThenLessOften) {
  for (int i = 0; i < 20; ++i) health.unanswered(path({2, 9}), start);
  EXPECT_TRUE(suspected(2, start + 1min - 1ns));
  EXPECT_FALSE(suspected(2, start + 1min)) << "a second chance";
  health.unanswered(path({2, 9}), start + 1min);
  EXPECT_TRUE(suspected(2, start + 2min));
  auto now = start;
  for (int i = 0; i < 10; ++i) health.unanswered(path({2, 9}), now += 1h);
  EXPECT_TRUE(suspected(2, now + 8min - 1ns));
  EXPECT_FALSE(suspected(2, now + 8min));
}

TEST_F(PathHealthTest, NeedsAWholeRowWithoutAnAnswer) {
  for (int i = 0; i < 1'000; ++i) {
    health.unanswered(path({2, 9}), start);
    if (i % 7 == 6) health.answered(path({2, 9}));
  }
  EXPECT_EQ(health.suspects(start), 0U);
}

TEST_F(PathHealthTest, SuspectsNoMoreThanAThirdOfALayer) {
  for (const auto& [mixes, most] : {std::pair{6, 1}, {9, 1}, {18, 2}, {27, 3}}) {
    const auto own = view_of(static_cast<std::uint8_t>(mixes), static_cast<Epoch>(mixes));
    health.use(*own);
    for (std::uint8_t n = 1; n <= mixes; ++n) {
      for (int i = 0; i < 20; ++i) health.unanswered(path({n, 99}), start);
    }
    EXPECT_EQ(health.suspects(start), 3U * static_cast<unsigned>(most)) << mixes;
    // When those are cleared others may be suspected.
    for (std::uint8_t n = 1; n <= mixes; ++n) {
      if (!suspected(n, start)) continue;
      health.answered(path({n, 99}));
      for (std::uint8_t other = 1; other <= mixes; ++other) {
        if (other != n) health.unanswered(path({other, 99}), start);
      }
      EXPECT_FALSE(suspected(n, start));
      break;
    }
    EXPECT_EQ(health.suspects(start), 3U * static_cast<unsigned>(most)) << mixes;
  }
}

TEST_F(PathHealthTest, SuspectsNobodyWithoutAnother) {
  const auto own = view_of(3, 7);
  health.use(*own);
  for (std::uint8_t n = 1; n <= 3; ++n) {
    for (int i = 0; i < 20; ++i) health.unanswered(path({n, 99}), start);
  }
  for (int i = 0; i < 20; ++i) health.unanswered(path({50, 99}), start);  // of no layer
  EXPECT_EQ(health.suspects(start), 0U);
}

TEST_F(PathHealthTest, ForgetsWithTheNextDocumentAndNotBefore) {
  for (int i = 0; i < 8; ++i) health.unanswered(path({2, 9}), start);
  health.use(*view);
  EXPECT_TRUE(suspected(2, start));
  health.use(*view_of(12, 101));
  EXPECT_FALSE(suspected(2, start));
}

}  // namespace
}  // namespace village::mix
