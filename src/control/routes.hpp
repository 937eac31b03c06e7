#pragma once
// Routes: who may ask the control interface what, and the answers.
#include <string>

#include "control/http_message.hpp"
#include "village/control/server.hpp"

namespace village::control {

/// Access is how a request came in.
enum class Access { unix_socket, tcp };

/// Routes holds what the answers are made of. One core.
class Routes {
 public:
  Routes(std::string token, ControlHooks hooks) : token_{std::move(token)}, hooks_{std::move(hooks)} {}
  /// answer never fails: what goes wrong is a reply.
  net::asio::awaitable<HttpReply> answer(HttpRequest request, Access access);

 private:
  std::optional<HttpReply> refuse(const HttpRequest& request, Access access) const;
  net::asio::awaitable<HttpReply> status();
  net::asio::awaitable<HttpReply> reload();
  net::asio::awaitable<HttpReply> mix(HttpRequest request);
  std::string token_;
  ControlHooks hooks_;
};

}  // namespace village::control
