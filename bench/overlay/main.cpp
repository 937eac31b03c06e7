// overlay.kpi: rows of systems that are built, taken from the whole daemon; and the resident memory of an
// idle node.
#include <chrono>
#include <thread>

#include "support/node_pair.hpp"
#include "support/report.hpp"

namespace village::bench {
namespace {

void idle_memory(const Options& options, Report& report) {
  if (options.villaged.empty()) {
    report.not_run("overlay.kpi", "idle_rss_mb", "no --villaged given");
    return;
  }
  const NodePair nodes{options.villaged, {.outer = "tls", .cores = 0}};
  std::this_thread::sleep_for(std::chrono::seconds{options.quick ? 3 : 10});
  const auto mb = [](std::uint64_t bytes) { return static_cast<double>(bytes) * 1e-6; };
  const double worse = std::max(mb(nodes.exit_resident_bytes()), mb(nodes.entry_resident_bytes()));
  report.at_most("overlay.kpi", "idle_rss_mb", worse, "MB", 40,
                 "resident memory of the larger of an idle exit and an idle entry, outer tls, one thread for "
                 "each CPU, seconds "
                 "after the start");
}

}  // namespace
}  // namespace village::bench

int main(int argc, char** argv) {
  using namespace village::bench;
  const auto options = parse_options(argc, argv);
  Report report{"overlay"};
  if (options.wants("overlay.kpi")) idle_memory(options, report);
}
