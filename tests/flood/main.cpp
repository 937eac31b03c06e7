// village_flood: see usage. Prints one JSON line.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "flood/flood.hpp"
#include "village/base/log.hpp"
#include "village/control/config.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/system.hpp"
#include "village/net/tls.hpp"

namespace village::flood {
namespace {

using namespace std::chrono_literals;

constexpr char usage[] =
    "usage: village_flood crowd KIND HOST:PORT COUNT PER-SECOND HOLD-SECONDS [CONFIG]\n"
    "       village_flood guests CONFIG ECHO-HOST:PORT COUNT AT-ONCE\n"
    "       village_flood serve [CERTIFICATE KEY]    a server that hangs up, one that does so behind a TLS\n"
    "                              handshake, and one that echoes, until standard input ends\n"
    "KIND: silent garbage half-hello slow-hello noise tls-garbage tls-slow tls-silent wrong-tag wrong-hour\n"
    "CONFIG: of a node that dials one peer\n";

std::optional<control::Config> config_of(const char* path) {
  auto loaded = control::load_config(path);
  for (const auto& error : loaded.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  return std::move(loaded.config);
}

std::optional<service::TunnelPeer> peer_of(const control::Config& config) {
  for (const auto& peer : config.htx.peers) {
    if (peer.address) return peer;
  }
  return std::nullopt;
}

int crowd(net::Runtime& runtime, int count, char** words) {
  Crowd crowd;
  const auto kind = kind_of(words[2]);
  const auto target = parse_target(words[3]);
  if (!kind || !target) return 2;
  crowd.kind = *kind;
  crowd.target = *target;
  crowd.count = static_cast<std::uint32_t>(std::atoi(words[4]));
  crowd.per_second = static_cast<std::uint32_t>(std::max(1, std::atoi(words[5])));
  crowd.hold = std::chrono::milliseconds{static_cast<long>(std::atof(words[6]) * 1'000)};
  if (count > 7) {
    const auto config = config_of(words[7]);
    if (!config) return 2;
    crowd.peer = peer_of(*config);
  }
  const auto report = runtime.call(0, [&](net::Core& core) { return run_crowd(core, crowd); });
  if (!report) {
    std::fprintf(stderr, "%s\n", std::string{name(report.error().code)}.c_str());
    return 1;
  }
  std::printf("{\"connected\": %u, \"refused\": %u, \"hung_up\": %u, \"answered\": %u, \"left\": %u}\n",
              report->connected, report->refused, report->hung_up, report->answered, report->left);
  return 0;
}

int guests(net::Runtime& runtime, char** words) {
  const auto config = config_of(words[2]);
  const auto echo = parse_target(words[3]);
  if (!config || !echo) return 2;
  Guests guests;
  guests.identity = config->htx.identity;
  guests.peer = peer_of(*config);
  guests.echo = *echo;
  guests.count = static_cast<std::uint32_t>(std::atoi(words[4]));
  guests.at_once = static_cast<unsigned>(std::atoi(words[5]));
  if (!guests.peer) return 2;
  const auto report = runtime.call(0, [&](net::Core& core) { return run_guests(core, guests); });
  if (!report) return 1;
  std::printf("{\"milliseconds\": [");
  const char* comma = "";
  for (const auto time : report->times) {
    std::printf("%s%.3f", comma, std::chrono::duration<double, std::milli>(time).count());
    comma = ", ";
  }
  std::printf("], \"failures\": [");
  comma = "";
  for (const auto error : report->failures) {
    std::printf("%s\"%s\"", comma, std::string{name(error.code)}.c_str());
    comma = ", ";
  }
  std::printf("]}\n");
  return 0;
}

boost::asio::awaitable<void> echo(net::StreamPtr stream) {
  Bytes buffer(16'384);
  for (;;) {
    const auto read = co_await stream->read_some(buffer);
    if (!read || *read == 0) co_return;
    const auto sent = co_await stream->write_all(ByteView{buffer}.first(*read));
    if (!sent) co_return;
  }
}

boost::asio::awaitable<void> hang_up(net::StreamPtr stream) {
  stream->close();
  co_return;
}

/// hang_up_behind_tls is what a node that does nothing but TLS would do.
boost::asio::awaitable<void> hang_up_behind_tls(net::Core& core, net::StreamPtr stream,
                                                std::shared_ptr<net::TlsServerContext> tls) {
  auto secured =
      co_await net::TlsStream::accept(core, std::move(stream), std::move(tls), net::after(core, 60s));
  if (secured) (*secured)->close();
}

std::string text_of(const char* path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// serve: the same listener and loop that a node has, and nothing behind it.
int serve(net::Runtime& runtime, const char* certificate, const char* key) {
  const net::Endpoint anywhere{Ipv4Address{std::byte{127}, {}, {}, std::byte{1}}, 0};
  auto null = net::Listener::bind_tcp(anywhere, runtime.cores());
  auto echoes = net::Listener::bind_tcp(anywhere, runtime.cores());
  auto null_tls = net::Listener::bind_tcp(anywhere, runtime.cores());
  if (!null || !echoes || !null_tls) return 1;
  std::shared_ptr<net::TlsServerContext> tls;
  if (certificate != nullptr) {
    net::TlsServerOptions options;
    options.certificate_pem = text_of(certificate);
    options.key_pem = text_of(key);
    options.alpn = {"http/1.1"};
    const auto made = net::TlsServerContext::make(options);
    if (!made) return 2;
    tls = *made;
  }
  for (std::size_t i = 0; i < runtime.cores(); ++i) {
    runtime.spawn_on(i, [&](net::Core& core) {
      return (*null)->serve(
          core, [](net::Core&, net::Accepted accepted) { return hang_up(std::move(accepted.stream)); });
    });
    runtime.spawn_on(i, [&](net::Core& core) {
      return (*echoes)->serve(
          core, [](net::Core&, net::Accepted accepted) { return echo(std::move(accepted.stream)); });
    });
  }
  for (std::size_t i = 0; tls && i < runtime.cores(); ++i) {
    runtime.spawn_on(i, [&](net::Core& core) {
      return (*null_tls)->serve(core, [&tls](net::Core& on, net::Accepted accepted) {
        return hang_up_behind_tls(on, std::move(accepted.stream), tls);
      });
    });
  }
  std::printf("{\"null\": \"%s\", \"null_tls\": \"%s\", \"echo\": \"%s\"}\n", (*null)->name().c_str(),
              (*null_tls)->name().c_str(), (*echoes)->name().c_str());
  std::fflush(stdout);
  char buffer[64];
  while (::read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
  }
  (*null)->close();
  (*null_tls)->close();
  (*echoes)->close();
  return 0;
}

int run(int count, char** words) {
  const std::string_view verb = count > 1 ? words[1] : "";
  (void)net::raise_descriptor_limit();
  net::RuntimeOptions options;
  options.cores = verb == "serve" ? 0 : 1;
  options.stop_grace = 100ms;
  net::Runtime runtime{options};
  runtime.start();
  int status = 2;
  if (verb == "crowd" && count >= 7) status = crowd(runtime, count, words);
  if (verb == "guests" && count == 6) status = guests(runtime, words);
  if (verb == "serve")
    status = serve(runtime, count > 3 ? words[2] : nullptr, count > 3 ? words[3] : nullptr);
  runtime.stop();
  runtime.join();
  if (status == 2) std::fputs(usage, stderr);
  return status;
}

}  // namespace
}  // namespace village::flood

int main(int count, char** words) { return village::flood::run(count, words); }
