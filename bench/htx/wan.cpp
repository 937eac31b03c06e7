// wan_50ms_200mbit_utilisation: how much of a long line one stream fills, from the protocol's first windows.
#include <memory>

#include "link_pair.hpp"
#include "support/wan_relay.hpp"

namespace village::bench {
namespace {

constexpr WanRelay::Line line{};

boost::asio::awaitable<void> send_without_end(net::Core&, LinkPair::Stream stream) {
  Bytes piece(65'536);
  SeededRandom{41}.fill(piece);
  for (;;) {
    const auto written = co_await stream->write_all(piece);
    if (!written) co_return;
  }
}

/// utilisation reads for `seconds` after the first two and returns the share of the line that was data.
double utilisation(double seconds) {
  std::unique_ptr<WanRelay> relay;
  LinkPair::Shape shape;
  shape.client.stream_window_start = 32'768;
  shape.client.connection_window_start = 65'535;
  shape.socket.relay = [&relay](std::uint16_t port) {
    relay = std::make_unique<WanRelay>(port, line);
    return relay->port();
  };
  LinkPair pair{shape, [](net::Core& core, LinkPair::Stream stream) {
                  return send_without_end(core, std::move(stream));
                }};
  const auto stream = pair.open();
  return pair.run([stream, seconds](net::Core&) -> boost::asio::awaitable<double> {
    Bytes buffer(262'144);
    const std::byte ask{1};
    const auto asked = co_await stream->write_all(ByteView{&ask, 1});
    must(asked.has_value(), "cannot ask");
    const auto start = now_ns();
    const auto from = start + 2'000'000'000, until = from + static_cast<std::uint64_t>(seconds * 1e9);
    std::uint64_t bytes = 0, first = 0, last = 0;
    while (last < until) {
      const auto got = co_await stream->read_some(buffer);
      must(got.has_value() && *got > 0, "stream ended");
      last = now_ns();
      if (last < from) continue;
      if (first == 0) {
        first = last;
      } else {
        bytes += *got;
      }
    }
    co_return static_cast<double>(bytes) * 1e9 / static_cast<double>(last - first) / line.bytes_per_s;
  });
}

}  // namespace

void run_wan(const Options& options, Report& report) {
  std::vector<double> runs;
  for (int i = 0; i < (options.quick ? 1 : 3); ++i) runs.push_back(utilisation(options.quick ? 1 : 5));
  const auto middle = spread(runs);
  report.at_least(
      "htx.multi_stream", "wan_50ms_200mbit_utilisation", middle.median, "share of the line", 0.9,
      "one stream, outer none, through a relay of 25 ms and 200 Mbit/s each way with a buffer of 1.25 MB, "
      "windows from 32,768 (stream) and 65,535 (connection), data bytes of " +
          std::string{options.quick ? "1 s" : "5 s"} + " after the first 2 s; median of " +
          std::to_string(runs.size()) + ", " + std::to_string(middle.low) + ".." +
          std::to_string(middle.high));
}

}  // namespace village::bench
