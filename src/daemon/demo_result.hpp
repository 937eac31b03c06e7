#pragma once
// DemoResult: one transport's row of `villaged demo`.
#include <cstdint>
#include <string>
#include <vector>

namespace village::daemon {

/// DemoResult is one transport's row; `facts` are lines for a human.
struct DemoResult {
  std::string transport;
  bool verified = false;
  std::uint64_t bytes = 0, items = 0;
  double seconds = 0;
  std::string note;
  std::vector<std::string> facts;
};

}  // namespace village::daemon
