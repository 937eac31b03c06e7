// The WebSocket upgrade: what a browser would write, what the watch lets pass, and how early it decides.
#include "village/proxy/upgrade.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace village::test {
namespace {

using namespace village::proxy;
using Verdict = UpgradeWatch::Verdict;
using Reason = UpgradeWatch::Reason;

const UpgradeKey sample_key{std::byte{'t'}, std::byte{'h'}, std::byte{'e'}, std::byte{' '},
                            std::byte{'s'}, std::byte{'a'}, std::byte{'m'}, std::byte{'p'},
                            std::byte{'l'}, std::byte{'e'}, std::byte{' '}, std::byte{'n'},
                            std::byte{'o'}, std::byte{'n'}, std::byte{'c'}, std::byte{'e'}};
const std::string ticket(180, 'T');

std::string request(TicketCarrier carrier = TicketCarrier::cookie) {
  const UpgradeRequest wanted{"www.example.org", {}, carrier, ticket};
  return *write_upgrade_request(UpgradeProfile::chrome, wanted, sample_key);
}

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), with);
}

UpgradeWatch watched(std::string_view text) {
  UpgradeWatch watch{UpgradePlace{}};
  watch.on_bytes(as_bytes(text));
  return watch;
}

Error answer_error(std::string_view text) {
  UpgradeAnswer answer{sample_key};
  const auto taken = answer.on_bytes(as_bytes(text));
  EXPECT_FALSE(taken);
  return taken ? Error{Errc::internal} : taken.error();
}

TEST(UpgradeRequest, HasTheFieldsOfChromeInItsOrder) {
  EXPECT_EQ(request(),
            "GET /ws HTTP/1.1\r\n"
            "Host: www.example.org\r\n"
            "Connection: Upgrade\r\n"
            "Pragma: no-cache\r\n"
            "Cache-Control: no-cache\r\n"
            "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/156.0.0.0 Safari/537.36\r\n"
            "Upgrade: websocket\r\n"
            "Origin: https://www.example.org\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Accept-Encoding: gzip, deflate, br, zstd\r\n"
            "Accept-Language: en-US,en;q=0.9\r\n"
            "Cookie: __Host-sid=" +
                ticket +
                "\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
                "\r\n");
}

TEST(UpgradeRequest, CarriesTheTicketInExactlyOnePlace) {
  const auto query = request(TicketCarrier::query);
  EXPECT_TRUE(query.starts_with("GET /ws?bn1=" + ticket + " HTTP/1.1\r\n"));
  EXPECT_EQ(query.find("Cookie"), std::string::npos);
  EXPECT_EQ(request().find("bn1"), std::string::npos);
}

TEST(UpgradeRequest, RefusesPartsThatWouldBreakTheHead) {
  for (const std::string path : {"", "ws", "/a b", "/a?b", "/a%41", "//", "/./a", "/../a", "/a\r\nX: y"}) {
    EXPECT_FALSE(is_upgrade_path(path)) << path;
  }
  for (const std::string path : {"/", "/ws", "/api/v1/live", "/.well-known/x", "/a/"}) {
    EXPECT_TRUE(is_upgrade_path(path)) << path;
  }
  EXPECT_FALSE(is_cookie_name("a;b"));
  UpgradeRequest wanted{"host\r\nX: y", {}, TicketCarrier::cookie, ticket};
  EXPECT_FALSE(write_upgrade_request(UpgradeProfile::chrome, wanted, sample_key));
  wanted.authority = "host";
  wanted.ticket = "a=b";
  EXPECT_FALSE(write_upgrade_request(UpgradeProfile::chrome, wanted, sample_key));
}

