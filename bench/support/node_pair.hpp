#pragma once
// NodePair: an entry and an exit, two real daemons on loopback, keys made by `villaged init`.
#include <cstdint>
#include <optional>
#include <string>

#include "support/sockets.hpp"

namespace village::bench {

class NodePair {
 public:
  struct Shape {
    std::string outer = "none";  ///< none or tls
    std::string congestion = "cubic";
    unsigned cores = 1;          ///< of each node
    std::string suites = "[4]";  ///< JSON list; 4 = AES-256-GCM, 1 = ChaCha20-Poly1305
  };
  /// Starts both and waits until a stream passes; ends the program with a message if they do not come up.
  NodePair(const std::string& villaged, const Shape& shape);
  ~NodePair();
  NodePair(const NodePair&) = delete;
  NodePair& operator=(const NodePair&) = delete;
  std::uint16_t socks_port() const { return socks_port_; }
  /// exit_resident_bytes and entry_resident_bytes are what the kernel counts now.
  std::uint64_t exit_resident_bytes() const;
  std::uint64_t entry_resident_bytes() const;

 private:
  std::string folder_;
  std::uint16_t socks_port_ = 0;
  std::optional<Child> exit_, entry_;
};

}  // namespace village::bench
