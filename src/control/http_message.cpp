#include "control/http_message.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "control/json.hpp"
#include "village/base/target.hpp"
#include "village/control/limits.hpp"
#include "village/crypto/secret.hpp"

namespace village::control {

namespace http = boost::beast::http;

struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
  Parser() {
    beast.header_limit(limits::http_header_bytes_max);
    beast.body_limit(limits::http_body_bytes_max);
    beast.eager(true);
  }
};

RequestReader::RequestReader() : parser_{std::make_unique<Parser>()} {}
RequestReader::~RequestReader() = default;

void RequestReader::feed(ByteView bytes) { pending_ += as_text(bytes); }

bool RequestReader::idle() const { return pending_.empty() && !parser_->beast.got_some(); }

void RequestReader::refuse(int status, std::string_view code, std::string_view message) {
  refusal_ = error_reply(status, code, message);
}

// The body that a request may have is known by its first line: a message is larger than anything else.
bool RequestReader::begin() {
  auto& beast = parser_->beast;
  if (beast.got_some()) return true;
  constexpr std::string_view message = "POST /api/v1/mix/send";
  if (pending_.size() < message.size() && message.starts_with(pending_)) return false;
  beast.body_limit(pending_.starts_with(message) ? limits::http_message_bytes_max
                                                 : limits::http_body_bytes_max);
  return true;
}

RequestReader::State RequestReader::advance() {
  auto& beast = parser_->beast;
  if (!begin()) return State::need_more;
  while (!beast.is_done()) {
    if (pending_.empty()) return State::need_more;
    boost::beast::error_code problem;
    const auto used = beast.put(boost::asio::buffer(pending_), problem);
    pending_.erase(0, used);
    if (problem == http::error::need_more) {
      if (!beast.is_done()) return State::need_more;
    } else if (problem == http::error::header_limit) {
      refuse(431, "header_too_large", "the head of a request has at most 8 KiB");
      return State::bad;
    } else if (problem == http::error::body_limit) {
      refuse(413, "body_too_large", "the body of a request has at most 64 KiB, a message at most 1 MiB");
      return State::bad;
    } else if (problem) {
      refuse(400, "bad_request", "this is no HTTP/1.1 request");
      return State::bad;
    }
  }
  if (beast.get().target().size() > limits::http_target_bytes_max) {
    refuse(414, "target_too_long", "the target of a request has at most 1,024 bytes");
    return State::bad;
  }
  return State::complete;
}

HttpRequest RequestReader::request() {
  auto message = parser_->beast.release();
  parser_ = std::make_unique<Parser>();
  HttpRequest request;
  const auto header = [&message](auto name) { return std::string{message[name]}; };
  request.method = std::string{message.method_string()};
  request.path = std::string{message.target()};
  if (const auto mark = request.path.find('?'); mark != std::string::npos) {
    request.query = request.path.substr(mark + 1);
    request.path.resize(mark);
  }
  request.body = std::move(message.body());
  request.host = header(http::field::host);
  request.authorization = header(http::field::authorization);
  request.origin = header(http::field::origin);
  request.fetch_site = header("Sec-Fetch-Site");
  request.keep_alive = message.keep_alive();
  return request;
}

HttpReply error_reply(int status, std::string_view code, std::string_view message) {
  HttpReply reply;
  reply.status = status;
  reply.body = Json{{"error", code}, {"message", message}}.dump() + "\n";
  return reply;
}

std::string reply_text(const HttpReply& reply, bool keep_alive, bool head) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(reply.status));
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string{reason} + "\r\n";
  const auto add = [&text](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
  };
  add("Content-Type", reply.content_type);
  add("Content-Length", std::to_string(reply.body.size()));
  add("Connection", keep_alive ? "keep-alive" : "close");
  add("Cache-Control", "no-store");
  add("X-Content-Type-Options", "nosniff");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Content-Security-Policy",
      reply.policy.empty() ? "default-src 'none'; frame-ancestors 'none'" : reply.policy);
  if (!reply.allow.empty()) add("Allow", reply.allow);
  if (reply.status == 401) add("WWW-Authenticate", "Bearer");
  text += "\r\n";
  if (!head) text += reply.body;
  return text;
}

bool is_loopback_host(std::string_view host) {
  const auto end = host.rfind(':');
  const bool port = end != std::string_view::npos &&
                    host.find_first_not_of("0123456789", end + 1) == std::string_view::npos &&
                    (host.front() == '[' ? host[end - 1] == ']' : host.find(':') == end);
  const auto name = port ? host.substr(0, end) : host;
  if (name == "localhost") return true;
  const auto parsed = parse_host(name);
  if (!parsed) return false;
  if (const auto* v4 = std::get_if<Ipv4Address>(&*parsed)) return is_loopback(*v4);
  if (const auto* v6 = std::get_if<Ipv6Address>(&*parsed)) return is_loopback(*v6);
  return false;
}

bool bearer_matches(std::string_view authorization, std::string_view token) {
  constexpr std::string_view scheme = "Bearer ";
  if (token.empty() || !authorization.starts_with(scheme)) return false;
  return crypto::equal(as_bytes(authorization.substr(scheme.size())), as_bytes(token));
}

bool same_origin(const HttpRequest& request) {
  if (!request.fetch_site.empty() && request.fetch_site != "same-origin" && request.fetch_site != "none")
    return false;
  return request.origin.empty() || request.origin == "http://" + request.host;
}

}  // namespace village::control