TEST(UpgradeAnswer, KnowsTheExampleOfTheRfc) {  // RFC 6455 1.3
  EXPECT_EQ(upgrade_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(UpgradeAnswer, TakesTheHeadAndLeavesWhatFollows) {
  const auto head = write_upgrade_answer("dGhlIHNhbXBsZSBub25jZQ==", "Sun, 06 Nov 1994 08:49:37 GMT");
  for (std::size_t cut = 1; cut < head.size(); ++cut) {
    UpgradeAnswer answer{sample_key};
    const auto text = head + "HTX";
    const auto first = answer.on_bytes(as_bytes(text).first(cut));
    ASSERT_TRUE(first);
    ASSERT_EQ(*first, cut);
    ASSERT_FALSE(answer.complete());
    const auto second = answer.on_bytes(as_bytes(text).subspan(cut));
    ASSERT_TRUE(second);
    ASSERT_EQ(*second, head.size() - cut);
    ASSERT_TRUE(answer.complete());
  }
}

TEST(UpgradeAnswer, TellsWhatElseTheServerSaid) {
  EXPECT_EQ(answer_error("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), (Error{Errc::refused, 404}));
  EXPECT_EQ(answer_error("HTTP/1.0 200\r\n\r\n"), (Error{Errc::refused, 200}));
  EXPECT_EQ(answer_error("SSH-2.0-OpenSSH_9.2\r\n\r\n").code, Errc::malformed);
  const auto head = write_upgrade_answer("dGhlIHNhbXBsZSBub25jZQ==", "x");
  EXPECT_EQ(answer_error(replaced(head, "s3pP", "S3pP")).code, Errc::auth_failed);
  EXPECT_EQ(answer_error(replaced(head, "Sec-WebSocket-Accept", "Sec-WebSocket-Access")).code,
            Errc::auth_failed);
  EXPECT_EQ(answer_error(replaced(head, "Upgrade: websocket", "Upgrade: h2c")).code, Errc::malformed);
  EXPECT_EQ(answer_error(replaced(head, "Connection: upgrade", "Connection: close")).code, Errc::malformed);
  EXPECT_EQ(answer_error(replaced(head, "Server: nginx", "Sec-WebSocket-Protocol: chat")).code,
            Errc::malformed);
  EXPECT_EQ(answer_error("HTTP/1.1 101 " + std::string(9'000, 'x')).code, Errc::limit_exceeded);
}

TEST(UpgradeWatch, FindsTheTicketHoweverTheHeadIsCut) {
  for (const auto carrier : {TicketCarrier::cookie, TicketCarrier::query}) {
    const auto text = request(carrier);
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      UpgradeWatch watch{UpgradePlace{}};
      ASSERT_EQ(watch.on_bytes(as_bytes(text).first(cut)), Verdict::undecided) << cut;
      ASSERT_EQ(watch.on_bytes(as_bytes(text).subspan(cut)), Verdict::upgrade) << cut;
      ASSERT_EQ(watch.ticket(), ticket);
      ASSERT_EQ(watch.key(), "dGhlIHNhbXBsZSBub25jZQ==");
    }
  }
}

TEST(UpgradeWatch, FindsTheTicketAmongOtherCookies) {
  const auto watch = watched(replaced(request(), "Cookie: ", "Cookie: a=b; __Host-sidX=c; "));
  EXPECT_EQ(watch.verdict(), Verdict::upgrade);
  EXPECT_EQ(watch.ticket(), ticket);
}

TEST(UpgradeWatch, DecidesWithTheFirstByteThatIsNotOurs) {
  const std::pair<std::string, std::size_t> cases[] = {
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1},
      {"POST /ws HTTP/1.1\r\n", 1},
      {"GET /wt HTTP/1.1\r\n", 7},
      {"GET /ws/x HTTP/1.1\r\n", 8},
      {"GET /ws?x", 9},
      {"GET /ws?bn1= ", 13},
      {"GET /ws HTTP/1.0\r\n", 16},
      {"GET /ws  HTTP", 9},
      {"GET /ws HTTP/1.1\n", 17},
      {"get /ws", 1},
      {"\r\nGET /ws", 1},
      {std::string{"\x16\x03\x01"}, 1},
      {"GET /ws?bn1=a%", 14},
  };
  for (const auto& [text, bytes] : cases) {
    UpgradeWatch watch{UpgradePlace{}};
    EXPECT_EQ(watch.on_bytes(as_bytes(text).first(bytes - 1)), Verdict::undecided) << text;
    EXPECT_EQ(watch.on_bytes(as_bytes(text).subspan(bytes - 1, 1)), Verdict::other) << text;
    EXPECT_EQ(watch.reason(), Reason::not_http) << text;
  }
}

TEST(UpgradeWatch, LeavesToTheOriginWhatAServerWouldComplainAbout) {
  const std::pair<std::string, std::string> changes[] = {
      {"Host: www.example.org\r\n", "Host: a b\r\n"},
      {"Host: www.example.org\r\n", "Host: www.example.org\r\nHost: x\r\n"},
      {"Pragma: no-cache", "Transfer-Encoding: chunked"},
      {"Pragma: no-cache", "Content-Length: 5"},
      {"Pragma: no-cache", "X-Unknown: 1"},
      {"Pragma: no-cache", " Pragma: no-cache"},
      {"Pragma: no-cache", "Pragma : no-cache"},
      {"Pragma: no-cache", std::string{"Pragma: \x01"}},
      {"Upgrade: websocket", "Upgrade: h2c"},
      {"Connection: Upgrade", "Connection: keep-alive"},
      {"Version: 13", "Version: 8"},
      {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"},
      {"\r\nPragma", "\nPragma"},
      {"\r\nPragma", "\r\r\nPragma"},
      {"__Host-sid=T", "__Host-sid=%"},
      {"Cookie: ", "Cookie: __Host-sid=abc; "},
  };
  for (const auto& [what, with] : changes) {
    EXPECT_EQ(watched(replaced(request(), what, with)).verdict(), Verdict::other) << with;
  }
}

TEST(UpgradeWatch, NamesWhyItIsNone) {
  EXPECT_EQ(watched(request() + "H").reason(), Reason::pipelined);
  EXPECT_EQ(watched(replaced(request(), "Cookie: __Host-sid", "Cookie: sid")).reason(), Reason::no_ticket);
  EXPECT_EQ(watched(replaced(request(), "Upgrade: websocket\r\n", "")).reason(), Reason::not_upgrade);
  EXPECT_EQ(watched(replaced(request(), "Pragma: ", "Pragma: " + std::string(2'000, 'x'))).reason(),
            Reason::too_long);
  const auto both = replaced(request(), "GET /ws", "GET /ws?bn1=" + ticket);
  EXPECT_EQ(watched(both).verdict(), Verdict::other);
}

TEST(UpgradeWatch, HoldsBackNoMoreThanAServerTakesWithoutComplaint) {
  // nginx refuses a line above 8 KiB; ours is over at 1 KiB, and a head at 4.
  std::string text = "GET /ws HTTP/1.1\r\n";
  UpgradeWatch watch{UpgradePlace{}};
  watch.on_bytes(as_bytes(text));
  std::size_t held = 0;
  const std::string filler(64, 'x');
  text = "Pragma: ";
  while (watch.on_bytes(as_bytes(text)) == Verdict::undecided) {
    held += text.size();
    text = filler;
  }
  EXPECT_LE(held, limits::upgrade_line_bytes_max);
}

}  // namespace
}  // namespace village::test
