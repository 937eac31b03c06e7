#include "link_pair.hpp"

#include <string>

#include "village/net/clock.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"
#include "village/net/tls.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

net::StreamPtr secured(net::Runtime& runtime, std::size_t core, net::StreamPtr under,
                       const crypto::SelfSigned& certificate) {
  auto shared = std::make_shared<net::StreamPtr>(std::move(under));
  return runtime.call(
      core, [core, shared, certificate](net::Core& on) -> boost::asio::awaitable<net::StreamPtr> {
        const auto deadline = net::after(on, 10s);
        if (core == 0) {
          const auto context = net::TlsClientContext::make({{"http/1.1"}});
          net::TlsServerName name;
          name.sni = "localhost";
          name.trust.pin = certificate.pin;
          auto tls = co_await net::TlsStream::connect(on, std::move(*shared), *context, name, deadline);
          must(tls.has_value(), "TLS client fails");
          must((*tls)->cipher() == "TLS_AES_256_GCM_SHA384", "another TLS suite than the peer's");
          co_return std::move(*tls);
        }
        net::TlsServerOptions server;
        server.certificate_pem = certificate.certificate_pem;
        server.key_pem = certificate.key_pem;
        server.alpn = {"http/1.1"};
        const auto context = net::TlsServerContext::make(std::move(server));
        must(context.has_value(), "no TLS context");
        auto tls = co_await net::TlsStream::accept(on, std::move(*shared), *context, deadline);
        must(tls.has_value(), "TLS server fails");
        co_return std::move(*tls);
      });
}

}  // namespace

net::RuntimeOptions two_cores() {
  net::RuntimeOptions options;
  options.cores = 2;
  options.pin = true;
  return options;
}

std::pair<net::StreamPtr, net::StreamPtr> connect_streams(net::Runtime& runtime, const SocketShape& shape) {
  const TcpOptions tcp{"cubic"};
  auto [listener, port] = listen_tcp(tcp);
  auto dialed = dial_tcp(shape.relay ? shape.relay(port) : port, tcp);
  auto accepted = accept_tcp(listener);
  const net::TcpOptions same{"cubic"};
  net::StreamPtr client = std::make_unique<net::TcpStream>(runtime.core(0), dialed.release(), same);
  net::StreamPtr server = std::make_unique<net::TcpStream>(runtime.core(1), accepted.release(), same);
  if (!shape.tls) return {std::move(client), std::move(server)};
  const auto certificate = crypto::make_self_signed("localhost", net::SystemClock{}.wall(), 10);
  must(certificate.has_value(), "no certificate");
  auto secure_server =
      std::async(std::launch::async, [&] { return secured(runtime, 1, std::move(server), *certificate); });
  auto secure_client = secured(runtime, 0, std::move(client), *certificate);
  return {std::move(secure_client), secure_server.get()};
}

LinkPair::LinkPair(const Shape& shape, Serve serve) : runtime_{two_cores()} {
  runtime_.start();
  SeededRandom random{static_cast<std::uint64_t>(now_ns())};
  auto keys = shake(shape.suite, random);
  auto streams = connect_streams(runtime_, shape.socket);
  std::promise<void> ready;
  for (const std::size_t i : {1UL, 0UL}) {
    auto& core = runtime_.core(i);
    const service::LinkFacts facts{"bench", {}, i == 1, service::Outer::none, shape.suite};
    links_[i] = std::make_shared<service::TunnelLink>(
        core, std::move(i == 0 ? streams.first : streams.second),
        std::move(i == 0 ? keys.first : keys.second), i == 0 ? shape.client : shape.server, facts);
    auto over = std::make_shared<std::promise<void>>();
    over_[i] = over->get_future();
    runtime_.spawn_on(
        i, [link = links_[i], over, serve, i, &ready](net::Core& on) -> boost::asio::awaitable<void> {
          net::Nursery serving{on};
          service::TunnelLink::Hooks hooks;
          hooks.on_stream = [&serving, &serve, &on](std::unique_ptr<service::TunnelStream> stream) {
            serving.spawn([&serve, &on, shared = Stream{std::move(stream)}] { return serve(on, shared); });
          };
          hooks.on_ready = [i, &ready] {
            if (i == 0) ready.set_value();
          };
          (void)co_await link->run({}, std::move(hooks));
          serving.cancel();
          co_await serving.join();
          over->set_value();
        });
  }
  must(ready.get_future().wait_for(10s) == std::future_status::ready, "the session does not become ready");
}

LinkPair::~LinkPair() {
  runtime_.run_on(0, [link = links_[0]](net::Core&) {
    link->close(htx::Code::ok, "", service::tunnel_metrics::Ending::drained);
  });
  for (auto& over : over_) over.wait();
  links_[0].reset();
  links_[1].reset();
}

std::pair<double, double> LinkPair::cpu() {
  const auto used = [](net::Core&) -> boost::asio::awaitable<double> {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    co_return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
  };
  return {runtime_.call(0, used), runtime_.call(1, used)};
}

LinkPair::Stream LinkPair::open() {
  return run([this](net::Core& core) -> boost::asio::awaitable<Stream> {
    auto stream = co_await client().open(htx::Priority::bulk, net::after(core, 10s));
    must(stream.has_value(), "stream does not open");
    co_return Stream{std::move(*stream)};
  });
}

}  // namespace village::bench
