#pragma once
// Heartbeat: proof that every core still turns. The supervisor starts a round, each core answers from its own
// event loop; only a complete round may feed the watchdog. No timers on the cores: an idle daemon stays idle.
#include <array>
#include <atomic>
#include <cstdint>

#include "village/base/check.hpp"
#include "village/base/limits.hpp"

namespace village::daemon {

class Heartbeat {
 public:
  explicit Heartbeat(std::size_t cores) : cores_{cores} {
    VG_CHECK(cores >= 1 && cores <= limits::cores_max);
  }
  std::size_t cores() const { return cores_; }
  /// begin_round returns the number that the cores must answer with. Supervisor only.
  std::uint64_t begin_round() { return ++round_; }
  /// answer is called on core `core`.
  void answer(std::size_t core, std::uint64_t round) {
    VG_CHECK(core < cores_);
    answers_[core].round.store(round, std::memory_order_relaxed);
  }
  /// missing is the number of the first core that has not answered the current round, cores() if all have.
  std::size_t missing() const {
    for (std::size_t i = 0; i < cores_; ++i) {
      if (answers_[i].round.load(std::memory_order_relaxed) != round_) return i;
    }
    return cores_;
  }
  bool complete() const { return missing() == cores_; }

 private:
  struct alignas(limits::cache_line_bytes) Answer {
    std::atomic<std::uint64_t> round{0};
  };
  std::size_t cores_;
  std::uint64_t round_ = 0;
  std::array<Answer, limits::cores_max> answers_{};
};

}  // namespace village::daemon
