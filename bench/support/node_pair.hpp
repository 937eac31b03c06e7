#pragma once
// NodePair: an entry and an exit, two real daemons on loopback, made by `villaged init` and `villaged peer`.
#include <cstdint>
#include <optional>
#include <string>

#include "support/sockets.hpp"

namespace village::bench {

class NodePair {
 public:
  struct Shape {
    std::string outer = "none";       ///< none or tls
    std::string congestion = "auto";
  };
  /// Starts both and waits until they are ready; ends the program with the daemon's words if they do not come up.
  NodePair(const std::string& villaged, const Shape& shape);
  ~NodePair();
  NodePair(const NodePair&) = delete;
  NodePair& operator=(const NodePair&) = delete;
  std::uint16_t socks_port() const { return socks_port_; }
  /// resident_bytes is the exit's resident memory now.
  std::uint64_t resident_bytes() const;

 private:
  std::string folder_;
  std::uint16_t socks_port_ = 0;
  std::optional<Child> exit_, entry_;
};

}  // namespace village::bench
