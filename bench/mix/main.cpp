// Tables mix.*: one file for each.
#include "mix/bench_mix.hpp"

int main(int argc, char** argv) {
  using namespace village::bench;
  const auto options = parse_options(argc, argv);
  Report report{"mix"};
  if (options.wants("mix.single_core")) run_single_core(options, report);
}
