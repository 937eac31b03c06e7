// The gateway as HTTP clients see it, over real sockets on loopback.
#include <algorithm>

#include "gateway_world.hpp"
#include "village/wire/base64.hpp"

namespace village::service::test {
namespace {

/// Origin is a small HTTP server; the path says how it answers.
class Origin {
 public:
  asio::awaitable<void> serve(net::Accepted accepted) {
    ++connections;
    auto& stream = *accepted.stream;
    std::string in;
    for (;;) {
      while (in.find("\r\n\r\n") == std::string::npos) {
        const bool more = co_await read(stream, in);
        if (!more) co_return;
      }
      const auto head_end = in.find("\r\n\r\n") + 4;
      const auto head = in.substr(0, head_end);
      in.erase(0, head_end);
      ++requests;
      const bool stays = co_await answer(stream, head, in);
      if (!stays) co_return;
    }
  }
  std::atomic<int> connections{0}, requests{0};

 private:
  static asio::awaitable<bool> read(net::Stream& stream, std::string& in) {
    Bytes buffer(16'384);
    const auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return false;
    in.append(as_text(ByteView{buffer}.first(*got)));
    co_return true;
  }
  static asio::awaitable<bool> say(net::Stream& stream, std::string text) {
    const auto sent = co_await stream.write_all(as_bytes(text));
    co_return sent.has_value();
  }
  static std::string whole(std::string_view body, std::string_view more = "") {
    return "HTTP/1.1 200 OK\r\n" + std::string{more} + "Content-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + std::string{body};
  }

  asio::awaitable<bool> answer(net::Stream& stream, const std::string& head, std::string& in) {
    const auto path =
        head.substr(head.find(' ') + 1, head.find(' ', head.find(' ') + 1) - head.find(' ') - 1);
    if (path == "/chunked") {
      co_return co_await say(stream,
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    }
    if (path == "/close") {
      co_await say(stream, "HTTP/1.1 200 OK\r\n\r\nuntil the end");
      co_return false;
    }
    if (path == "/cut") {
      co_await say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
      co_return false;
    }
    if (path == "/garbage") {
      co_await say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab");
      co_return false;
    }
    if (path == "/once") {  // stays open as far as its answer tells, and goes away all the same
      co_await say(stream, whole("once"));
      co_return false;
    }
    if (path == "/large") co_return co_await say(stream, whole(std::string(3'000'000, 'L')));
    if (path == "/early") {
      co_await say(stream, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
      co_return co_await read(stream, in);
    }
    if (path == "/continue") {
      const bool sent = co_await say(stream, "HTTP/1.1 100 Continue\r\n\r\n");
      if (!sent) co_return false;
    }
    if (head.starts_with("POST") || head.starts_with("PUT")) co_return co_await echo_body(stream, head, in);
    if (head.starts_with("HEAD"))
      co_return co_await say(stream, "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
    co_return co_await say(stream, whole(head, "X-Path: " + path + "\r\n"));
  }

  static asio::awaitable<bool> echo_body(net::Stream& stream, const std::string& head, std::string& in) {
    const auto at = head.find("Content-Length: ");
    const auto size = at == std::string::npos ? std::string::npos : std::stoul(head.substr(at + 16));
    const auto complete = [&] {
      return size == std::string::npos ? in.ends_with("0\r\n\r\n") : in.size() >= size;
    };
    while (!complete()) {
      const bool more = co_await read(stream, in);
      if (!more) co_return false;
    }
    const auto body = in.substr(0, size);
    in.erase(0, size);
    co_return co_await say(stream, whole(body));
  }
};

class GatewayHttp : public ::testing::Test {
 protected:
  explicit GatewayHttp(GatewayOptions options = default_options()) : world{std::move(options)} {
    at = net::to_text(world.serve(
        [this](net::Core&, net::Accepted accepted) { return origin.serve(std::move(accepted)); }));
  }
  std::string get(std::string_view path, std::string_view more = "") {
    return "GET http://" + at + std::string{path} + " HTTP/1.1\r\nHost: " + at + "\r\n" + std::string{more} +
           "\r\n";
  }
  std::string post(std::string_view path, std::string_view framing) {
    return "POST http://" + at + std::string{path} + " HTTP/1.1\r\nHost: " + at + "\r\n" +
           std::string{framing} + "\r\n";
  }
  Origin origin;
  GatewayWorld world;
  std::string at;
};

TEST_F(GatewayHttp, ConnectTunnelsAndHalfCloses) {
  const auto server = world.serve(echo);
  auto client = world.client();
  client.send("CONNECT " + net::to_text(server) + " HTTP/1.1\r\nHost: x\r\n\r\nearly");
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 200 Connection established\r\n\r\n");
  client.send(" late");
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "early late");
}

TEST_F(GatewayHttp, ConnectByteByByte) {
  const auto server = world.serve(echo);
  auto client = world.client();
  for (const char c : "CONNECT " + net::to_text(server) + " HTTP/1.1\r\n\r\nx") client.send({&c, 1});
  client.finish();
  EXPECT_EQ(client.receive_to_end(), "HTTP/1.1 200 Connection established\r\n\r\nx");
}

TEST_F(GatewayHttp, FailedConnectsSayWhy) {
  const ClosedPort nobody;
  auto client = world.client();
  client.send("CONNECT " + net::to_text(nobody.local()) + " HTTP/1.1\r\n\r\nearly");
  EXPECT_TRUE(client.receive_to_end().starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(client.orderly());
  world.reload(by_default("block"));
  auto blocked = world.client();
  blocked.send("CONNECT a.example:443 HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(blocked.receive_to_end().starts_with("HTTP/1.1 403 "));
  auto slow = by_default("far");
  slow.dial_timeout = 20ms;
  world.silent_tunnel();
  world.reload(slow);
  auto late = world.client();
  late.send("CONNECT a.example:443 HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(late.receive_to_end().starts_with("HTTP/1.1 504 "));
}

TEST_F(GatewayHttp, PlainRequestsShareOneConnectionEachWay) {
  auto client = world.client();
  for (const std::string_view path : {"/a", "/b?c", "/d"}) {
    client.send(get(path));
    const auto head = client.receive_head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nX-Path: " + std::string{path})) << head;
    const auto sent = "GET " + std::string{path} + " HTTP/1.1\r\nHost: " + at + "\r\n\r\n";
    EXPECT_EQ(client.receive(sent.size()), sent);  // origin form, nothing added
  }
  EXPECT_EQ(origin.connections, 1);
  EXPECT_EQ(origin.requests, 3);
}

TEST_F(GatewayHttp, PipelinedRequestsAreAnsweredInOrder) {
  auto client = world.client();
  client.send(get("/1") + get("/chunked") + post("/2", "Content-Length: 3\r\n") + "abc" + get("/3"));
  client.finish();
  const auto all = client.receive_to_end();
  const auto first = all.find("X-Path: /1"), second = all.find("hello"), third = all.find("abc"),
             fourth = all.find("X-Path: /3");
  ASSERT_NE(fourth, std::string::npos) << all;
  EXPECT_TRUE(first < second && second < third && third < fourth) << all;
  EXPECT_TRUE(client.orderly());
}

TEST_F(GatewayHttp, ChunkedAnswersPassAndTheConnectionStays) {
  auto client = world.client();
  client.send(get("/chunked"));
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.receive(15), "5\r\nhello\r\n0\r\n\r\n");
  client.send(get("/next"));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 200"));
}

TEST_F(GatewayHttp, AnswersUntilCloseEndTheConnection) {
  auto client = world.client();
  client.send(get("/close"));
  EXPECT_EQ(client.receive_to_end(), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
  EXPECT_TRUE(client.orderly());
}

TEST_F(GatewayHttp, LargeBodiesStreamBothWays) {
  auto client = world.client();
  client.send(get("/large"));
  client.receive_head();
  EXPECT_EQ(client.receive(3'000'000), std::string(3'000'000, 'L'));
  const std::string body(1'000'000, 'b');
  client.send(post("/echo", "Content-Length: 1000000\r\n") + body);
  client.receive_head();
  EXPECT_EQ(client.receive(body.size()), body);
  const std::string chunks = "7\r\nchunked\r\n0\r\n\r\n";
  client.send(post("/echo", "Transfer-Encoding: chunked\r\n") + chunks);
  client.receive_head();
  EXPECT_EQ(client.receive(chunks.size()), chunks);
}

TEST_F(GatewayHttp, ContinuePassesBeforeTheBody) {
  auto client = world.client();
  client.send(post("/continue", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.receive(4), "body");
}

TEST_F(GatewayHttp, EarlyAnswersComeThroughAndEndTheConnection) {
  auto client = world.client();
  client.send(post("/early", "Content-Length: 1000000\r\n") + "some");
  EXPECT_EQ(client.receive_to_end(),
            "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
  EXPECT_TRUE(client.orderly());
}

TEST_F(GatewayHttp, HeadAnswersHaveNoBody) {
  auto client = world.client();
  client.send("HEAD http://" + at + "/ HTTP/1.1\r\nHost: x\r\n\r\n" + get("/next"));
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
  EXPECT_TRUE(client.receive_head().find("X-Path: /next") != std::string::npos);
}

TEST_F(GatewayHttp, OldClientsAreServedAndClosed) {
  auto client = world.client();
  client.send("GET http://" + at + "/old HTTP/1.0\r\n\r\n");
  const auto all = client.receive_to_end();
  EXPECT_NE(all.find("GET /old HTTP/1.0\r\n"), std::string::npos) << all;
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
}

TEST_F(GatewayHttp, CutAnswersAreNotMadeWhole) {
  auto client = world.client();
  client.send(get("/cut"));
  const auto all = client.receive_to_end();
  EXPECT_FALSE(client.orderly());  // a reset
  EXPECT_EQ(all.find("502"), std::string::npos);
}

TEST_F(GatewayHttp, AnswersThatSmuggleAreRefused) {
  auto client = world.client();
  client.send(get("/garbage"));
  EXPECT_TRUE(client.receive_to_end().starts_with("HTTP/1.1 502 "));
}

TEST_F(GatewayHttp, DeadKeptConnectionIsReplaced) {
  auto client = world.client();
  for (int i = 0; i < 20; ++i) {
    client.send(get("/once"));
    ASSERT_TRUE(client.receive_head().starts_with("HTTP/1.1 200")) << i;
    ASSERT_EQ(client.receive(4), "once");
  }
  EXPECT_EQ(origin.connections, 20);
}

TEST_F(GatewayHttp, OtherAuthorityGetsItsOwnConnection) {
  const auto other = world.serve([](net::Core&, net::Accepted accepted) -> asio::awaitable<void> {
    ByteArray<1'000> buffer;
    (void)co_await accepted.stream->read_some(buffer);
    (void)co_await accepted.stream->write_all(as_bytes("HTTP/1.1 204 No\r\n\r\n"));
  });
  auto client = world.client();
  client.send(get("/a"));
  const auto size = ("GET /a HTTP/1.1\r\nHost: " + at + "\r\n\r\n").size();
  client.receive_head();
  client.receive(size);
  client.send("GET http://" + net::to_text(other) + "/ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.receive_head(), "HTTP/1.1 204 No\r\n\r\n");
}

TEST_F(GatewayHttp, BadRequestsAreAnsweredAndEnded) {
  struct Case {
    std::string in;
    std::string_view status;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
      {get("/", "Content-Length : 5\r\n"), "HTTP/1.1 400 "},
      {get("/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "HTTP/1.1 400 "},
      {"\x16\x03\x01\x02", "HTTP/1.1 400 "},
      {get("/", "X: " + std::string(20'000, 'x') + "\r\n"), "HTTP/1.1 431 "},
      {get("/", "Transfer-Encoding: gzip, chunked\r\n"), "HTTP/1.1 501 "},
      {"GET http://a/ HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 "},
      {post("/echo", "Transfer-Encoding: chunked\r\n") + "x\r\n", "HTTP/1.1 400 "},
  };
  for (const auto& each : cases) {
    auto client = world.client();
    client.send(each.in);
    const auto all = client.receive_to_end();
    EXPECT_TRUE(all.starts_with(each.status)) << each.in.substr(0, 60) << " -> " << all;
    EXPECT_TRUE(client.orderly()) << each.in.substr(0, 60);
  }
  EXPECT_EQ(origin.requests, 1);  // the last one's head had gone on
}

TEST_F(GatewayHttp, IdleKeepAliveConnectionsDoNotHoldUpADrain) {
  auto client = world.client();
  client.send(get("/chunked"));
  client.receive_head();
  client.receive(15);
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 1; }));
  world.drain(net::after(world.core(), 60s));
  client.receive_to_end();
  EXPECT_EQ(world.status().connections, 0U);
}

TEST_F(GatewayHttp, ThroughATunnelNamesStayNames) {
  world.tunnel(*parse_target(at));
  world.reload(by_default("far"));
  auto client = world.client();
  client.send("GET http://name.invalid/x HTTP/1.1\r\nHost: y\r\n\r\n");
  EXPECT_TRUE(client.receive_head().find("X-Path: /x") != std::string::npos);
  EXPECT_EQ(world.asked(), "name.invalid:80");
}

class GatewayHttpUsers : public GatewayHttp {
 protected:
  GatewayHttpUsers() : GatewayHttp{with_users()} {}
  static std::string basic(std::string_view pair) {
    return "Proxy-Authorization: Basic " + wire::base64(as_bytes(pair)) + "\r\n";
  }
};

TEST_F(GatewayHttpUsers, AreAskedForTheirPassword) {
  for (const auto& request :
       {get("/a"), get("/a", basic("alice:wrong")), std::string{"CONNECT a:1 HTTP/1.1\r\n\r\n"}}) {
    auto client = world.client();
    client.send(request);
    const auto head = client.receive_head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 407 ")) << head;
    EXPECT_NE(head.find("Proxy-Authenticate: Basic realm="), std::string::npos);
  }
  EXPECT_EQ(origin.connections, 0);
}

TEST_F(GatewayHttpUsers, ComeInAndTheirPasswordStaysHere) {
  auto client = world.client();
  client.send(get("/a", basic("alice:s3cret")));
  EXPECT_TRUE(client.receive_head().starts_with("HTTP/1.1 200"));
  const auto sent = "GET /a HTTP/1.1\r\nHost: " + at + "\r\n\r\n";
  EXPECT_EQ(client.receive(sent.size()), sent);
  const auto server = world.serve(echo);
  auto tunnel = world.client();
  tunnel.send("CONNECT " + net::to_text(server) + " HTTP/1.1\r\n" + basic("bob:pass") + "\r\nx");
  EXPECT_TRUE(tunnel.receive_head().starts_with("HTTP/1.1 200"));
  EXPECT_EQ(tunnel.receive(1), "x");
}

class GatewayHttpIdle : public GatewayHttp {
 protected:
  static GatewayOptions impatient() {
    auto options = default_options();
    options.idle_timeout = 50ms;
    return options;
  }
  GatewayHttpIdle() : GatewayHttp{impatient()} {}
};

TEST_F(GatewayHttpIdle, ConnectionsEndBetweenAndWithinRequests) {
  auto between = world.client();
  between.send(get("/chunked"));
  EXPECT_TRUE(between.receive_to_end().ends_with("0\r\n\r\n"));
  auto within = world.client();
  within.send(post("/echo", "Content-Length: 10\r\n") + "half");
  within.receive_to_end();
  EXPECT_TRUE(world.settle([](const auto& status) { return status.connections == 0; }));
}

}  // namespace
}  // namespace village::service::test
