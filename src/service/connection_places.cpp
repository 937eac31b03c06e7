#include "village/service/connection_places.hpp"

#include <cstring>

#include "village/crypto/random.hpp"

namespace village::service {

std::uint64_t network_of(const net::Ip& from, Neighbourhood width) {
  const auto ip = net::unmapped(from);
  std::uint64_t network = 0;
  if (const auto* v4 = std::get_if<Ipv4Address>(&ip)) {
    for (std::size_t i = 0; i < width.v4_bytes; ++i)
      network = network << 8 | std::to_integer<std::uint64_t>((*v4)[i]);
    return network;
  }
  const auto& v6 = std::get<Ipv6Address>(ip);
  for (std::size_t i = 0; i < width.v6_bytes; ++i)
    network = network << 8 | std::to_integer<std::uint64_t>(v6[i]);
  return network | std::uint64_t{1} << 63;
}

Shares::Shares() : secret_{crypto::SystemRandom{}.u64() | 1} {}

std::optional<Place> Shares::take(std::uint64_t holder, std::uint32_t share) {
  auto mixed = holder ^ secret_;  // two rounds of multiply and fold by a secret factor
  mixed = (mixed ^ mixed >> 32) * secret_;
  mixed = (mixed ^ mixed >> 29) * secret_;
  return Place::take(taken_[mixed >> 52], share);
}

std::optional<Place> PeerShares::take(const crypto::Ed25519Public& node, std::uint32_t share) {
  std::uint64_t holder = 0;
  std::memcpy(&holder, node.data(), sizeof holder);
  return shares_.take(holder, share);
}

}  // namespace village::service
