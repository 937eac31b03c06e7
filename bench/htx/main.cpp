// Tables htx.*: one file for each.
#include "bench_htx.hpp"

int main(int argc, char** argv) {
  using namespace village::bench;
  const auto options = parse_options(argc, argv);
  Report report{"htx"};
  if (options.wants("htx.single_stream")) {
    if (options.wants_part("single_stream")) run_single_stream(options, report);
    if (options.wants_part("loopback")) run_loopback(options, report);
    if (options.wants_part("messages")) run_messages(options, report);
  }
  if (options.wants("htx.multi_stream")) {
    if (options.wants_part("multi_stream")) run_multi_stream(options, report);
    if (options.wants_part("many_streams")) run_many_streams(options, report);
    if (options.wants_part("wan")) run_wan(options, report);
  }
  if (options.wants("htx.rtt")) run_rtt(options, report);
  if (options.wants("htx.rtt")) run_handshakes(options, report);
  if (options.wants("htx.frame_ops")) run_frame_ops(options, report);
  if (options.wants("htx.memory")) run_memory(options, report);
  if (options.wants("htx.alloc")) run_alloc(options, report);
}
