// mix.single_core: what one core unwraps, with each of the three kernels in turn, alone and beside crate
// sphinx-packet 0.6.0. Both sides get the same packets as bytes and give bytes; every result is compared.
#include <unistd.h>

#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <memory>

#include "interop/sphinx/crate_peer.hpp"
#include "mix/bench_mix.hpp"
#include "mix/packet_set.hpp"
#include "village/crypto/cpu.hpp"
#include "village/mix/replay_filter.hpp"

namespace village::bench {
namespace {

using crypto::CpuLevel;
using sphinx::Phase;

const std::string table = "mix.single_core";
constexpr std::size_t pairs = 9;
constexpr const char* phase_names[] = {"gather", "exchange", "expand",  "mac",
                                       "slot",   "blind",    "payload", "output"};

/// Slices walks through the packets, an eighth at a time, so that nine runs meet all of them.
struct Slices {
  std::size_t slice, count, next = 0;
  explicit Slices(std::size_t size) : slice{size / 8}, count{8} {}
  std::size_t first() { return next++ % count * slice; }
};

/// Seconds is the time of each phase of many batches.
struct Seconds final : sphinx::PhaseProbe {
  std::array<double, 8> of{};
  double last = 0;
  void begin() { last = thread_seconds(); }
  void ended(Phase phase) override {
    const auto now = thread_seconds();
    of[static_cast<std::size_t>(phase)] += now - last;
    last = now;
  }
};

void expect_all_forward(PacketSet& set) {
  sphinx::UnwrapBatch batch{sphinx::limits::payload_bytes_n2048};
  std::size_t forward = 0;
  set.unwrap(batch, 0, set.size(), [&](const sphinx::UnwrapBatch& read, std::uint64_t good) {
    for (std::size_t i = 0; i < 64; ++i)
      forward += (good >> i & 1) != 0 && !read.routing(i).last && read.routing(i).delay_ns != 0 ? 1 : 0;
    return good;
  });
  must(forward == set.size(), "a packet is not a forward packet for this node");
}

double our_rate(PacketSet& set, sphinx::UnwrapBatch& batch, Slices& slices) {
  const auto first = slices.first();
  const auto start = thread_seconds();
  set.unwrap(batch, first, slices.slice);
  return static_cast<double>(slices.slice) / (thread_seconds() - start);
}

/// Crate is the peer, loaded with the packets.
class Crate {
 public:
  Crate(const std::string& program, const PacketSet& set) : peer_{program} {
    folder_ = std::filesystem::temp_directory_path() / ("bench_mix." + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    const auto inputs = (folder_ / "in").string();
    std::ofstream{inputs, std::ios::binary}.write(reinterpret_cast<const char*>(set.inputs().data()),
                                                  static_cast<std::streamsize>(set.inputs().size()));
    const auto body =
        interop::Body{}.number(PacketSet::packet_bytes, 4).bytes(set.key().view()).bytes(as_bytes(inputs));
    must(peer_.ask('l', body).done, "the crate's program cannot read the packets");
  }
  Crate(const Crate&) = delete;
  Crate& operator=(const Crate&) = delete;
  ~Crate() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  double rate(Slices& slices) {
    const auto answer = peer_.ask('b', interop::Body{}.number(slices.first(), 4).number(slices.slice, 4));
    must(answer.done && answer.body.size() == 8, "the crate refuses a packet");
    std::uint64_t ns = 0;
    for (std::size_t i = 0; i < 8; ++i) ns |= std::to_integer<std::uint64_t>(answer.body[i]) << (8 * i);
    return static_cast<double>(slices.slice) / (static_cast<double>(ns) * 1e-9);
  }

  /// expect_same compares every result of the crate with ours.
  void expect_same(ByteView ours) {
    const auto path = (folder_ / "out").string();
    must(peer_.ask('w', interop::Body{}.bytes(as_bytes(path))).done, "the crate's program cannot write");
    std::ifstream in{path, std::ios::binary};
    Bytes theirs(ours.size());
    in.read(reinterpret_cast<char*>(theirs.data()), static_cast<std::streamsize>(theirs.size()));
    must(in.gcount() == static_cast<std::streamsize>(ours.size()) &&
             std::equal(ours.begin(), ours.end(), theirs.begin()),
         "our results and the crate's differ");
  }

 private:
  interop::CratePeer peer_;
  std::filesystem::path folder_;
};

double target_of(CpuLevel level) {
  return level == CpuLevel::ifma ? 3.5 : level == CpuLevel::avx2 ? 1.6 : 1.0;
}

std::string check_of(CpuLevel level) {
  const std::string stem = "unwrap_vs_sphinx_packet_crate";
  return level == CpuLevel::ifma ? stem : stem + "_" + std::string{name(level)};
}

bool is_available(CpuLevel level) {
  const auto levels = crypto::available_cpu_levels();
  return std::find(levels.begin(), levels.end(), level) != levels.end();
}

void beside_crate(const Options& options, Report& report, PacketSet& set) {
  const auto program = options.peers.empty() ? std::string{} : options.peers + "/sphinx-peer";
  const bool present = !program.empty() && std::filesystem::exists(program);
  const auto crate = present ? std::make_unique<Crate>(program, set) : nullptr;
  for (const auto level : {CpuLevel::portable, CpuLevel::avx2, CpuLevel::ifma}) {
    char target[16];
    std::snprintf(target, sizeof target, ">=%g", target_of(level));
    if (!present || !is_available(level)) {
      report.check_not_run(
          table, check_of(level), "ratio", target,
          present ? "this CPU has no such kernel" : "no sphinx-peer among the peers (needs cargo)");
      continue;
    }
    crypto::use_cpu_level(level);
    sphinx::UnwrapBatch batch{sphinx::limits::payload_bytes_n2048};
    Slices ours{set.size()}, theirs{set.size()};
    const auto outcome = paired(
        pairs, [&] { return our_rate(set, batch, ours); }, [&] { return crate->rate(theirs); });
    crate->expect_same(set.outputs());
    report.at_least(
        table, check_of(level), outcome.ratio.median, "ratio", target_of(level),
        "kernel " + std::string{name(level)} +
            ", 64 packets a batch, against crate sphinx-packet 0.6.0 (target-cpu=native, "
            "LTO, opt-level 3); bytes in, parse, unwrap, bytes out, one thread each by its own clock, " +
            std::to_string(set.size()) + " packets of 3 hops, all results equal; " + outcome.text());
    report.shown(table, "unwrap_" + std::string{name(level)} + "_per_s", outcome.a, "1/s",
                 "median of the pairs");
    report.shown(table, "crate_beside_" + std::string{name(level)} + "_per_s", outcome.b, "1/s",
                 "median of the pairs");
  }
}

/// phases is where the time of one packet goes.
void phases(Report& report, PacketSet& set, CpuLevel level) {
  crypto::use_cpu_level(level);
  sphinx::UnwrapBatch batch{sphinx::limits::payload_bytes_n2048};
  Seconds seconds;
  batch.probe(&seconds);
  const auto count = std::min<std::size_t>(set.size(), 16'384);
  seconds.begin();
  set.unwrap(batch, 0, count);
  for (std::size_t i = 0; i < seconds.of.size(); ++i)
    report.shown(table, "phase_" + std::string{phase_names[i]} + "_" + std::string{name(level)} + "_ns",
                 seconds.of[i] * 1e9 / static_cast<double>(count), "ns",
                 "share of one packet in batches of 64");
}

/// judged unwraps everything once, with a replay filter that has seen nothing; returns how many it let
/// through.
std::uint64_t judged(PacketSet& set, sphinx::UnwrapBatch& batch, mix::ReplayFilter& filter) {
  std::uint64_t fresh = 0;
  set.unwrap(batch, 0, set.size(), [&](const sphinx::UnwrapBatch& read, std::uint64_t good) {
    std::array<mix::Fingerprint, sphinx::limits::batch_packets_max>
        tags;  // all are good: the index is the row
    for (std::size_t i = 0; i < tags.size(); ++i) tags[i] = mix::fingerprint(read.tag(i));
    const auto survivors = good & filter.insert(tags).fresh;
    fresh += static_cast<std::uint64_t>(std::popcount(survivors));
    return survivors;
  });
  return fresh;
}

/// alone is the published row: the best kernel, with replay detection, every packet once.
void alone(Report& report, PacketSet& set) {
  sphinx::UnwrapBatch batch{sphinx::limits::payload_bytes_n2048};
  std::vector<double> rates, cpu;
  for (std::size_t i = 0; i < pairs; ++i) {
    mix::ReplayFilter filter{1};
    const auto wall = now_ns();
    const auto start = thread_seconds();
    const auto fresh = judged(set, batch, filter);
    const auto used = thread_seconds() - start;
    must(fresh + 10 >= set.size(), "fresh packets are taken for replays");  // 5 in a million are
    rates.push_back(static_cast<double>(set.size()) / used);
    cpu.push_back(100 * used / (static_cast<double>(now_ns() - wall) * 1e-9));
  }
  const auto rate = spread(rates);
  char spread_text[64];
  std::snprintf(spread_text, sizeof spread_text, "quartiles %.0f..%.0f of %zu runs", rate.low, rate.high,
                pairs);
  report.row(table, "2048",
             {{"packets_per_s", rate.median},
              {"MB_per_s", rate.median * PacketSet::packet_bytes * 1e-6},
              {"cpu_pct", spread(cpu).median}},
             "whole unwraps and replay detection, every packet once, kernel " +
                 std::string{name(crypto::cpu_level())} + ", by the thread's own clock; " + spread_text +
                 "; cpu_pct is what others on this machine left of one core");
}

}  // namespace

void run_single_core(const Options& options, Report& report) {
  const bool wanted =
      options.wants_part("alone") || options.wants_part("crate") || options.wants_part("phases");
  if (!wanted) return;
  const auto before = crypto::cpu_level();
  PacketSet set{options.scaled(65'536, 8'192) & ~std::uint64_t{511}};
  expect_all_forward(set);
  if (options.wants_part("alone")) alone(report, set);
  if (options.wants_part("crate")) beside_crate(options, report, set);
  if (options.wants_part("phases")) {
    for (const auto level : crypto::available_cpu_levels()) phases(report, set, level);
  }
  crypto::use_cpu_level(before);
}

}  // namespace village::bench
