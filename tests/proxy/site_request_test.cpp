// Requests for a plain site's files: what is read, what is refused.
#include "village/proxy/site_request.hpp"

#include <gtest/gtest.h>

#include "village/proxy/http_date.hpp"

namespace village::test {
namespace {

using namespace village::proxy;

std::string get(std::string_view target, std::string_view fields = "Host: a\r\n") {
  return "GET " + std::string{target} + " HTTP/1.1\r\n" + std::string{fields} + "\r\n";
}

Errc refusal(const std::string& head) {
  const auto request = parse_site_request(head);
  return request ? Errc::internal : request.error().code;
}

TEST(SiteRequest, ReadsPathAndConditions) {
  const auto head = get("/a%20b/c.html?q=1",
                        "Host: a\r\nConnection: close\r\nIf-None-Match: \"x\"\r\n"
                        "If-Modified-Since: then\r\nRange: bytes=1-2\r\n");
  const auto request = parse_site_request(head);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->path, "/a b/c.html");
  EXPECT_FALSE(request->keep_alive);
  EXPECT_FALSE(request->has_body);
  EXPECT_EQ(request->if_none_match, "\"x\"");
  EXPECT_EQ(request->if_modified_since, "then");
  EXPECT_EQ(request->range, "bytes=1-2");
  EXPECT_EQ(parse_site_request(get("http://a/b"))->path, "/b");
  EXPECT_EQ(parse_site_request(get("http://a"))->path, "/");
}

TEST(SiteRequest, RefusesWhatNamesSomethingElse) {
  for (const auto* target : {"/../etc/passwd", "/a/../b", "/%2e%2e/x", "//", "/./a", "/a//b", "/%00", "/%zz",
                             "/%4", "nowhere", "*"}) {
    EXPECT_EQ(refusal(get(target)), Errc::malformed) << target;
  }
  EXPECT_EQ(refusal(get("/", "")), Errc::malformed);  // no Host
  EXPECT_EQ(refusal(get("/", "Host: a\r\nHost: b\r\n")), Errc::malformed);
  EXPECT_EQ(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), Errc::version);
  EXPECT_EQ(refusal("GET /\r\n\r\n"), Errc::malformed);
}

TEST(SiteRequest, KnowsWhenTheConnectionStays) {
  EXPECT_TRUE(parse_site_request(get("/"))->keep_alive);
  EXPECT_FALSE(parse_site_request("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse_site_request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse_site_request(get("/", "Host: a\r\nTransfer-Encoding: chunked\r\n"))->has_body);
  EXPECT_TRUE(parse_site_request(get("/", "Host: a\r\nContent-Length: 3\r\n"))->has_body);
}

TEST(SiteRequest, ReadsOneRange) {
  const auto range = [](std::string_view text) { return parse_byte_range(text, 100); };
  EXPECT_EQ(range("bytes=0-9")->value(), (ByteRange{0, 9}));
  EXPECT_EQ(range("bytes=90-")->value(), (ByteRange{90, 99}));
  EXPECT_EQ(range("bytes=90-900")->value(), (ByteRange{90, 99}));
  EXPECT_EQ(range("bytes=-5")->value(), (ByteRange{95, 99}));
  EXPECT_EQ(range("bytes=-500")->value(), (ByteRange{0, 99}));
  for (const auto* whole : {"", "bytes=", "bytes=a-b", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2"}) {
    ASSERT_TRUE(range(whole)) << whole;
    EXPECT_FALSE(range(whole)->has_value()) << whole;
  }
  EXPECT_FALSE(range("bytes=100-"));
  EXPECT_FALSE(range("bytes=-0"));
  EXPECT_FALSE(parse_byte_range("bytes=-1", 0));
}

TEST(HttpDate, IsWrittenAsInTheRfc) {  // RFC 9110 5.6.7
  EXPECT_EQ(http_date(WallTime{std::chrono::seconds{784'111'777}}), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(WallTime{}), "Thu, 01 Jan 1970 00:00:00 GMT");
}

}  // namespace
}  // namespace village::test
