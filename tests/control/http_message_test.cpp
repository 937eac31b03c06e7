#include "control/http_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/json.hpp"
#include "control/web_page.hpp"
#include "village/control/limits.hpp"
#include "village/crypto/hash.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using testing::HasSubstr;
using testing::Not;
using State = RequestReader::State;

State feed(RequestReader& reader, std::string_view text) {
  reader.feed(as_bytes(text));
  return reader.advance();
}

TEST(RequestReader, ReadsARequestHoweverItIsCut) {
  const std::string text =
      "POST /api/v1/reload?x=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\nOrigin: "
      "http://localhost\r\n"
      "Content-Length: 3\r\n\r\nabc";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    RequestReader reader;
    auto state = State::need_more;
    for (std::size_t at = 0; at < text.size(); at += step) {
      ASSERT_EQ(state, State::need_more);
      state = feed(reader, std::string_view{text}.substr(at, step));
    }
    ASSERT_EQ(state, State::complete) << step;
    const auto request = reader.request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/api/v1/reload");
    EXPECT_EQ(request.host, "localhost");
    EXPECT_EQ(request.authorization, "Bearer t");
    EXPECT_EQ(request.origin, "http://localhost");
    EXPECT_TRUE(request.keep_alive);
    EXPECT_TRUE(reader.idle());
  }
}

TEST(RequestReader, ReadsRequestsBehindOneAnother) {
  RequestReader reader;
  ASSERT_EQ(feed(reader, "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.0\r\n\r\n"), State::complete);
  EXPECT_EQ(reader.request().path, "/a");
  EXPECT_FALSE(reader.idle());
  ASSERT_EQ(reader.advance(), State::complete);
  const auto second = reader.request();
  EXPECT_EQ(second.path, "/b");
  EXPECT_FALSE(second.keep_alive);
  EXPECT_EQ(reader.advance(), State::need_more);
}

int refused_with(const std::string& text) {
  RequestReader reader;
  auto state = State::need_more;
  for (std::size_t at = 0; at < text.size() && state == State::need_more; at += 1'000) {
    state = feed(reader, std::string_view{text}.substr(at, 1'000));
  }
  return state == State::bad ? reader.refusal().status : 0;
}

TEST(RequestReader, RefusesWhatIsTooLargeOrNoHttp) {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(refused_with(head + "X: " + std::string(9'000, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(refused_with(head + "X: " + std::string(9'000, 'a')), 431);
  EXPECT_EQ(refused_with(head + "Content-Length: 65537\r\n\r\n"), 413);
  EXPECT_EQ(
      refused_with(head + "Transfer-Encoding: chunked\r\n\r\n" + "fffff\r\n" + std::string(100'000, 'a')),
      413);
  EXPECT_EQ(refused_with("GET /" + std::string(1'100, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
  for (const auto* text : {"\r\n\r\n\r\n\r\n", "\x16\x03\x01\x02", "GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
                           "GET / HTTP/1.1\r\nA B: c\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                           "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
    EXPECT_EQ(refused_with(text), 400) << text;
  }
}

TEST(HttpMessage, RepliesCarryTheirHeaders) {
  const auto text = reply_text(error_reply(404, "not_found", "no"), true, false);
  EXPECT_THAT(text, testing::StartsWith(
                        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: "));
  EXPECT_THAT(text, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(text, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(text, testing::EndsWith("\r\n\r\n{\"error\":\"not_found\",\"message\":\"no\"}\n"));
  EXPECT_THAT(reply_text(error_reply(404, "x", "y"), false, true), testing::EndsWith("\r\n\r\n"));
}

TEST(HttpMessage, OnlyLoopbackNamesAreLocal) {
  for (const auto* host :
       {"localhost", "localhost:9464", "127.0.0.1", "127.0.0.1:9464", "127.8.9.1:1", "[::1]", "[::1]:9464"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const auto* host :
       {"", ":", ":80", "evil.example", "evil.example:9464", "localhost.evil.example",
        "127.0.0.1.evil.example", "10.0.0.1", "[2001:db8::1]:9464", "0.0.0.0", "localhost:80:80",
        "localhost:x", "[::1", "[", "]", "127.0.0.1:9464@evil.example"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(HttpMessage, BearerNeedsTheWholeToken) {
  EXPECT_TRUE(bearer_matches("Bearer secret", "secret"));
  for (const auto* header : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                             "Bearer Secret", "Basic secret"}) {
    EXPECT_FALSE(bearer_matches(header, "secret")) << header;
  }
  EXPECT_FALSE(bearer_matches("Bearer ", "")) << "no token lets nobody in";
}

TEST(HttpMessage, PagesOfOtherSitesAreToldApart) {
  const auto request = [](std::string origin, std::string site) {
    HttpRequest out;
    out.host = "127.0.0.1:9464";
    out.origin = std::move(origin);
    out.fetch_site = std::move(site);
    return out;
  };
  EXPECT_TRUE(same_origin(request("", ""))) << "curl";
  EXPECT_TRUE(same_origin(request("http://127.0.0.1:9464", "same-origin")));
  EXPECT_TRUE(same_origin(request("", "none")));
  EXPECT_FALSE(same_origin(request("http://evil.example", "")));
  EXPECT_FALSE(same_origin(request("null", "")));
  EXPECT_FALSE(same_origin(request("", "cross-site")));
  EXPECT_FALSE(same_origin(request("http://127.0.0.1:8080", "same-site")));
}

TEST(WebPage, HoldsNothingFromElsewhereAndItsPolicyFits) {
  const auto& page = web_page();
  for (const auto* foreign :
       {"http://", "https://", "src=", "@import", "url(", " style=\"", "onclick", "innerHTML", "eval("}) {
    EXPECT_THAT(page, Not(HasSubstr(foreign)));
  }
  const auto& policy = web_page_policy();
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  for (const std::string tag : {"script", "style"}) {
    const auto begin = page.find("<" + tag + ">") + tag.size() + 2;
    const auto text = page.substr(begin, page.find("</" + tag + ">") - begin);
    EXPECT_THAT(policy,
                HasSubstr(tag + "-src 'sha256-" + wire::base64(crypto::sha256(as_bytes(text))) + "'"));
  }
}

}  // namespace
}  // namespace village::control
