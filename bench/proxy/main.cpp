// Tables proxy.baseline and proxy.stress: direct TCP on loopback in the published shapes, and the relay
// check.
#include "bench_proxy.hpp"

int main(int argc, char** argv) {
  const auto options = village::bench::parse_options(argc, argv);
  village::bench::Report report{"proxy"};
  if (options.wants("proxy.baseline")) village::bench::run_baseline(options, report);
  if (options.wants("proxy.stress")) village::bench::run_stress(options, report);
  if (options.wants("proxy.baseline")) village::bench::run_relay(options, report);
}
