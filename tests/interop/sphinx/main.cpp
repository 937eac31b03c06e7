// village_sphinx_interop PEER [COUNT]: our packets beside those of crate sphinx-packet 0.6.0. COUNT (default
// 500, or $VILLAGE_INTEROP_PACKETS) is the number of packets each way, $VILLAGE_INTEROP_SEED (20) makes
// others. Exit 0: all as expected; 1: something differed.
#include <algorithm>
#include <cstdlib>

#include "interop/sphinx/both_ways.hpp"
#include "interop/sphinx/damaged.hpp"

namespace {

std::uint64_t count_of(int argc, char** argv) {
  const char* const wanted = argc > 2 ? argv[2] : std::getenv("VILLAGE_INTEROP_PACKETS");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 500;
}

std::uint64_t seed_of_run() {
  const char* const wanted = std::getenv("VILLAGE_INTEROP_SEED");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 20;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace village::interop;
  const auto count = count_of(argc, argv);
  if (argc < 2 || count == 0) {
    std::fprintf(stderr, "usage: %s PEER [COUNT]\n", argv[0]);
    return 2;
  }
  CratePeer peer{argv[1]};
  const auto seed = seed_of_run();
  Comparison both{peer, seed};
  const auto run = [&](const char* what, std::uint64_t times, void (*one)(Comparison&)) {
    const auto compared = both.compared, failed = both.failed;
    for (std::uint64_t i = 0; i < times; ++i) one(both);
    std::printf("%-22s %6llu cases, %7llu comparisons, %llu failed\n", what,
                static_cast<unsigned long long>(times),
                static_cast<unsigned long long>(both.compared - compared),
                static_cast<unsigned long long>(both.failed - failed));
  };
  const auto few = std::max<std::uint64_t>(1, count / 100);
  run("our packets", count, our_packet);
  run("their packets", count, their_packet);
  run("replies to our surbs", count, reply_to_our_surb);
  run("replies to their surbs", count, reply_to_their_surb);
  run("replies in our form", count, reply_in_our_form);
  run("surbs of any length", 1, surb_of_any_length);
  run("damaged bits", few, damaged_bits);
  run("damaged lengths", 1, damaged_lengths);
  run("forged slots", 1, forged_slots);
  run("forged points", few, forged_points);
  run("forged payloads", few, forged_payloads);
  for (const auto& [reason, times] : both.stricter)
    std::printf("refused by us alone: %-14s %llu\n", reason.c_str(), static_cast<unsigned long long>(times));
  std::printf("sphinx interop: %llu comparisons, %llu failed (seed %llu)\n",
              static_cast<unsigned long long>(both.compared), static_cast<unsigned long long>(both.failed),
              static_cast<unsigned long long>(seed));
  return both.failed == 0 ? 0 : 1;
}
