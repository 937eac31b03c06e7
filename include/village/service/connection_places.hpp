#pragma once
// Places of limits that hold over all cores, and the share of them that neighbours in the address space may
// take.
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "village/net/address.hpp"

namespace village::service {

/// Place is one of a number of places shared by all cores; given back when the holder dies.
class Place {
 public:
  /// take gives nothing when all are taken. Any thread.
  static std::optional<Place> take(std::atomic<std::uint32_t>& taken, std::uint32_t places) {
    if (taken.fetch_add(1, std::memory_order_relaxed) < places) return Place{taken};
    taken.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  Place(Place&& other) noexcept : taken_{std::exchange(other.taken_, nullptr)} {}
  Place& operator=(Place&& other) noexcept {
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~Place() {
    if (taken_ != nullptr) taken_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  explicit Place(std::atomic<std::uint32_t>& taken) : taken_{&taken} {}
  std::atomic<std::uint32_t>* taken_;
};

/// AddressShares counts places by /24 (IPv4) and /56 (IPv6), in a fixed table under a secret hash: two
/// networks may meet in one cell (4,096 of them), so what is bounded is never more than the share. 16 KiB.
class AddressShares {
 public:
  AddressShares();
  /// take gives a place unless the neighbours of `from` have `share` of them. Any thread.
  std::optional<Place> take(const net::Ip& from, std::uint32_t share);

 private:
  static constexpr std::size_t cells = 4'096;
  std::uint64_t secret_;
  std::array<std::atomic<std::uint32_t>, cells> taken_{};
};

}  // namespace village::service
