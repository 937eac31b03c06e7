#include "village/proxy/http_head.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"
#include "village/proxy/detect.hpp"

namespace village::proxy {
namespace {

using Kind = HttpFraming::Kind;

// ---------------------------------------------------------------- collector

TEST(HttpHeadCollector, EverySplitGivesTheSameHeadAndLeavesTheRest) {
  const std::string head = "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string in = "\r\n" + head + "BODY";
  for (std::size_t cut = 0; cut <= in.size(); ++cut) {
    HttpHeadCollector collector;
    const auto first = collector.on_bytes(as_bytes(in).first(cut));
    ASSERT_TRUE(first);
    const auto second = collector.on_bytes(as_bytes(in).subspan(*first));
    ASSERT_TRUE(second);
    EXPECT_TRUE(collector.complete());
    EXPECT_EQ(collector.text(), head);
    EXPECT_EQ(*first + *second, in.size() - 4) << cut;
  }
}

TEST(HttpHeadCollector, IsNotCompleteBeforeTheBlankLine) {
  const std::string in = "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t size = 0; size < in.size(); ++size) {
    HttpHeadCollector collector;
    ASSERT_TRUE(collector.on_bytes(as_bytes(in).first(size)));
    EXPECT_FALSE(collector.complete());
    EXPECT_EQ(collector.started(), size > 0);
  }
}

TEST(HttpHeadCollector, RefusesAtTheFirstBadByte) {
  for (const std::string_view bad :
       {std::string_view{"GET\n"}, std::string_view{"GET\rX"}, std::string_view{"G\0", 2},
        std::string_view{"\x16\x03\x01"}, std::string_view{"A\x7f"}, std::string_view{"A: b\r\n\n"},
        std::string_view{"\rX"}, std::string_view{"\n"}}) {
    HttpHeadCollector collector;
    const auto taken = collector.on_bytes(as_bytes(bad));
    ASSERT_FALSE(taken) << bad;
    EXPECT_EQ(taken.error().code, Errc::malformed);
  }
}

TEST(HttpHeadCollector, HoldsAtMostItsBound) {
  HttpHeadCollector collector{64};
  EXPECT_TRUE(collector.on_bytes(as_bytes(std::string(64, 'a'))));
  const auto more = collector.on_bytes(as_bytes("a"));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::limit_exceeded);
  HttpHeadCollector empty_lines{64};
  std::string lines;
  for (int i = 0; i < 33; ++i) lines += "\r\n";
  EXPECT_FALSE(empty_lines.on_bytes(as_bytes(lines)));
}

TEST(HttpHeadCollector, StartsAnewAfterReset) {
  HttpHeadCollector collector;
  ASSERT_TRUE(collector.on_bytes(as_bytes("A b\r\n\r\n")));
  collector.reset();
  EXPECT_FALSE(collector.complete());
  ASSERT_TRUE(collector.on_bytes(as_bytes("C d\r\n\r\n")));
  EXPECT_EQ(collector.text(), "C d\r\n\r\n");
}

TEST(Protocol, FirstByteTells) {
  EXPECT_EQ(detect(std::byte{5}), Protocol::socks5);
  EXPECT_EQ(detect(std::byte{4}), Protocol::socks4);
  EXPECT_EQ(detect(std::byte{'C'}), Protocol::http);
  EXPECT_EQ(detect(std::byte{0x16}), Protocol::http);
}

// ---------------------------------------------------------------- requests

std::string request_text(std::string_view line, std::string_view fields = "Host: h\r\n") {
  return std::string{line} + "\r\n" + std::string{fields} + "\r\n";
}

