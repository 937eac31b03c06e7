// mix.single_core: a whole worker (replay filter, delay queue, shuffled release) on one core against single
// X25519 of OpenSSL on the same core; and mix.scaling: two workers that keep each other's tags against one.
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <set>
#include <thread>

#include "mix/bench_mix.hpp"
#include "mix/node_load.hpp"
#include "village/crypto/cpu.hpp"

namespace village::bench {
namespace {

std::uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

/// queued_ns is how long this thread has been ready to run while others had its CPU.
std::uint64_t queued_ns() {
  unsigned long long ran = 0, queued = 0;
  auto* file = std::fopen("/proc/thread-self/schedstat", "r");
  must(file != nullptr && std::fscanf(file, "%llu %llu", &ran, &queued) == 2, "no schedstat");
  std::fclose(file);
  return queued;
}

/// Stretch is the time of a thread from its birth on.
class Stretch {
 public:
  double wall() const { return static_cast<double>(now_ns() - wall_); }
  double queued() const { return static_cast<double>(queued_ns() - queued_); }
  double cpu() const { return static_cast<double>(thread_cpu_ns() - cpu_); }

 private:
  std::uint64_t queued_ = queued_ns(), wall_ = now_ns(), cpu_ = thread_cpu_ns();
};

/// OwnCpu gives this thread a CPU and, where it may, a real-time priority: other programs then wait, for
/// less than the kernel's limit of 0.95 s in a second.
class OwnCpu {
 public:
  explicit OwnCpu(unsigned cpu) {
    pthread_getaffinity_np(pthread_self(), sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu % std::max(std::thread::hardware_concurrency(), 1U), &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    const sched_param first{1};
    (void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
  }
  ~OwnCpu() {
    const sched_param none{0};
    (void)pthread_setschedparam(pthread_self(), SCHED_OTHER, &none);
    pthread_setaffinity_np(pthread_self(), sizeof before_, &before_);
  }
  OwnCpu(const OwnCpu&) = delete;
  OwnCpu& operator=(const OwnCpu&) = delete;

 private:
  cpu_set_t before_{};
};

/// Rates are packets a second: of wall time, and of the threads' CPU time, each for itself. `quiet`: no
/// thread was ready and without a CPU for more than a hundredth of the time.
struct Rates {
  double wall = 0, cpu = 0;
  bool quiet = false;
};

constexpr auto rest = std::chrono::milliseconds{400};  // for the others, before a run with OwnCpu

/// Bell wakes a thread that sleeps until another worker has news for it, as the event loop of a node does.
class Bell {
 public:
  Bell() : event_{eventfd(0, EFD_NONBLOCK)} {}
  ~Bell() { close(event_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;
  void ring() {
    const std::uint64_t one = 1;
    if (waiting_.exchange(false)) must(write(event_, &one, sizeof one) == sizeof one, "no event");
  }
  /// arm makes ring count; look for news once more before wait.
  void arm() { waiting_ = true; }
  void disarm() { waiting_ = false; }
  void wait() {
    pollfd event{event_, POLLIN, 0};
    std::uint64_t count;
    if (poll(&event, 1, 1) == 1) must(read(event_, &count, sizeof count) == sizeof count, "no event");
  }

 private:
  int event_;
  std::atomic<bool> waiting_{false};
};

/// Pass sends a range of the load through one worker: submit, run, poll, done, as fast as it goes; then time
/// is moved on until the last packet has left.
class Pass {
 public:
  Pass(mix::Worker& worker, const NodeLoad& load, std::size_t begin, std::size_t end, Bell* own = nullptr,
       Bell* other = nullptr)
      : worker_{worker}, load_{load}, next_{begin}, end_{end}, own_{own}, other_{other} {
    if (other_ != nullptr) worker_.set_bell([this](std::uint64_t) { other_->ring(); });
  }

  bool step() {
    const auto now = instant() + skipped_;
    for (; next_ < end_ && !worker_.batch_full(); ++next_)
      must(
          worker_.submit(static_cast<mix::NeighbourIndex>(next_ % 16), load_.frame(next_), now, load_.wall()),
          "frame refused");
    if (next_ == end_) {
      worker_.stop();
      // Not while a batch waits for the other worker's answer: its packets would be late.
      if (worker_.in_flight() == worker_.held()) skipped_ += std::chrono::milliseconds{1};
    }
    worker_.run(now);
    collect();
    if (worker_.take_wakeups() != 0 && other_ != nullptr) other_->ring();
    if (stuck() && own_ != nullptr) {  // all batches wait for the other worker
      own_->arm();
      worker_.run(instant() + skipped_);
      collect();
      if (worker_.take_wakeups() != 0 && other_ != nullptr) other_->ring();
      stuck() ? own_->wait() : own_->disarm();
    }
    return next_ < end_ || worker_.in_flight() > 0;
  }
  std::size_t released() const { return released_; }

 private:
  bool stuck() const {
    return worker_.batch_full() || (next_ == end_ && worker_.in_flight() > worker_.held());
  }
  void collect() {
    for (std::size_t count; (count = worker_.poll_released(out_)) > 0;) {
      for (const auto& item : std::span{out_}.first(count)) {
        keep(item.frame.back());
        worker_.done(item.held);
      }
      released_ += count;
    }
  }
  mix::Worker& worker_;
  const NodeLoad& load_;
  std::size_t next_, end_, released_ = 0;
  Duration skipped_{0};
  Bell* own_;
  Bell* other_;
  std::array<mix::Released, 64> out_;
};

/// check_sample compares what a worker makes of some packets, byte for byte, with sphinx::unwrap.
void check_sample(NodeLoad& load) {
  mix::WorkerMesh mesh{1};
  mix::Worker worker{load.options(), mesh, 0, load.random(), instant()};
  load.install(worker);
  std::set<std::string> expected;
  const auto start = instant();
  for (std::size_t i = 0; i < load.size(); i += load.size() / 100) {
    expected.insert(to_hex(load.unwrapped(i)));
    must(worker.submit(0, load.frame(i), start, load.wall()), "frame refused");
  }
  std::array<mix::Released, 64> out;
  for (auto now = start; worker.in_flight() > 0; now += std::chrono::milliseconds{1}) {
    worker.run(now);
    for (std::size_t count; (count = worker.poll_released(out)) > 0;)
      for (const auto& item : std::span{out}.first(count)) {
        must(expected.erase(to_hex(item.frame)) == 1, "the worker's packet differs");
        worker.done(item.held);
      }
  }
  must(expected.empty(), "packets lost");
}

Rates one_worker(NodeLoad& load) {
  mix::WorkerMesh mesh{1};
  mix::Worker worker{load.options(), mesh, 0, load.random(), instant()};
  load.install(worker);
  Pass pass{worker, load, 0, load.size()};
  std::this_thread::sleep_for(rest);
  const OwnCpu own{0};
  const Stretch time;
  while (pass.step()) {
  }
  const auto cpu = time.cpu(), wall = time.wall(), queued = time.queued();
  const auto late = worker.counters().drops[mix::Drop::late];
  must(pass.released() + late == load.size() && late * 100 <= load.size(), "packets lost");
  must(worker.counters().drops.total() == late, "packets dropped");
  const auto count = static_cast<double>(load.size()) * 1e9;
  return {count / wall, count / cpu, queued < wall / 100};
}

/// two_workers gives the same for two threads. Not joined, they are two nodes that know nothing of each
/// other: what this machine's two CPUs can do together.
Rates two_workers(NodeLoad& load, bool joined) {
  mix::WorkerMesh mesh{2}, apart[2]{mix::WorkerMesh{1}, mix::WorkerMesh{1}};
  std::array<std::unique_ptr<mix::Worker>, 2> workers;
  for (std::uint32_t i = 0; i < 2; ++i) {
    workers[i] = std::make_unique<mix::Worker>(load.options(), joined ? mesh : apart[i], joined ? i : 0,
                                               load.random(), instant());
    load.install(*workers[i]);
  }
  struct Side {
    double wall = 0, queued = 0, cpu = 0;
  };
  std::array<Side, 2> sides;
  std::array<Bell, 2> bells;
  std::atomic<int> ready{0}, running{2};
  std::atomic<std::uint64_t> dropped{0};
  const auto half = load.size() / 2;
  std::this_thread::sleep_for(rest);
  const auto work = [&](std::size_t self) {
    const OwnCpu own{static_cast<unsigned>(self)};
    Pass pass{*workers[self], load, self * half, (self + 1) * half, &bells[self], &bells[1 - self]};
    ++ready;
    while (ready < 2) std::this_thread::yield();
    const Stretch time;
    while (pass.step()) {
    }
    sides[self] = {time.wall(), time.queued(), time.cpu()};
    --running;
    while (running > 0) {  // still answers the other
      workers[self]->run(instant());
      if (workers[self]->take_wakeups() != 0) bells[1 - self].ring();
      std::this_thread::yield();
    }
    dropped += workers[self]->counters().drops.total();
    must(!joined || workers[self]->counters().tags_answered > half / 3, "nobody asked about tags");
  };
  std::thread other{[&] { work(1); }};
  work(0);
  other.join();
  must(dropped * 100 <= load.size(), "packets lost");
  // The slower thread's time counts, also what it waits for the other.
  const auto& [a, b] = sides;
  const auto each = static_cast<double>(half) * 1e9;
  const auto wall = std::max(a.wall, b.wall);
  return {2 * each / wall, each / a.cpu + each / b.cpu, std::max(a.queued, b.queued) < wall / 100};
}

/// openssl_x25519 gives shared secrets per second, as `openssl speed` computes them.
double openssl_x25519(std::size_t count) {
  auto* own = EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519");
  auto* peer = EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519");
  auto* context = EVP_PKEY_CTX_new(own, nullptr);
  must(EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1, "no X25519");
  unsigned char secret[32];
  const auto start = thread_cpu_ns();
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t size = sizeof secret;
    must(EVP_PKEY_derive(context, secret, &size) == 1, "derive failed");
    keep(secret[0]);
  }
  const auto rate = static_cast<double>(count) * 1e9 / static_cast<double>(thread_cpu_ns() - start);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(peer);
  EVP_PKEY_free(own);
  return rate;
}

/// alone_us is what a packet costs that comes alone: a batch of one.
double alone_us(const NodeLoad& load) {
  sphinx::UnwrapBatch batch{1'700};
  Bytes frame(NodeLoad::frame_bytes);
  constexpr std::size_t count = 1'000;
  const auto start = thread_cpu_ns();
  for (std::size_t i = 0; i < count; ++i) {
    std::ranges::copy(load.frame(i), frame.begin());
    const std::array<ByteSpan, 1> packet{ByteSpan{frame}.subspan(mix::frame_header_bytes)};
    batch.finish(batch.open(load.keys()->sphinx_private, packet));
  }
  return static_cast<double>(thread_cpu_ns() - start) * 1e-3 / count;
}

}  // namespace

void run_worker_rate(const Options& options, Report& report) {
  NodeLoad load{options.scaled(65'536)};
  const auto count = options.scaled(30'000);
  for (const auto level : crypto::available_cpu_levels()) {
    crypto::use_cpu_level(level);
    check_sample(load);
    const auto pair = paired(
        options.quick ? 3 : 9, [&] { return one_worker(load).cpu; }, [&] { return openssl_x25519(count); });
    const std::string how =
        "one thread: " + std::to_string(load.size()) +
        " distinct 3-hop packets through a worker (admission, unwrap in batches of 64, replay "
        "filter, delay queue, shuffled release), against EVP_PKEY_derive, both by the thread's own clock; " +
        pair.text();
    const auto suffix = std::string{crypto::name(level)};
    if (level == crypto::CpuLevel::ifma) {
      report.at_least("mix.single_core", "unwrap_vs_openssl_x25519", pair.ratio.median, "ratio", 1.45, how);
    } else {
      report.shown("mix.single_core", "unwrap_vs_openssl_x25519_" + suffix, pair.ratio.median, "ratio", how);
    }
    report.shown("mix.single_core", "worker_packets_per_s_" + suffix, pair.a, "1/s",
                 "median of the same runs");
    report.shown("mix.single_core", "packet_alone_us_" + suffix, alone_us(load), "us",
                 "a batch of one packet, as at low rates");
  }
  const auto levels = crypto::available_cpu_levels();
  if (levels.back() != crypto::CpuLevel::ifma)
    report.check_not_run("mix.single_core", "unwrap_vs_openssl_x25519", "ratio", ">=1.45",
                         "no AVX-512 IFMA here");
  crypto::use_cpu_level(levels.back());
}

void run_scaling(const Options& options, Report& report) {
  NodeLoad load{65'536};
  const std::size_t rounds = options.quick ? 3 : 9;
  std::vector<double> ones, twos, walls, cpus, nodes, all_walls;
  one_worker(load);
  std::size_t tried = 0;
  for (; tried < 3 * rounds && walls.size() < rounds; ++tried) {
    const auto one = one_worker(load);
    const auto two = two_workers(load, true);
    const auto apart = two_workers(load, false);
    all_walls.push_back(two.wall / one.wall);
    cpus.push_back(two.cpu / one.cpu);
    if (one.quiet && apart.quiet) nodes.push_back(apart.wall / one.wall);
    if (!one.quiet || !two.quiet) continue;
    ones.push_back(one.wall);
    twos.push_back(two.wall);
    walls.push_back(two.wall / one.wall);
  }
  const auto quartiles = [](const std::vector<double>& figures) {
    const auto s = spread(figures);
    return "; median of " + std::to_string(figures.size()) + ", quartiles " +
           std::to_string(s.low).substr(0, 5) + ".." + std::to_string(s.high).substr(0, 5);
  };
  const auto method = "packets by wall time until the slower thread ends, in " +
                      std::to_string(walls.size()) + " of " + std::to_string(tried) +
                      " rounds in which no thread lacked a CPU for more than 1 % of the time (schedstat); "
                      "each thread has a CPU "
                      "and, where that is allowed, a real-time priority";
  const auto* const table = "mix.scaling";
  for (const auto* key : {"4", "8", "12", "16"})
    report.not_run(table, key,
                   "this machine has " + std::to_string(std::thread::hardware_concurrency()) + " CPUs");
  report.shown(
      table, "two_cores_vs_one_cpu", spread(cpus).median, "ratio",
      "all rounds by CPU time of each thread: does not see the waits for each other" + quartiles(cpus));
  report.shown(table, "two_cores_vs_one_all_rounds", spread(all_walls).median, "ratio",
               "all rounds by wall time, whatever else ran" + quartiles(all_walls));
  if (walls.empty()) {
    for (const auto* key : {"1", "2"}) report.not_run(table, key, "no round without other programs");
    return report.check_not_run(table, "two_cores_vs_one", "ratio", ">=1.8",
                                "no round without other programs; see two_cores_vs_one_cpu");
  }
  const auto ratio = spread(walls).median;
  report.row(table, "1", {{"packets_per_s", spread(ones).median}, {"efficiency_pct", 100.0}, {"factor", 1.0}},
             method);
  report.row(table, "2",
             {{"packets_per_s", spread(twos).median}, {"efficiency_pct", ratio * 50}, {"factor", ratio}},
             "half of the tags are the other worker's; " + method);
  report.at_least(
      table, "two_cores_vs_one", ratio, "ratio", 1.8,
      "two workers in two threads, each asking the other about half of its tags, over one worker; " + method +
          quartiles(walls));
  if (nodes.empty()) return;
  report.shown(
      table, "two_nodes_vs_one", spread(nodes).median, "ratio",
      "two threads that share no tags, the same way: what both CPUs give together" + quartiles(nodes));
}

}  // namespace village::bench
