#include "control/routes.hpp"

#include <array>

#include "control/json.hpp"
#include "control/mix_routes.hpp"
#include "control/mix_text.hpp"
#include "control/status_text.hpp"
#include "control/web_page.hpp"
#include "village/base/metrics.hpp"

namespace village::control {
namespace {

metrics::Counter refused_host{"villaged_control_refused_total", "Requests refused, by reason.",
                              "reason=\"host\""};
metrics::Counter refused_token{"villaged_control_refused_total", "Requests refused, by reason.",
                               "reason=\"token\""};
metrics::Counter refused_origin{"villaged_control_refused_total", "Requests refused, by reason.",
                                "reason=\"origin\""};

/// Route is one path; `open` ones tell nothing that a token must guard.
struct Route {
  std::string_view path;
  std::string_view method;
  bool open;
};
constexpr std::array<Route, 12> known{{{"/", "GET", true},
                                       {"/healthz", "GET", true},
                                       {"/readyz", "GET", true},
                                       {"/metrics", "GET", false},
                                       {"/api/v1/status", "GET", false},
                                       {"/api/v1/config", "GET", false},
                                       {"/api/v1/reload", "POST", false},
                                       {"/api/v1/mix/send", "POST", false},
                                       {"/api/v1/mix/recv", "GET", false},
                                       {"/api/v1/mix/sent", "GET", false},
                                       {"/api/v1/mix/ping", "POST", false},
                                       {"/api/v1/mix/status", "GET", false}}};

const Route* find(std::string_view path) {
  for (const auto& route : known) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

HttpReply text_reply(int status, std::string_view text) {
  HttpReply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = text;
  return reply;
}

HttpReply json_reply(std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  return reply;
}

HttpReply page_reply() {
  HttpReply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = web_page();
  reply.policy = web_page_policy();
  return reply;
}

}  // namespace

std::optional<HttpReply> Routes::refuse(const HttpRequest& request, Access access) const {
  const auto* route = find(request.path);
  if (access == Access::tcp) {
    if (request.host.empty()) return error_reply(400, "bad_request", "the Host header is missing");
    if (token_.empty() && !is_loopback_host(request.host)) {
      refused_host.add();
      return error_reply(403, "host",
                         "without a token only requests to localhost or a loopback address are answered");
    }
    const bool open = route != nullptr && route->open;
    if (!token_.empty() && !open && !bearer_matches(request.authorization, token_)) {
      refused_token.add();
      return error_reply(401, "token", "send the token of the configuration: Authorization: Bearer TOKEN");
    }
  }
  if (route == nullptr)
    return error_reply(404, "not_found",
                       "there is nothing at this path; see / for the page, /api/v1/status for data");
  const bool reads = route->method == "GET" && (request.method == "GET" || request.method == "HEAD");
  if (!reads && request.method != route->method) {
    auto reply = error_reply(405, "method", "this path takes another method");
    reply.allow = route->method == "GET" ? "GET, HEAD" : std::string{route->method};
    return reply;
  }
  if (request.method == "POST" && !same_origin(request)) {
    refused_origin.add();
    return error_reply(403, "origin", "another site's page may not change anything here");
  }
  return std::nullopt;
}

net::asio::awaitable<HttpReply> Routes::answer(HttpRequest request, Access access) {
  if (auto refusal = refuse(request, access)) co_return *std::move(refusal);
  if (request.path == "/") co_return page_reply();
  if (request.path == "/healthz") co_return text_reply(200, "ok\n");
  if (request.path == "/readyz") {
    const bool ready = hooks_.ready();
    co_return text_reply(ready ? 200 : 503, ready ? "ready\n" : "not ready\n");
  }
  if (request.path == "/metrics") {
    auto reply = text_reply(200, metrics_text());
    reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    co_return reply;
  }
  if (request.path == "/api/v1/config") co_return json_reply(hooks_.config_json());
  if (request.path == "/api/v1/status") co_return co_await status();
  if (request.path == "/api/v1/reload") co_return co_await reload();
  co_return co_await mix(std::move(request));
}

net::asio::awaitable<HttpReply> Routes::mix(HttpRequest request) {
  if (request.path == "/api/v1/mix/status") {
    const auto status = co_await hooks_.status();
    if (!status || !status->mix) co_return error_reply(404, "no_mixnet", "this node has no part in a mixnet");
    co_return json_reply(mix_json(*status->mix).dump() + "\n");
  }
  if (!hooks_.mix)
    co_return error_reply(404, "no_client", "this node has not the role \"client\" of a mixnet");
  co_return co_await answer_mix(*hooks_.mix, std::move(request));
}

net::asio::awaitable<HttpReply> Routes::status() {
  const auto status = co_await hooks_.status();
  if (!status) co_return error_reply(503, name(status.error().code), "the node cannot tell its status now");
  co_return json_reply(status_json(*status).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

net::asio::awaitable<HttpReply> Routes::reload() {
  const auto restart = co_await hooks_.reload();
  if (restart) co_return json_reply(Json{{"restart", *restart}}.dump() + "\n");
  const auto code = restart.error().code;
  if (code == Errc::busy) co_return error_reply(409, "busy", "a reload is under way");
  co_return error_reply(422, name(code),
                        "the configuration was not taken over; the log and \"villaged check\" say why");
}

}  // namespace village::control
