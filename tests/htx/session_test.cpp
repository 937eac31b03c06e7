#include "htx/pair.hpp"

namespace village::htx {
namespace {

using test::Pair;
using test::pattern;

TEST(Session, CarriesDataBothWaysAndEndsStreams) {
  Pair pair;
  pair.pump();
  ASSERT_TRUE(pair.client.ready && pair.server.ready);
  EXPECT_EQ(pair.client.ready->streams_max, 4'096U);
  const auto stream = pair.client.session.open();
  ASSERT_TRUE(stream);
  EXPECT_EQ(*stream, 3U);
  const auto question = pattern(200'000, 1), answer = pattern(150'000, 2);
  EXPECT_EQ(pair.client.session.send(*stream, question, true), question.size());
  pair.pump();
  EXPECT_EQ(pair.server.received[*stream], question);
  EXPECT_TRUE(pair.server.finished.contains(*stream));
  EXPECT_EQ(pair.server.session.send(*stream, answer, true), answer.size());
  pair.pump();
  EXPECT_EQ(pair.client.received[*stream], answer);
  EXPECT_TRUE(pair.client.finished.contains(*stream));
  EXPECT_EQ(pair.client.session.statistics().streams_open, 0U);
  EXPECT_EQ(pair.server.session.statistics().streams_open, 0U);
  EXPECT_FALSE(pair.client.error || pair.server.error);
}

}  // namespace
}  // namespace village::htx
