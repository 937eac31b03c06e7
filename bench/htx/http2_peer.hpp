#pragma once
// Http2Peer: a real HTTP/2 server and h2load, the peer of the loopback checks.
#include <cstdint>
#include <optional>
#include <string>

#include "loopback.hpp"
#include "support/sockets.hpp"

namespace village::bench {

class Http2Peer {
 public:
  enum class Kind { nghttpd, nginx };
  /// missing says why the peer cannot run here; nothing if it can.
  static std::optional<std::string> missing(Kind kind);
  /// Starts the server over `content` with TLS 1.3, TLS_AES_256_GCM_SHA384 alone.
  Http2Peer(Kind kind, const ContentFile& content);
  /// rate fetches the content once (h2load -n1 -c1 -m1 -w30 -W30) and returns bytes per second.
  double rate() const;
  const char* name() const { return kind_ == Kind::nginx ? "nginx" : "nghttpd"; }

 private:
  Kind kind_;
  const ContentFile& content_;
  std::uint16_t port_ = 0;
  std::optional<Child> server_;
};

}  // namespace village::bench