struct Good {
  const char* line;
  const char* target;
  const char* authority;
  const char* path;
};
class HttpRequestTargets : public ::testing::TestWithParam<Good> {};
TEST_P(HttpRequestTargets, AreRead) {
  const auto& good = GetParam();
  const auto head = request_text(good.line);
  const auto request = parse_request_head(head);
  ASSERT_TRUE(request) << good.line;
  EXPECT_EQ(to_text(request->target), good.target);
  EXPECT_EQ(request->authority, good.authority);
  EXPECT_EQ(request->path, good.path);
}
INSTANTIATE_TEST_SUITE_P(
    All, HttpRequestTargets,
    ::testing::Values(
        Good{"GET http://example.org/a?b=c HTTP/1.1", "example.org:80", "example.org", "/a?b=c"},
        Good{"GET HTTP://Example.org HTTP/1.1", "Example.org:80", "Example.org", "/"},
        Good{"GET http://example.org?q HTTP/1.1", "example.org:80", "example.org", "/?q"},
        Good{"GET http://example.org:8080/ HTTP/1.0", "example.org:8080", "example.org:8080", "/"},
        Good{"GET http://example.org:/x HTTP/1.1", "example.org:80", "example.org", "/x"},
        Good{"GET http://192.0.2.1/ HTTP/1.1", "192.0.2.1:80", "192.0.2.1", "/"},
        Good{"GET http://[2001:db8::1]:81/ HTTP/1.1", "[2001:db8::1]:81", "[2001:db8::1]:81", "/"},
        Good{"GET http://[::1] HTTP/1.1", "[::1]:80", "[::1]", "/"},
        Good{"OPTIONS http://example.org HTTP/1.1", "example.org:80", "example.org", "*"},
        Good{"OPTIONS http://example.org/ HTTP/1.1", "example.org:80", "example.org", "/"},
        Good{"CONNECT example.org:443 HTTP/1.1", "example.org:443", "example.org:443", ""},
        Good{"CONNECT [2001:db8::1]:443 HTTP/1.0", "[2001:db8::1]:443", "[2001:db8::1]:443", ""},
        Good{"M-SEARCH http://a/b@c HTTP/1.1", "a:80", "a", "/b@c"}));

struct Bad {
  const char* what;
  std::string head;
  Errc code = Errc::malformed;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.what; }

class HttpRequestSmuggling : public ::testing::TestWithParam<Bad> {};
TEST_P(HttpRequestSmuggling, IsRefused) {
  const auto request = parse_request_head(GetParam().head);
  ASSERT_FALSE(request) << GetParam().what;
  EXPECT_EQ(request.error().code, GetParam().code) << GetParam().what;
}

Bad line(const char* what, std::string_view text, Errc code = Errc::malformed) {
  return {what, request_text(text), code};
}
Bad fields(const char* what, std::string_view text, Errc code = Errc::malformed) {
  return {what, request_text("POST http://a/ HTTP/1.1", text), code};
}

INSTANTIATE_TEST_SUITE_P(
    Lines, HttpRequestSmuggling,
    ::testing::Values(
        line("nothing", ""), line("no version", "GET http://a/"), line("HTTP/0.9 style", "GET /"),
        line("two blanks", "GET  http://a/ HTTP/1.1"), line("blank at the end", "GET http://a/ HTTP/1.1 "),
        line("blank at the start", " GET http://a/ HTTP/1.1"),
        line("blank in the target", "GET http://a/ b HTTP/1.1"), line("tab", "GET\thttp://a/ HTTP/1.1"),
        line("tab in the target", "GET http://a/\tb HTTP/1.1"),
        line("method no token", "G(T http://a/ HTTP/1.1"),
        line("HTTP/2.0", "GET http://a/ HTTP/2.0", Errc::version),
        line("HTTP/1.2", "GET http://a/ HTTP/1.2", Errc::version), line("http/1.1", "GET http://a/ http/1.1"),
        line("HTTP/1.1x", "GET http://a/ HTTP/1.1x"), line("HTTP/11", "GET http://a/ HTTP/11"),
        line("origin form", "GET / HTTP/1.1", Errc::bad_argument),
        line("asterisk form", "OPTIONS * HTTP/1.1", Errc::bad_argument),
        line("other scheme", "GET ftp://a/ HTTP/1.1"), line("https", "GET https://a/ HTTP/1.1"),
        line("no authority", "GET http:///x HTTP/1.1"), line("user info", "GET http://u:p@a/ HTTP/1.1"),
        line("user", "GET http://u@a/ HTTP/1.1"), line("fragment", "GET http://a/#x HTTP/1.1"),
        line("fragment in place of a path", "GET http://a#x HTTP/1.1"),
        line("port 0", "GET http://a:0/ HTTP/1.1"), line("port too large", "GET http://a:65536/ HTTP/1.1"),
        line("port signed", "GET http://a:+80/ HTTP/1.1"),
        line("port no number", "GET http://a:http/ HTTP/1.1"), line("bare IPv6", "GET http://::1/ HTTP/1.1"),
        line("open bracket", "GET http://[::1/ HTTP/1.1"),
        line("name in brackets", "GET http://[a]/ HTTP/1.1"),
        line("zone", "GET http://[fe80::1%25eth0]/ HTTP/1.1"),
        line("text behind the bracket", "GET http://[::1]a:80/ HTTP/1.1"),
        line("CONNECT without port", "CONNECT a HTTP/1.1"),
        line("CONNECT with empty port", "CONNECT a: HTTP/1.1"),
        line("CONNECT port 0", "CONNECT a:0 HTTP/1.1"), line("CONNECT URI", "CONNECT http://a:80/ HTTP/1.1"),
        line("CONNECT user", "CONNECT u@a:80 HTTP/1.1"), line("CONNECT path", "CONNECT a:80/x HTTP/1.1"),
        line("CONNECT bare IPv6", "CONNECT ::1:80 HTTP/1.1")));

