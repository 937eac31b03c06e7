#pragma once
// What programs ask of the mixnet: /api/v1/mix/...
#include "control/http_message.hpp"
#include "village/control/server.hpp"

namespace village::control {

/// answer_mix answers send, recv, sent and ping. It never fails: what goes wrong is a reply.
net::asio::awaitable<HttpReply> answer_mix(const MixHooks& hooks, HttpRequest request);

/// query_value finds a parameter of "a=1&b=2" and decodes it; nullopt if it is not there or no text.
std::optional<std::string> query_value(std::string_view query, std::string_view key);

}  // namespace village::control
