// htx.multi_stream: 100,000 open streams against 32, in memory, one core.
#include <algorithm>

#include "bench_htx.hpp"

namespace village::bench {
namespace {

constexpr std::size_t many = 100'000, few = 32;

htx::Settings roomy() {
  htx::Settings settings;
  settings.peer_streams_max = many;
  return settings;
}

/// Crowd is a session with `count` streams that have all carried a byte.
class Crowd {
 public:
  explicit Crowd(std::size_t count) : pair_{htx::Suite::xk_aesgcm_sha256, roomy()} {
    const ByteArray<1> byte{};
    streams_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      streams_.push_back(pair_.open());
      must(pair_.client().send(streams_.back(), byte, false) == 1, "no room");
      if (i % 64 == 63) pair_.pump();
    }
    pair_.pump();
    must(pair_.server().statistics().streams_open == count, "streams are missing");
  }
  /// in_turn lets `group` streams at a time send a message, stream after stream, until `messages` went.
  /// Returns bytes/s.
  double in_turn(std::size_t group, std::size_t messages, ByteView message) {
    std::uint64_t arrived = 0, sum = 0;
    const auto count = [&](htx::StreamId, ByteView data) { sum += static_cast<std::uint64_t>(data.back()); };
    const auto start = now_ns();
    for (std::size_t sent = 0; sent < messages;) {
      const auto end = std::min(sent + group, messages);
      for (; sent < end; ++sent) {
        must(pair_.client().send(streams_[next_], message, false) == message.size(), "no room");
        if (++next_ == streams_.size()) next_ = 0;
      }
      arrived += pair_.pump(count);
    }
    keep(sum);
    must(arrived == messages * message.size(), "bytes lost");
    return static_cast<double>(arrived) * 1e9 / static_cast<double>(now_ns() - start);
  }

 private:
  JoinedSessions pair_;
  std::vector<htx::StreamId> streams_;
  std::size_t next_ = 0;
};

}  // namespace

void run_many_streams(const Options& options, Report& report) {
  Crowd crowd{many}, handful{few};
  Bytes message(16'384);
  SeededRandom{31}.fill(message);
  const auto pairs = options.quick ? 3U : 9U;
  const auto turn = paired(
      pairs, [&] { return crowd.in_turn(few, many, message); },
      [&] { return handful.in_turn(few, many, message); });
  report.at_least(
      "htx.multi_stream", "streams_100000_vs_32", turn.ratio.median, "ratio", 0.85,
      "100,000 open streams, each sends 16 KiB in turn, 32 having data at once, over 32 open streams with "
      "as many bytes; in memory, AES-256-GCM, one core; " +
          turn.text());
  const auto little = ByteView{message}.first(1024);
  const auto full = paired(
      pairs, [&] { return crowd.in_turn(many, 2 * many, little); },
      [&] { return handful.in_turn(few, 2 * many, little); });
  report.at_least(
      "htx.multi_stream", "streams_100000_vs_32_backlogged", full.ratio.median, "ratio", 0.85,
      "all 100,000 streams backlogged by 1 KiB (queued, then drained), over 32 streams backlogged by 1 KiB, "
      "as many bytes; in memory, AES-256-GCM, one core; " +
          full.text());
}

}  // namespace village::bench