INSTANTIATE_TEST_SUITE_P(
    Fields, HttpRequestSmuggling,
    ::testing::Values(
        fields("no Host", ""), fields("two Hosts", "Host: a\r\nhost: a\r\n"),
        fields("blank before the colon", "Host: a\r\nContent-Length : 5\r\n"),
        fields("tab before the colon", "Host: a\r\nContent-Length\t: 5\r\n"),
        fields("folded line", "Host: a\r\nX: 1\r\n 2\r\n"),
        fields("folded with tab", "Host: a\r\nX: 1\r\n\t2\r\n"), fields("first line folded", " Host: a\r\n"),
        fields("empty name", "Host: a\r\n: x\r\n"), fields("no colon", "Host: a\r\nX\r\n"),
        fields("bare LF", "Host: a\r\nX: a\nContent-Length: 5\r\n"),
        fields("bare CR", "Host: a\r\nX: a\rY: b\r\n"),
        fields("NUL", std::string_view{"Host: a\r\nX: a\0b\r\n", 17}),
        fields("control character", "Host: a\r\nX: \x01\r\n"), fields("DEL", "Host: a\r\nX: \x7f\r\n"),
        fields("name no token", "Host: a\r\nX@: 1\r\n"),
        fields("two lengths", "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n"),
        fields("the same length twice", "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n"),
        fields("list of lengths", "Host: a\r\nContent-Length: 5, 5\r\n"),
        fields("signed length", "Host: a\r\nContent-Length: +5\r\n"),
        fields("negative length", "Host: a\r\nContent-Length: -5\r\n"),
        fields("hexadecimal length", "Host: a\r\nContent-Length: 0x5\r\n"),
        fields("empty length", "Host: a\r\nContent-Length:\r\n"),
        fields("length with a blank inside", "Host: a\r\nContent-Length: 5 5\r\n"),
        fields("length beyond 64 bits", "Host: a\r\nContent-Length: 18446744073709551616\r\n"),
        fields("length beyond 62 bits", "Host: a\r\nContent-Length: 9223372036854775808\r\n"),
        fields("length and chunked", "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        fields("chunked and length", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        fields("chunked twice", "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        fields("chunked, chunked", "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", Errc::unsupported),
        fields("gzip, chunked", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", Errc::unsupported),
        fields("xchunked", "Host: a\r\nTransfer-Encoding: xchunked\r\n", Errc::unsupported),
        fields("identity", "Host: a\r\nTransfer-Encoding: identity\r\n", Errc::unsupported),
        fields("chunked with obs-text",
               "Host: a\r\nTransfer-Encoding: \xa0"
               "chunked\r\n",
               Errc::unsupported),
        fields("chunked with vertical tab",
               "Host: a\r\nTransfer-Encoding: \x0b"
               "chunked\r\n"),
        fields("empty coding", "Host: a\r\nTransfer-Encoding:\r\n", Errc::unsupported),
        fields("two credentials", "Host: a\r\nProxy-Authorization: a\r\nProxy-Authorization: b\r\n"),
        Bad{"chunked in 1.0", request_text("POST http://a/ HTTP/1.0", "Transfer-Encoding: chunked\r\n")},
        Bad{"CONNECT with chunks", request_text("CONNECT a:1 HTTP/1.1", "Transfer-Encoding: chunked\r\n")},
        Bad{"CONNECT with a length", request_text("CONNECT a:1 HTTP/1.1", "Content-Length: 5\r\n")},
        Bad{"no end", "GET http://a/ HTTP/1.1\r\nHost: a\r\n"},
        Bad{"text behind the end", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\nX", Errc::trailing_bytes}));

TEST(HttpRequest, FramingIsReadFromItsFields) {
  const auto framing = [](std::string_view text) {
    const auto head = request_text("POST http://a/ HTTP/1.1", text);
    const auto request = parse_request_head(head);
    return request ? request->body : HttpFraming{Kind::until_close, 0};
  };
  EXPECT_EQ(framing("Host: a\r\n"), HttpFraming{});
  EXPECT_EQ(framing("Host: a\r\nContent-Length: 0\r\n"), (HttpFraming{Kind::length, 0}));
  EXPECT_EQ(framing("Host: a\r\ncontent-length:\t12 \r\n"), (HttpFraming{Kind::length, 12}));
  EXPECT_EQ(framing("Host: a\r\nTransfer-Encoding: CHUNKED\r\n"), (HttpFraming{Kind::chunked, 0}));
}

TEST(HttpRequest, StaysOrGoesAsTheClientSays) {
  const auto stays = [](std::string_view version, std::string_view text) {
    const auto head =
        request_text("GET http://a/ HTTP/" + std::string{version}, "Host: a\r\n" + std::string{text});
    return parse_request_head(head)->keep_alive;
  };
  EXPECT_TRUE(stays("1.1", ""));
  EXPECT_FALSE(stays("1.1", "Connection: close\r\n"));
  EXPECT_FALSE(stays("1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(stays("1.1", "Proxy-Connection: close\r\n"));
  EXPECT_FALSE(stays("1.0", ""));
  EXPECT_TRUE(stays("1.0", "Connection: keep-alive\r\n"));
  EXPECT_TRUE(stays("1.0", "Proxy-Connection: Keep-Alive\r\n"));
}

TEST(HttpRequest, ConnectMayComeWithoutHost) {
  EXPECT_TRUE(parse_request_head("CONNECT a:443 HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(parse_request_head("CONNECT a:443 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
}

TEST(HttpRequest, FieldsAreBounded) {
  std::string text = "Host: a\r\n";
  for (std::size_t i = 1; i < limits::http_fields_max; ++i) text += "x:\r\n";
  EXPECT_TRUE(parse_request_head(request_text("GET http://a/ HTTP/1.1", text)));
  const auto more = request_text("GET http://a/ HTTP/1.1", text + "x:\r\n");
  ASSERT_FALSE(parse_request_head(more));
  EXPECT_EQ(parse_request_head(more).error().code, Errc::limit_exceeded);
}

TEST(HttpRequest, ConnectionOptionsAreBounded) {
  std::string options = "Connection: o";
  for (std::size_t i = 1; i < limits::http_connection_options_max; ++i) options += ",o";
  const auto most = request_text("GET http://a/ HTTP/1.1", "Host: a\r\n" + options + "\r\n");
  EXPECT_TRUE(parse_request_head(most));
  const auto more = request_text("GET http://a/ HTTP/1.1", "Host: a\r\n" + options + "\r\nConnection: o\r\n");
  ASSERT_FALSE(parse_request_head(more));
  EXPECT_EQ(parse_request_head(more).error().code, Errc::limit_exceeded);
}

TEST(HttpRequest, StatusTellsTheClientWhy) {
  EXPECT_EQ(http_status_of_request(Errc::malformed), 400U);
  EXPECT_EQ(http_status_of_request(Errc::bad_argument), 400U);
  EXPECT_EQ(http_status_of_request(Errc::limit_exceeded), 431U);
  EXPECT_EQ(http_status_of_request(Errc::unsupported), 501U);
  EXPECT_EQ(http_status_of_request(Errc::version), 505U);
  EXPECT_EQ(http_status_of_dial(Errc::denied), 403U);
  EXPECT_EQ(http_status_of_dial(Errc::timed_out), 504U);
  EXPECT_EQ(http_status_of_dial(Errc::refused), 502U);
  EXPECT_EQ(http_status_of_dial(Errc::name_not_found), 502U);
  EXPECT_EQ(http_status_of_dial(Errc::busy), 503U);
}

// ---------------------------------------------------------------- responses

TEST(HttpResponse, BodyEndsWhereRfc9112Says) {
  const auto framing = [](std::string_view head, std::string_view method) {
    const auto response = parse_response_head(head, method);
    EXPECT_TRUE(response) << head;
    return response ? response->body : HttpFraming{};
  };
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\n\r\n", "GET").kind, Kind::until_close);
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "GET"), (HttpFraming{Kind::length, 7}));
  EXPECT_EQ(framing("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n", "GET").kind, Kind::chunked);
  EXPECT_EQ(framing("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HEAD").kind, Kind::none);
  EXPECT_EQ(framing("HTTP/1.1 204 No\r\n\r\n", "GET").kind, Kind::none);
  EXPECT_EQ(framing("HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", "GET").kind, Kind::none);
  EXPECT_EQ(framing("HTTP/1.1 100 Continue\r\n\r\n", "POST").kind, Kind::none);
}

TEST(HttpResponse, StaysOnlyIfItsEndIsKnown) {
  EXPECT_FALSE(parse_response_head("HTTP/1.1 200 OK\r\n\r\n", "GET")->keep_alive);
  EXPECT_TRUE(parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "GET")->keep_alive);
  EXPECT_FALSE(parse_response_head("HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", "GET")->keep_alive);
  EXPECT_FALSE(parse_response_head("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n", "GET")->keep_alive);
}

TEST(HttpResponse, RefusesWhatSmugglesOrBreaks) {
  for (const auto* head : {
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
           "HTTP/1.1 099 x\r\n\r\n",
           "HTTP/1.1 600 x\r\n\r\n",
           "HTTP/1.1 20 x\r\n\r\n",
           "HTTP/1.1 2000\r\n\r\n",
           "HTTP/1.1  200 x\r\n\r\n",
           "HTTP/2 200\r\n\r\n",
           "ICY 200 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nX: 1\r\n y\r\n\r\n",
           "HTTP/1.1 200 O\nK\r\n\r\n",
           "\r\n",
           "",
       }) {
    EXPECT_FALSE(parse_response_head(head, "GET")) << head;
  }
}

// ---------------------------------------------------------------- properties

TEST(HttpHead, RandomMutationsNeverBreakTheParsers) {
  SeededRandom random{20'260'817};
  const std::string good =
      "POST http://example.org:8080/a HTTP/1.1\r\nHost: example.org\r\nContent-Length: 5\r\nConnection: x, "
      "y\r\n"
      "Proxy-Authorization: Basic dTpw\r\n\r\n";
  std::size_t parsed = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto text = good;
    for (auto changes = 1 + random.below(3); changes > 0; --changes) {
      const auto at = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text[at] = static_cast<char>(random.u64());
          break;
        case 1:
          text.erase(at, 1 + random.below(4));
          break;
        default:
          text.insert(at, 1, " \t\r\n:,\0;"[random.below(8)]);
          break;
      }
      if (text.empty()) text = "x";
    }
    HttpHeadCollector collector;
    const auto taken = collector.on_bytes(as_bytes(text));
    const auto request = parse_request_head(text);
    // What the collector takes whole, nobody can see another end in; what parses, it takes.
    if (!request) continue;
    ++parsed;
    ASSERT_TRUE(taken) << text;
    EXPECT_TRUE(collector.complete());
    EXPECT_EQ(collector.text(), text);
    (void)parse_response_head(text, "GET");
  }
  EXPECT_GT(parsed, 100U);
}

}  // namespace
}  // namespace village::proxy
