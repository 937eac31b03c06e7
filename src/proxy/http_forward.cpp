#include "village/proxy/http_forward.hpp"

#include <algorithm>

#include "http_text.hpp"

namespace village::proxy {
namespace {

/// Fields that end at this hop, whatever Connection says. Host and framing are written anew. RFC 9110 7.6.1
bool ends_here(std::string_view name) {
  constexpr std::string_view names[] = {"Connection", "Keep-Alive",        "TE",   "Trailer",
                                        "Upgrade",    "Transfer-Encoding", "Host", "Content-Length"};
  constexpr std::string_view prefix = "Proxy-";
  if (name.size() >= prefix.size() && equal_ignoring_case(name.substr(0, prefix.size()), prefix)) return true;
  return std::any_of(std::begin(names), std::end(names),
                     [name](std::string_view other) { return equal_ignoring_case(name, other); });
}

std::vector<std::string_view> named_by_connection(const std::vector<HttpField>& fields) {
  std::vector<std::string_view> names;
  for (const auto& field : fields) {
    if (!equal_ignoring_case(field.name, "Connection")) continue;
    for_each_item(field.value, [&names](std::string_view item) { names.push_back(item); });
  }
  return names;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_end_to_end(std::string& out, const std::vector<HttpField>& fields) {
  const auto named = named_by_connection(fields);
  for (const auto& field : fields) {
    if (ends_here(field.name)) continue;
    const bool dropped = std::any_of(named.begin(), named.end(), [&field](std::string_view name) {
      return equal_ignoring_case(name, field.name);
    });
    if (!dropped) append_field(out, field.name, field.value);
  }
}

void append_framing(std::string& out, const HttpFraming& framing) {
  if (framing.kind == HttpFraming::Kind::chunked) append_field(out, "Transfer-Encoding", "chunked");
  if (framing.kind == HttpFraming::Kind::length) {
    append_field(out, "Content-Length", std::to_string(framing.length));
  }
}

}  // namespace

std::string forward_request(const HttpRequest& request) {
  std::string out;
  out.reserve(512);
  out.append(request.method).append(" ").append(request.path);
  out.append(request.minor == 1 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  append_field(out, "Host", request.authority);
  append_end_to_end(out, request.fields);
  append_framing(out, request.body);
  return out.append("\r\n");
}

std::string forward_response(const HttpResponse& response, int client_minor, bool keep_alive) {
  std::string out;
  out.reserve(512);
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(response.reason);
  out.append("\r\n");
  append_end_to_end(out, response.fields);
  if (response.body.kind != HttpFraming::Kind::none) {
    append_framing(out, response.body);
  } else if (response.status >= 200 && response.status != 204) {
    // HEAD and 304 may tell the length that a GET would have had.
    for (const auto& field : response.fields) {
      if (equal_ignoring_case(field.name, "Content-Length")) append_field(out, field.name, field.value);
    }
  }
  if (response.status >= 200) {
    if (!keep_alive) append_field(out, "Connection", "close");
    if (keep_alive && client_minor == 0) append_field(out, "Connection", "keep-alive");
  }
  return out.append("\r\n");
}

std::string_view connect_established() { return "HTTP/1.1 200 Connection established\r\n\r\n"; }

std::string_view reason_phrase(unsigned status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

std::string error_response(unsigned status, std::string_view sentence, bool head_only) {
  std::string out{"HTTP/1.1 "};
  out.append(std::to_string(status)).append(" ").append(reason_phrase(status)).append("\r\n");
  if (status == 407) append_field(out, "Proxy-Authenticate", "Basic realm=\"villaged\", charset=\"UTF-8\"");
  append_field(out, "Connection", "close");
  append_field(out, "Content-Type", "text/plain; charset=utf-8");
  append_field(out, "Content-Length", std::to_string(sentence.size() + 1));
  out.append("\r\n");
  if (!head_only) out.append(sentence).append("\n");
  return out;
}

}  // namespace village::proxy
