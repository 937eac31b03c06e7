#pragma once
// Our unwrap beside the crate's, on the same bytes.
#include <map>
#include <string>
#include <vector>

#include "interop/sphinx/crate_peer.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::interop {

/// Comparison counts what was compared and prints what differed (the first few).
class Comparison {
 public:
  Comparison(CratePeer& crate, std::uint64_t seed) : peer{crate}, random{seed} {}

  CratePeer& peer;
  SeededRandom random;
  std::uint64_t compared = 0, failed = 0;
  std::map<std::string, std::uint64_t> stricter;  ///< refused by us alone, by reason

  void expect(bool holds, const std::string& what);

  /// unwrap gives `packet` to both. They must accept alike and give the same bytes, or refuse alike, or we
  /// alone refuse for a reason of the closed list (then counted in `stricter` if the crate accepts). After an
  /// acceptance by us the packet is what the next hop gets.
  sphinx::Reject unwrap(const crypto::X25519Private& key, std::size_t payload_bytes, Bytes& packet,
                        sphinx::Unwrapped& found);

  /// open_payload compares what both make of a plain payload; only a non-zero tail is refused by us alone.
  bool open_payload(ByteView payload, Bytes* message = nullptr);

 private:
  void compare_accepted(const Answer& theirs, ByteView packet, const sphinx::Unwrapped& found);
};

/// Route is a path with the keys of its nodes.
struct Route {
  std::vector<crypto::X25519Private> keys;
  std::vector<sphinx::Hop> hops;
  sphinx::Destination destination;
  sphinx::Identifier identifier;

  Route(std::size_t count, RandomSource& random);
  /// body appends the route in the peer's form.
  Body& body(Body& out) const;
};

Bytes random_bytes(std::size_t size, RandomSource& random);

}  // namespace village::interop
