#include "village/proxy/http_body.hpp"

#include <gtest/gtest.h>

namespace village::proxy {
namespace {

using Kind = HttpFraming::Kind;
constexpr HttpFraming chunked{Kind::chunked, 0};

/// Feeds `in` in pieces of `step` bytes; the number of bytes taken, or the error.
Result<std::size_t> feed(HttpBody& body, std::string_view in, std::size_t step) {
  std::size_t total = 0;
  while (total < in.size() && !body.complete()) {
    const auto piece = as_bytes(in.substr(total, step));
    VG_TRY(taken, body.on_bytes(piece));
    total += taken;
    if (taken < piece.size() && !body.complete()) return fail(Errc::internal);
  }
  return total;
}

TEST(HttpBody, NoneIsCompleteAtOnce) {
  HttpBody none{HttpFraming{}};
  EXPECT_TRUE(none.complete());
  EXPECT_EQ(*none.on_bytes(as_bytes("GET")), 0U);
  EXPECT_TRUE(HttpBody{(HttpFraming{Kind::length, 0})}.complete());
}

TEST(HttpBody, LengthTakesExactlyItsBytes) {
  for (std::size_t step = 1; step < 9; ++step) {
    HttpBody body{HttpFraming{Kind::length, 5}};
    EXPECT_EQ(*feed(body, "helloGET ", step), 5U);
    EXPECT_TRUE(body.complete());
  }
  HttpBody cut{HttpFraming{Kind::length, 5}};
  ASSERT_TRUE(cut.on_bytes(as_bytes("hell")));
  EXPECT_EQ(cut.on_end().error().code, Errc::end_of_stream);
}

TEST(HttpBody, UntilCloseEndsWithTheStream) {
  HttpBody body{HttpFraming{Kind::until_close, 0}};
  EXPECT_EQ(*body.on_bytes(as_bytes("anything")), 8U);
  EXPECT_FALSE(body.complete());
  EXPECT_TRUE(body.on_end());
  EXPECT_TRUE(body.complete());
}

class ChunkedGood : public ::testing::TestWithParam<std::string> {};
TEST_P(ChunkedGood, EndsAtTheSamePlaceInEverySplit) {
  const auto in = GetParam() + "GET http://next/";
  for (std::size_t step = 1; step <= in.size(); ++step) {
    HttpBody body{chunked};
    const auto taken = feed(body, in, step);
    ASSERT_TRUE(taken) << step;
    EXPECT_EQ(*taken, GetParam().size());
    EXPECT_TRUE(body.complete());
    EXPECT_TRUE(body.on_end());
  }
}
INSTANTIATE_TEST_SUITE_P(All, ChunkedGood,
                         ::testing::Values("0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n",
                                           "A\r\n0123456789\r\n000\r\n\r\n",
                                           "1;name=value\r\nx\r\n0;last\r\n\r\n",
                                           "1;q=\"a;b\"\r\n\n\r\n0\r\n\r\n", "0\r\nX-Sum: 1\r\nY:\r\n\r\n",
                                           "00005\r\n\r\n\r\n\r\r\n0\r\n\r\n"));

class ChunkedBad : public ::testing::TestWithParam<std::string> {};
TEST_P(ChunkedBad, IsRefusedInEverySplit) {
  for (std::size_t step = 1; step <= GetParam().size(); ++step) {
    HttpBody body{chunked};
    EXPECT_FALSE(feed(body, GetParam(), step)) << step;
  }
}
INSTANTIATE_TEST_SUITE_P(
    All, ChunkedBad,
    ::testing::Values("\r\n", "x\r\n", "0x5\r\nhello", " 5\r\nhello", "5 \r\nhello", "-1\r\n", "+1\r\n",
                      "5\nhello", "5\rhello", "5;a\nb\r\n", "5;a\rb", std::string{"5;\0\r\n", 5},
                      "5\r\nhelloX", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\rX", "0\r\nX\r\n\r\n",
                      "0\r\n X: 1\r\n\r\n", "0\r\nX : 1\r\n\r\n", "0\r\n\n", "0\r\nContent-Length: 5\r\n\r\n",
                      "0\r\ntransfer-encoding: chunked\r\n\r\n", "0\r\nHost: x\r\n\r\n",
                      "1000000000000000\r\n", "0000000000000000\r\n", "1;" + std::string(300, 'x') + "\r\n",
                      "0\r\nX: " + std::string(5'000, 'x') + "\r\n\r\n", "0\r\nX: a\rb\r\n\r\n", ";\r\n"));

TEST(HttpBody, CutChunksAreNoEnd) {
  const std::string_view whole = "5\r\nhello\r\n0\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    HttpBody body{chunked};
    ASSERT_TRUE(feed(body, whole.substr(0, size), 3));
    EXPECT_FALSE(body.complete()) << size;
    EXPECT_FALSE(body.on_end()) << size;
  }
}

}  // namespace
}  // namespace village::proxy
