// htx.rtt: 1 KB out and 1 KB back over one stream, outer none, AES-256-GCM: two threads on two cores, the
// daemon's runtime and link. The same coroutines over the bare socket of the same runtime are the figure to
// hold it against; a raw epoll loop is printed beside it.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "link_pair.hpp"
#include "support/sockets.hpp"
#include "village/base/latency_histogram.hpp"
#include "village/net/nursery.hpp"

namespace village::bench {
namespace {

constexpr std::size_t message_bytes = 1024;

boost::asio::awaitable<void> echo(net::Stream& stream) {
  Bytes buffer(16'384);
  for (;;) {
    const auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return;
    const auto written = co_await stream.write_all(ByteView{buffer}.first(*got));
    if (!written) co_return;
  }
}

boost::asio::awaitable<void> ask(net::Stream& stream, std::uint64_t rounds, LatencyHistogram& taken) {
  Bytes message(message_bytes), answer(message_bytes);
  SeededRandom{51}.fill(message);
  for (std::uint64_t i = 0; i < rounds; ++i) {
    std::memcpy(message.data(), &i, sizeof i);
    const auto start = now_ns();
    const auto written = co_await stream.write_all(message);
    must(written.has_value(), "connection ended");
    for (std::size_t back = 0; back < message_bytes;) {
      const auto got = co_await stream.read_some(ByteSpan{answer}.subspan(back));
      must(got.has_value() && *got > 0, "connection ended");
      back += *got;
    }
    taken.record(now_ns() - start);
    must(std::memcmp(answer.data(), message.data(), message_bytes) == 0, "echo differs");
  }
}

boost::asio::awaitable<void> echo_tunnel(net::Core&, LinkPair::Stream stream) { co_await echo(*stream); }

/// Tunnel is the exchange through a session.
class Tunnel {
 public:
  Tunnel() : pair_{{}, echo_tunnel}, stream_{pair_.open()} {}
  LatencyHistogram rounds(std::uint64_t count) {
    LatencyHistogram taken;
    pair_.run([&](net::Core&) { return ask(*stream_, count, taken); });
    return taken;
  }

 private:
  LinkPair pair_;
  LinkPair::Stream stream_;
};

/// Bare is the exchange over the runtime's own TCP stream.
class Bare {
 public:
  Bare() : runtime_{two_cores()} {
    runtime_.start();
    auto [client, server] = connect_streams(runtime_, {});
    client_ = std::move(client);
    server_ = std::move(server);
    runtime_.spawn_on(1, [this](net::Core&) { return echo(*server_); });
  }
  ~Bare() {
    runtime_.call(0, [this](net::Core&) -> boost::asio::awaitable<void> {
      client_->close();
      co_return;
    });
    runtime_.stop();
    runtime_.join();
  }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;
  LatencyHistogram rounds(std::uint64_t count) {
    LatencyHistogram taken;
    runtime_.call(0, [&](net::Core&) { return ask(*client_, count, taken); });
    return taken;
  }

 private:
  net::Runtime runtime_;
  net::StreamPtr client_, server_;
};

/// wait_and_read is one turn of a raw epoll loop; 0 at the end of the connection.
std::size_t wait_and_read(int loop, int socket, ByteSpan out) {
  for (;;) {
    epoll_event event{};
    if (::epoll_wait(loop, &event, 1, -1) < 1) continue;
    const auto got = ::recv(socket, out.data(), out.size(), MSG_DONTWAIT);
    if (got >= 0) return static_cast<std::size_t>(got);
  }
}

int epoll_of(int socket) {
  const int loop = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  must(loop >= 0 && ::epoll_ctl(loop, EPOLL_CTL_ADD, socket, &event) == 0, "no epoll");
  return loop;
}

void pin(std::size_t index) {
  cpu_set_t all, one;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) return;
  CPU_ZERO(&one);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &all) && index-- == 0) CPU_SET(cpu, &one);
  }
  if (CPU_COUNT(&one) == 1) (void)::sched_setaffinity(0, sizeof one, &one);
}

LatencyHistogram raw_rounds(std::uint64_t rounds) {
  const TcpOptions tcp{"cubic"};
  auto [listener, port] = listen_tcp(tcp);
  std::thread server{[&listener = listener] {
    pin(1);
    const auto socket = accept_tcp(listener);
    const int loop = epoll_of(socket.fd());
    Bytes buffer(16'384);
    while (const auto got = wait_and_read(loop, socket.fd(), buffer)) socket.write_all(buffer.data(), got);
    ::close(loop);
  }};
  LatencyHistogram taken;
  std::thread client{[&, port = port] {
    pin(0);
    const auto socket = dial_tcp(port, tcp);
    const int loop = epoll_of(socket.fd());
    Bytes message(message_bytes), answer(message_bytes);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      const auto start = now_ns();
      socket.write_all(message.data(), message.size());
      for (std::size_t back = 0; back < message_bytes;)
        back += wait_and_read(loop, socket.fd(), ByteSpan{answer}.subspan(back));
      taken.record(now_ns() - start);
    }
    ::close(loop);
  }};
  client.join();
  server.join();
  return taken;
}

double median_us(const LatencyHistogram& taken) { return static_cast<double>(taken.percentile(50)) * 1e-3; }

std::string medians(const Paired& outcome) {
  char text[64];
  std::snprintf(text, sizeof text, "p50 %.2f against %.2f us; ", outcome.a, outcome.b);
  return text + outcome.text();
}

}  // namespace

void run_rtt(const Options& options, Report& report) {
  const auto rounds = options.scaled(60'000, 6'000);
  const std::size_t pairs = options.quick ? 3 : 9;
  Tunnel tunnel;
  Bare bare;
  tunnel.rounds(rounds / 10);
  const auto all = tunnel.rounds(rounds);
  const auto floor = bare.rounds(rounds);
  const std::pair<const char*, double> points[] = {
      {"p50", 50}, {"p75", 75}, {"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9}, {"p99.99", 99.99}};
  for (const auto& [name, percent] : points) {
    char text[240];
    std::snprintf(
        text, sizeof text,
        "1 KB there and back, loopback TCP, outer none, AES-256-GCM, net runtime, two threads on two cores; "
        "the same without HTX takes %.1f us: a published figure below that is impossible here as printed",
        static_cast<double>(floor.percentile(percent)) * 1e-3);
    report.row("htx.rtt", name, {{"latency_us", static_cast<double>(all.percentile(percent)) * 1e-3}}, text);
  }
  const auto each = rounds / pairs + 1;
  const auto ours = [&] { return median_us(tunnel.rounds(each)); };
  const auto same = paired(pairs, ours, [&] { return median_us(bare.rounds(each)); });
  report.at_most(
      "htx.rtt", "p50_vs_same_runtime", same.ratio.median, "ratio", 1.7,
      "1 KB round trip, outer none, AES-256-GCM, over the same coroutines on the bare TCP stream of the same "
      "runtime, two threads on two cores, cubic, " +
          std::to_string(each * pairs) + " rounds each; " + medians(same));
  const auto raw = paired(pairs, ours, [&] { return median_us(raw_rounds(each)); });
  report.shown("htx.rtt", "p50_vs_raw_epoll", raw.ratio.median, "ratio",
               "the same over a raw epoll loop (epoll_wait, recv, send) on two cores; " + medians(raw));
}

}  // namespace village::bench
