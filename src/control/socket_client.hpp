#pragma once
// One HTTP request to a running node over its Unix socket. Blocking, for the command line.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace village::control {

struct SocketReply {
  int status = 0;
  std::string body;
};

/// socket_request sends one request and reads the answer; otherwise nothing, and `problem` says why.
std::optional<SocketReply> socket_request(const std::string& socket_path, const std::string& method,
                                          const std::string& target, std::chrono::seconds timeout,
                                          std::string& problem, std::string_view body = {});

}  // namespace village::control
