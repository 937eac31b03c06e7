#pragma once
// Places of limits that hold over all cores, and the share of them that neighbours in the address space may
// take.
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "village/crypto/ed25519.hpp"
#include "village/net/address.hpp"

namespace village::service {

/// Place is one of a number of places shared by all cores, and others joined to it; given back when the
/// holder dies.
class Place {
 public:
  /// take gives nothing when all are taken. Any thread.
  static std::optional<Place> take(std::atomic<std::uint32_t>& taken, std::uint32_t places) {
    if (taken.fetch_add(1, std::memory_order_relaxed) < places) return Place{taken};
    taken.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  Place(Place&& other) noexcept : taken_{std::exchange(other.taken_, {})} {}
  Place& operator=(Place&& other) noexcept {
    std::swap(taken_, other.taken_);
    return *this;
  }
  ~Place() {
    for (auto* const taken : taken_) {
      if (taken != nullptr) taken->fetch_sub(1, std::memory_order_relaxed);
    }
  }
  /// join makes `other` be given back with this one. Two at most.
  void join(Place other) {
    for (auto& taken : taken_) {
      if (taken == nullptr) {
        taken = std::exchange(other.taken_[0], nullptr);
        return;
      }
    }
  }

 private:
  explicit Place(std::atomic<std::uint32_t>& taken) : taken_{&taken, nullptr, nullptr} {}
  std::array<std::atomic<std::uint32_t>*, 3> taken_;
};

/// Neighbourhood is how much of an address counts as one neighbourhood.
struct Neighbourhood {
  std::size_t v4_bytes, v6_bytes;
};
inline constexpr Neighbourhood near_network{3, 7};  ///< /24 and /56: one customer or site
inline constexpr Neighbourhood wide_network{
    2, 4};  ///< /16 and /32: one provider, or a crowd that spreads its addresses

/// network_of is the network of an address as a number; no network of one family is that of the other.
std::uint64_t network_of(const net::Ip& from, Neighbourhood width);

/// Shares counts places by whose they are, in a fixed table under a secret hash: two holders may meet in one
/// cell (4,096 of them), so what is bounded is never more than the share. 16 KiB.
class Shares {
 public:
  Shares();
  /// take gives a place unless `holder` has `share` of them. Any thread.
  std::optional<Place> take(std::uint64_t holder, std::uint32_t share);

 private:
  static constexpr std::size_t cells = 4'096;
  std::uint64_t secret_;
  std::array<std::atomic<std::uint32_t>, cells> taken_{};
};

/// AddressShares are the shares of networks.
class AddressShares {
 public:
  explicit AddressShares(Neighbourhood network = near_network) : network_{network} {}
  /// take gives a place unless the neighbours of `from` have `share` of them. Any thread.
  std::optional<Place> take(const net::Ip& from, std::uint32_t share) {
    return shares_.take(network_of(from, network_), share);
  }

 private:
  Neighbourhood network_;
  Shares shares_;
};

/// PeerShares are the shares of nodes.
class PeerShares {
 public:
  /// take gives a place unless the node has `share` of them. Any thread.
  std::optional<Place> take(const crypto::Ed25519Public& node, std::uint32_t share);

 private:
  Shares shares_;
};

}  // namespace village::service
