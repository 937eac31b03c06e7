// The server on real sockets: a runtime of one core, a blocking client of plain system calls.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "control/json.hpp"
#include "control/socket_client.hpp"
#include "temporary_folder.hpp"
#include "village/base/metrics.hpp"
#include "village/control/server.hpp"
#include "village/control/verb.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/runtime.hpp"

namespace village::control {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

/// Client is one connection of a test; every wait ends after ten seconds.
class Client {
 public:
  static Client tcp(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return Client{AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  static Client unix_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return Client{AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address};
  }
  Client(Client&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Client& operator=(Client&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server may have hung up: what it said is what counts
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// rest reads until the server closes.
  std::string rest() {
    std::string out;
    char block[4'096];
    for (;;) {
      const auto size = ::recv(fd_, block, sizeof block, 0);
      if (size <= 0) return size == 0 ? out : out + "<" + std::strerror(errno) + ">";
      out.append(block, static_cast<std::size_t>(size));
    }
  }
  /// reply reads one reply by its Content-Length.
  std::string reply() {
    std::string out;
    char byte = 0;
    while (out.find("\r\n\r\n") == std::string::npos && ::recv(fd_, &byte, 1, 0) == 1) out.push_back(byte);
    const auto at = out.find("Content-Length: ");
    auto left = at == std::string::npos ? 0 : std::stoul(out.substr(at + 16));
    for (; left > 0 && ::recv(fd_, &byte, 1, 0) == 1; --left) out.push_back(byte);
    return out;
  }

 private:
  Client(int family, const sockaddr* address, socklen_t size)
      : fd_{::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    EXPECT_EQ(::connect(fd_, address, size), 0) << std::strerror(errno);
  }
  int fd_;
};

/// Node runs a ControlServer on a TCP and a Unix socket.
class Node {
 public:
  explicit Node(std::string token = {}, Duration patience = 10s) : runtime_{1} {
    auto tcp = net::Listener::bind_tcp(net::loopback_v4(), 1);
    auto local = net::Listener::bind_unix(socket_path(), 0600, 1);
    VG_CHECK(tcp.has_value() && local.has_value());
    port_ = (*tcp)->local().value().port;
    std::vector<std::shared_ptr<net::Listener>> listeners;
    listeners.push_back(*std::move(tcp));
    listeners.push_back(*std::move(local));
    ControlOptions options;
    options.token = std::move(token);
    auto hooks = make_hooks();
    hooks.patience = patience;
    runtime_.run_on(0, [this, options, hooks, listeners](net::Core& core) {
      server_ = std::make_unique<ControlServer>(core, options, hooks);
      for (const auto& listener : listeners) server_->serve(listener);
    });
    runtime_.start();
  }
  ~Node() {
    stop(0s);
    runtime_.stop();
    runtime_.join();
  }

  void stop(Duration grace) {
    runtime_.call(0, [this, grace](net::Core& core) -> net::asio::awaitable<void> {
      if (server_) {
        const auto stopped = co_await server_->stop(net::after(core, grace));
        EXPECT_TRUE(stopped);
      }
      server_.reset();
    });
  }

  std::string socket_path() const { return folder_.path("control.sock"); }
  Client connect() { return Client::tcp(port_); }
  Client connect_unix() { return Client::unix_socket(socket_path()); }
  /// ask sends one request over TCP and reads until the end.
  std::string ask(const std::string& method, const std::string& path,
                  const std::string& headers = "Host: localhost\r\n") {
    auto client = connect();
    client.send(method + " " + path + " HTTP/1.1\r\n" + headers + "Connection: close\r\n\r\n");
    return client.rest();
  }

  bool ready = true;
  std::optional<Errc> reload_error;
  int reloads = 0;

 private:
  ControlHooks make_hooks() {
    ControlHooks hooks;
    hooks.status = []() -> net::Task<NodeStatus> {
      NodeStatus status;
      status.name = "alpha";
      status.state = "ready";
      co_return status;
    };
    hooks.ready = [this] { return ready; };
    hooks.config_json = [] { return std::string{"{\"masked\": true}\n"}; };
    hooks.reload = [this]() -> net::Task<std::vector<std::string>> {
      ++reloads;
      if (reload_error) co_return fail(*reload_error);
      std::vector<std::string> keys;
      keys.emplace_back("/net/cores");
      co_return keys;
    };
    return hooks;
  }
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  net::Runtime runtime_;
  std::unique_ptr<ControlServer> server_;
};

std::string body_of(const std::string& reply) {
  return reply.substr(std::min(reply.find("\r\n\r\n") + 4, reply.size()));
}

TEST(ControlServer, AnswersEveryRouteOverTcp) {
  Node node;
  EXPECT_THAT(node.ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(body_of(node.ask("GET", "/healthz")), "ok\n");
  EXPECT_THAT(node.ask("GET", "/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  const auto status = node.ask("GET", "/api/v1/status");
  EXPECT_THAT(status, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(Json::parse(body_of(status)).at("name"), "alpha");
  EXPECT_EQ(body_of(node.ask("GET", "/api/v1/config?pretty")), "{\"masked\": true}\n");
  EXPECT_THAT(node.ask("GET", "/metrics"), HasSubstr("Content-Type: text/plain; version=0.0.4"));
  const auto page = node.ask("GET", "/");
  EXPECT_THAT(page, HasSubstr("Content-Type: text/html"));
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy: default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(body_of(page), StartsWith("<!doctype html>"));
}

TEST(ControlServer, ANodeThatIsNotReadySaysSo) {
  Node node;
  node.ready = false;
  EXPECT_THAT(node.ask("GET", "/readyz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(node.ask("GET", "/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST(ControlServer, ErrorsAreJson) {
  Node node;
  const auto missing = node.ask("GET", "/nothing");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_EQ(Json::parse(body_of(missing)).at("error"), "not_found");
  const auto method = node.ask("DELETE", "/api/v1/status");
  EXPECT_THAT(method, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"));
  EXPECT_THAT(method, HasSubstr("Allow: GET, HEAD\r\n"));
  EXPECT_THAT(node.ask("GET", "/api/v1/reload"), HasSubstr("Allow: POST\r\n"));
  EXPECT_EQ(node.reloads, 0);
  auto client = node.connect();
  client.send("no http at all\r\n\r\n");
  const auto bad = client.rest();
  EXPECT_THAT(bad, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_EQ(Json::parse(body_of(bad)).at("error"), "bad_request");
}

TEST(ControlServer, HeadHasNoBody) {
  Node node;
  const auto reply = node.ask("HEAD", "/metrics");
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(body_of(reply), "");
}

TEST(ControlServer, KeepsAConnectionForFurtherRequests) {
  Node node;
  auto client = node.connect();
  for (int i = 0; i < 3; ++i) {
    client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(client.reply(), HasSubstr("Connection: keep-alive\r\n"));
  }
  client.send(
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(body_of(client.reply()), "ok\n");
  EXPECT_EQ(body_of(client.reply()), "ready\n");
}

TEST(ControlServer, AHostThatIsNotThisMachineIsRefused) {
  Node node;
  EXPECT_THAT(node.ask("GET", "/api/v1/status", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(node.ask("GET", "/", "Host: evil.example\r\n"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(node.ask("GET", "/api/v1/status", ""), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(node.ask("GET", "/api/v1/status", "Host: 127.0.0.1:1\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST(ControlServer, ATokenGuardsWhatTellsSomething) {
  Node node{"0123456789abcdef"};
  for (const auto* path : {"/metrics", "/api/v1/status", "/api/v1/config", "/nothing"}) {
    const auto refused = node.ask("GET", path);
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 ")) << path;
    EXPECT_THAT(refused, HasSubstr("WWW-Authenticate: Bearer\r\n"));
    EXPECT_THAT(node.ask("GET", path, "Host: localhost\r\nAuthorization: Bearer 0123456789abcdeX\r\n"),
                StartsWith("HTTP/1.1 401 "));
  }
  EXPECT_THAT(node.ask("POST", "/api/v1/reload"), StartsWith("HTTP/1.1 401 "));
  EXPECT_EQ(node.reloads, 0);
  for (const auto* path : {"/healthz", "/readyz", "/"})
    EXPECT_THAT(node.ask("GET", path), StartsWith("HTTP/1.1 200 ")) << path;
  EXPECT_THAT(
      node.ask("GET", "/api/v1/status", "Host: node.example\r\nAuthorization: Bearer 0123456789abcdef\r\n"),
      StartsWith("HTTP/1.1 200 "));
}

TEST(ControlServer, ReloadTellsWhatNeedsARestart) {
  Node node;
  const auto done = node.ask("POST", "/api/v1/reload");
  EXPECT_THAT(done, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Json::parse(body_of(done)), Json::parse(R"({"restart": ["/net/cores"]})"));
  node.reload_error = Errc::bad_argument;
  EXPECT_THAT(node.ask("POST", "/api/v1/reload"), StartsWith("HTTP/1.1 422 "));
  node.reload_error = Errc::busy;
  EXPECT_THAT(node.ask("POST", "/api/v1/reload"), StartsWith("HTTP/1.1 409 "));
}

TEST(ControlServer, APageOfAnotherSiteCannotReload) {
  Node node;
  for (const auto* header :
       {"Origin: http://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"}) {
    EXPECT_THAT(node.ask("POST", "/api/v1/reload", std::string{"Host: localhost\r\n"} + header),
                StartsWith("HTTP/1.1 403 "));
  }
  EXPECT_EQ(node.reloads, 0);
  EXPECT_THAT(node.ask("POST", "/api/v1/reload", "Host: localhost\r\nOrigin: http://localhost\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST(ControlServer, TheUnixSocketNeedsNeitherHostNorToken) {
  Node node{"0123456789abcdef"};
  auto client = node.connect_unix();
  client.send("GET /api/v1/status HTTP/1.0\r\n\r\n");
  EXPECT_THAT(client.rest(), StartsWith("HTTP/1.1 200 "));
  std::string problem;
  const auto reply =
      socket_request(node.socket_path(), "POST", "/api/v1/reload", std::chrono::seconds{5}, problem);
  ASSERT_TRUE(reply) << problem;
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(node.reloads, 1);
}

TEST(ControlServer, WhatIsTooLargeIsRefused) {
  Node node;
  auto header = node.connect();
  header.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(20'000, 'a'));
  EXPECT_THAT(header.rest(), StartsWith("HTTP/1.1 431 "));
  auto body = node.connect();
  body.send("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" +
            std::string(200'000, 'a'));
  EXPECT_THAT(body.rest(), StartsWith("HTTP/1.1 413 "));
  EXPECT_EQ(node.reloads, 0);
}

TEST(ControlServer, WhoIsSlowIsSentAway) {
  Node node{{}, 100ms};
  auto half = node.connect();
  half.send("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_THAT(half.rest(), StartsWith("HTTP/1.1 408 "));
  auto silent = node.connect();
  EXPECT_EQ(silent.rest(), "");
  auto idle = node.connect();
  idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(idle.rest(), testing::EndsWith("ok\n"));
}

TEST(ControlServer, ConnectionsAreBounded) {
  Node node;
  std::vector<Client> held;
  for (std::size_t i = 0; i < limits::http_connections_max; ++i) {
    held.push_back(i % 2 == 0 ? node.connect() : node.connect_unix());
    held.back().send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(body_of(held.back().reply()), "ok\n") << i;
  }
  auto surplus = node.connect();
  EXPECT_EQ(surplus.rest(), "");
  held.front().send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(held.front().rest(), testing::EndsWith("ok\n"));
  held.erase(held.begin());
  // The place is free as soon as the server has seen the end; until then it may still say no.
  std::string answer;
  for (int attempt = 0; attempt < 1'000 && answer.find("200 OK") == std::string::npos; ++attempt)
    answer = node.ask("GET", "/healthz");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST(ControlServer, StopEndsIdleConnectionsAtOnce) {
  Node node;
  auto idle = node.connect();
  idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(body_of(idle.reply()), "ok\n");
  const auto before = std::chrono::steady_clock::now();
  node.stop(8s);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 4s);
  EXPECT_EQ(idle.rest(), "");
}

TEST(ControlServer, StatusVerbReadsIt) {
  Node node;
  std::vector<std::string> args{"villaged", "status", "--socket", node.socket_path()};
  std::vector<char*> argv;
  for (auto& arg : args) argv.push_back(arg.data());
  testing::internal::CaptureStdout();
  const int status = dispatch(static_cast<int>(argv.size()), argv.data(), verbs());
  EXPECT_EQ(status, 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), StartsWith("alpha  "));
}

// --- metrics

metrics::Counter example_counter{"villaged_control_example_total", "A counter of this test.",
                                 "reason=\"a\",direction=\"in\""};
metrics::Counter example_other{"villaged_control_example_total", "A counter of this test.",
                               "reason=\"b\",direction=\"in\""};
metrics::Histogram example_histogram{"villaged_control_example_seconds", "A histogram of this test."};

TEST(MetricsText, ShowsEveryKindOnce) {
  example_counter.add(3);
  example_histogram.record_ns(1'500);
  const auto text = metrics_text();
  // The ctest control.promtool names a file and gives it to promtool.
  if (const char* path = std::getenv("VILLAGE_METRICS_FILE")) std::ofstream{path} << text;
  EXPECT_THAT(text, HasSubstr("# HELP villaged_control_example_total A counter of this test.\n# TYPE "
                              "villaged_control_example_total counter\n"
                              "villaged_control_example_total{reason=\"a\",direction=\"in\"} 3\n"
                              "villaged_control_example_total{reason=\"b\",direction=\"in\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("villaged_control_example_seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("villaged_control_example_seconds_count 1\n"));
  for (const auto* name : {"process_resident_memory_bytes ", "process_open_fds ",
                           "process_start_time_seconds ", "villaged_build_info{version="}) {
    EXPECT_THAT(text, HasSubstr(std::string{"\n"} + name));
  }
}

}  // namespace
}  // namespace village::control
