#include "village/service/mix_authority.hpp"

#include "mix_directory_world.hpp"
#include "service/mix_http.hpp"

namespace village::service {
namespace {

using test::Client;
using test::MixDirectoryWorld;
constexpr auto first = MixDirectoryWorld::first;

/// ask sends a request as it is and gives the status line's code, 0 if nothing came.
unsigned ask(MixDirectoryWorld& world, const std::string& text) {
  Client client{world.endpoint(0)};
  client.send(text);
  const auto answer = client.receive_to_end();
  return answer.size() > 12 ? static_cast<unsigned>(std::stoul(answer.substr(9, 3))) : 0;
}

std::string put(const std::string& body, const std::string& path = "/mixdir/v1/descriptor") {
  return "PUT " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

mix::SignedDescriptor node(std::uint64_t n) {
  auto out = mix::sign(mix::test::descriptor_of(n, first), mix::test::key_of(n));
  return *std::move(out);
}

TEST(MixAuthority, AnswersNodesAndRefusesWhatDoesNotHold) {
  MixDirectoryWorld world{1, 1};
  EXPECT_EQ(ask(world, put(to_json(node(1)))), 200U);
  EXPECT_EQ(ask(world, put(to_json(node(1)))), 200U);
  auto forged = node(1);
  forged.descriptor.sequence = 2;
  EXPECT_EQ(ask(world, put(to_json(forged))), 403U);
  EXPECT_EQ(ask(world, put("{}")), 400U);
  EXPECT_EQ(ask(world, put("")), 400U);
  EXPECT_EQ(ask(world, "GET /mixdir/v1/document/5 HTTP/1.1\r\nHost: a\r\n\r\n"), 404U);
  EXPECT_EQ(ask(world, "GET /mixdir/v1/document/x HTTP/1.1\r\nHost: a\r\n\r\n"), 404U);
  EXPECT_EQ(ask(world, "GET /mixdir/v1/document/99999999999999999999999 HTTP/1.1\r\nHost: a\r\n\r\n"), 404U);
  EXPECT_EQ(ask(world, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 404U);
  EXPECT_EQ(ask(world, "DELETE /mixdir/v1/descriptor HTTP/1.1\r\nHost: a\r\n\r\n"), 405U);
  EXPECT_TRUE(MixDirectoryWorld::until([&] { return world.authority(0).status().descriptors == 1; }));
}

TEST(MixAuthority, RefusesMalformedAndLargeRequests) {
  MixDirectoryWorld world{1, 1};
  EXPECT_EQ(ask(world, "hello\r\n\r\n"), 400U);
  EXPECT_EQ(ask(world, "GET /" + std::string(8'000, 'x') + " HTTP/1.1\r\n\r\n"), 431U);
  EXPECT_EQ(ask(world, put(std::string(mix::limits::descriptor_bytes_max + 1, 'x'))), 413U);
  EXPECT_EQ(
      ask(world, "PUT /mixdir/v1/descriptor HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n"),
      413U);
  EXPECT_EQ(
      ask(world,
          "PUT /mixdir/v1/descriptor HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      411U);
  EXPECT_EQ(ask(world, put(std::string(100'000, '['))), 413U);
  EXPECT_EQ(ask(world, "GET /mixdir/v1/document/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
            413U);
}

TEST(MixAuthority, ReadsStatementsOfAuthoritiesOnly) {
  MixDirectoryWorld world{1, 1};
  const auto post = [](const std::string& path, const std::string& authority, const std::string& body) {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\nVillaged-Mix-Authority: " + authority +
           "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  MixHttpRequest request;
  request.body = "{}";
  for (const auto* path : {"/mixdir/v1/statement", "/mixdir/v1/signature"}) {
    EXPECT_EQ(ask(world, post(path, "", "{}")), 403U);
    EXPECT_EQ(ask(world, post(path, "a.b.c", "{}")), 403U);
    sign_request(request, mix::test::key_of(1));  // a stranger
    EXPECT_EQ(ask(world, post(path, request.authority, "{}")), 403U);
    sign_request(request, mix::test::key_of(9'000));
    EXPECT_EQ(ask(world, post(path, request.authority, "[]")), 400U);  // another body than was signed
    EXPECT_EQ(ask(world, post(path, request.authority, "{}")), 400U);  // signed nonsense
  }
  auto bent = request;
  bent.authority[50] = bent.authority[50] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ask(world, post("/mixdir/v1/statement", bent.authority, "{}")), 403U);
}

TEST(MixAuthority, LimitsTheRequestsOfOneNetwork) {
  MixDirectoryWorld world{1, 1};
  unsigned answered = 0;
  for (int i = 0; i < 400; ++i) answered += ask(world, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 404U ? 1U : 0U;
  EXPECT_GE(answered, 240U);
  EXPECT_LT(answered, 400U);  // 240 at once, then ten a second: 400 would need 16 s
}

TEST(MixAuthority, KeepsAPlaceForOthersWhenOneNetworkHoldsConnections) {
  MixDirectoryWorld world{1, 1};
  std::vector<std::unique_ptr<Client>> silent;
  for (std::uint32_t i = 0; i < limits::mix_http_connections_share_max + 8; ++i) {
    silent.push_back(std::make_unique<Client>(world.endpoint(0)));
    silent.back()->send("GET /mixdir");
  }
  EXPECT_EQ(silent.back()->receive_to_end(), "");  // closed at once: its network has no place left
  silent.clear();
  EXPECT_TRUE(MixDirectoryWorld::until([&] { return ask(world, put(to_json(node(1)))) == 200U; }));
}

TEST(MixAuthority, PublishesAloneAndServesWhatItPublished) {
  MixDirectoryWorld world{1, 1};
  ASSERT_EQ(ask(world, put(to_json(node(1)))), 200U);
  world.make_document(first + 1);
  world.on_core([&]() -> test::asio::awaitable<void> {
    const auto document = co_await fetch_document(world.core(), world.dialer(), world.entries()[0].address,
                                                  first + 1, net::after(world.core(), 20s));
    EXPECT_TRUE(document.has_value());
    if (!document) co_return;
    EXPECT_TRUE(mix::verify_signatures(*document, authority_set(world.entries(), 1)).has_value());
    EXPECT_EQ(document->document.nodes.size(), 1U);
    const auto none = co_await fetch_document(world.core(), world.dialer(), world.entries()[0].address,
                                              first + 2, net::after(world.core(), 20s));
    EXPECT_EQ(none.error().code, Errc::not_found);
  });
}

TEST(MixAuthority, TakesOverWhatTheOthersPublishedWhileItWasAway) {
  const control::TemporaryFolder empty;
  MixDirectoryWorld world{3, 2};
  ASSERT_EQ(ask(world, put(to_json(node(1)))), 200U);
  world.make_document(first + 1);
  world.core().turn(MixDirectoryWorld::epochs.start(first + 1) - 1s);
  world.stop_authority(2);
  world.start_authority(2, empty.path(""));  // it has lost everything
  EXPECT_TRUE(MixDirectoryWorld::until([&] { return world.authority(2).status().published == first + 1; }));
}

TEST(MixAuthority, ServesWhatItPublishedBeforeARestart) {
  MixDirectoryWorld world{1, 1};
  ASSERT_EQ(ask(world, put(to_json(node(1)))), 200U);
  world.make_document(first + 1);
  world.stop_authority(0);
  const auto folder = world.folder(0);
  world.start_authority(0, folder);
  EXPECT_EQ(world.authority(0).status().published, first + 1);
  const auto path = "/mixdir/v1/document/" + std::to_string(first + 1);
  EXPECT_EQ(ask(world, "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"), 200U);
  EXPECT_TRUE(MixDirectoryWorld::until([&] { return world.authority(0).status().descriptors == 1; }));
}

TEST(MixHttp, RefusesAnswersThatAreTooLargeOrUnfinished) {
  MixDirectoryWorld world{1, 1};
  std::shared_ptr<net::Listener> listener = *net::Listener::bind_tcp(net::loopback_v4(), 1);
  const auto target = net::to_target(*listener->local());
  const std::vector<std::pair<std::string, Errc>> cases{
      {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", Errc::limit_exceeded},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Errc::end_of_stream},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", Errc::trailing_bytes},
      {"HTTP/1.1 200 OK\r\n\r\nabc", Errc::unsupported},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Errc::unsupported},
      {"nonsense\r\n\r\n", Errc::malformed},
      {"", Errc::end_of_stream}};
  std::string answer;
  net::Nursery* servers = nullptr;
  world.on_core([&]() -> test::asio::awaitable<void> {
    servers = new net::Nursery{world.core()};
    servers->spawn([&]() -> test::asio::awaitable<void> {
      return listener->serve(world.core(),
                             [&](net::Core&, net::Accepted accepted) -> test::asio::awaitable<void> {
                               const auto stream = std::move(accepted.stream);
                               ByteArray<1'024> block;
                               const auto read = co_await stream->read_some(block);
                               if (read) (void)co_await stream->write_all(as_bytes(answer));
                             });
    });
    for (const auto& [text, code] : cases) {
      answer = text;
      MixHttpRequest request;
      request.method = "GET";
      request.path = "/";
      const auto reply = co_await mix_exchange(world.core(), world.dialer(), target, std::move(request), 50,
                                               net::after(world.core(), 20s));
      EXPECT_EQ(reply ? Errc::internal : reply.error().code, code) << text;
    }
    servers->cancel();
    co_await servers->join();
    delete servers;
  });
}

}  // namespace
}  // namespace village::service
