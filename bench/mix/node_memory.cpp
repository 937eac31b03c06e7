// mix.resources, base_memory: what a whole daemon that mixes takes, 60 s after its start.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "mix/bench_mix.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

constexpr int seconds_wanted = 60, seconds_max = 240;

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Seen is the largest mix among the children of the demonstration.
struct Seen {
  double mb = 0;
  std::size_t sockets = 0;
  std::size_t mixes = 0;
};

void look_at(const std::string& pid, Seen& seen) {
  const std::filesystem::path process{"/proc/" + pid};
  const auto command = text_of(process / "cmdline");  // arguments end with zeros
  if (command.find("/mix") == std::string::npos ||
      command.find(std::string{"\0run\0", 5}) == std::string::npos)
    return;
  std::ifstream in{process / "statm"};
  std::uint64_t size = 0, pages = 0;
  in >> size >> pages;
  ++seen.mixes;
  const auto mb = static_cast<double>(pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) * 1e-6;
  if (mb <= seen.mb) return;
  seen.mb = mb;
  seen.sockets = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at{process / "fd", error}, end; !error && at != end;
       at.increment(error))
    seen.sockets += std::filesystem::read_symlink(at->path(), error).string().starts_with("socket:");
}

Seen look(pid_t demo) {
  const auto id = std::to_string(demo);
  std::ifstream children{"/proc/" + id + "/task/" + id + "/children"};
  Seen seen;
  for (std::string pid; children >> pid;) look_at(pid, seen);
  return seen;
}

}  // namespace

void run_node_memory(const Options& options, Report& report) {
  if (options.villaged.empty()) {
    report.not_run("mix.resources", "base_memory", "no --villaged given");
    return;
  }
  const auto demo = Child::spawn({options.villaged, "demo", "--only", "mix", "--json"});
  Seen last;
  int age = 0;
  for (int second = 1; second <= seconds_max; ++second) {
    std::this_thread::sleep_for(std::chrono::seconds{1});
    const auto now = look(demo.pid());
    if (now.mixes == 0 && last.mixes != 0) break;  // it is over
    if (now.mixes == 0) continue;
    last = now;
    if (++age >= seconds_wanted) break;
  }
  must(last.mixes != 0, "the demonstration started no mixes");
  const std::string how = "resident memory of the largest of " + std::to_string(last.mixes) +
                          " mixes of `villaged demo --only mix`, " + std::to_string(age) +
                          " s after their start, " + std::to_string(last.sockets) +
                          " sockets open, traffic running, little in the replay filter";
  report.row("mix.resources", "base_memory", {{"value", last.mb}}, how);
  report.at_most("mix.resources", "rss_mb", last.mb, "MB", 60, how);
}

}  // namespace village::bench
