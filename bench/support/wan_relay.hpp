#pragma once
// WanRelay: a long line in user space. What one side writes arrives at the other `delay` later and never
// faster than `bytes_per_s`; at most `buffer_bytes` wait for the line, then the relay stops reading (TCP
// pushes back).
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "support/sockets.hpp"

namespace village::bench {

class WanRelay {
 public:
  struct Line {
    std::chrono::nanoseconds delay = std::chrono::milliseconds{25};  ///< each way
    double bytes_per_s = 25e6;                                       ///< each way
    std::size_t buffer_bytes = 1'250'000;                            ///< one bandwidth-delay product of 50 ms
  };
  /// Passes one connection on to 127.0.0.1:`target`.
  WanRelay(std::uint16_t target, const Line& line);
  ~WanRelay();
  WanRelay(const WanRelay&) = delete;
  WanRelay& operator=(const WanRelay&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  void run();
  Line line_;
  std::uint16_t target_;
  Socket listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace village::bench
