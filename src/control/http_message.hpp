#pragma once
// HTTP/1.1 messages of the control interface, without sockets: bytes in, requests out; replies in, bytes out.
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "village/base/bytes.hpp"

namespace village::control {

/// HttpRequest is what the routes look at.
struct HttpRequest {
  std::string method;  ///< "GET"
  std::string path;    ///< "/api/v1/status", without query
  std::string query;   ///< "a=1&b=2"
  std::string body;
  std::string host;  ///< "" = the header is missing
  std::string authorization;
  std::string origin;
  std::string fetch_site;  ///< Sec-Fetch-Site
  bool keep_alive = false;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;   ///< with 405
  std::string policy;  ///< Content-Security-Policy of a page
};

/// error_reply is an error in JSON: {"error": "not_found", "message": "..."}.
HttpReply error_reply(int status, std::string_view code, std::string_view message);

/// RequestReader takes the bytes of one connection and gives its requests. Holds at most
/// http_header_bytes_max + http_body_bytes_max and one read.
class RequestReader {
 public:
  enum class State { need_more, complete, bad };
  RequestReader();
  ~RequestReader();

  /// feed takes bytes; advance looks for the next request in what was fed. After `bad` the connection is
  /// over.
  void feed(ByteView bytes);
  State advance();
  /// request gives the request after `complete`, once.
  HttpRequest request();
  /// refusal is the reply to what was `bad`.
  const HttpReply& refusal() const { return refusal_; }
  /// idle tells that no byte of a further request is there.
  bool idle() const;

 private:
  struct Parser;
  bool begin();
  void refuse(int status, std::string_view code, std::string_view message);
  std::unique_ptr<Parser> parser_;
  std::string pending_;
  HttpReply refusal_;
};

/// reply_text writes a reply with its security headers; without the body for HEAD.
std::string reply_text(const HttpReply& reply, bool keep_alive, bool head);

/// is_loopback_host tells whether a Host header names this machine by "localhost" or a loopback address.
bool is_loopback_host(std::string_view host);

/// bearer_matches compares an Authorization header with the token in constant time.
bool bearer_matches(std::string_view authorization, std::string_view token);

/// same_origin tells whether a browser sent the request from a page of this very host, or no browser sent it.
bool same_origin(const HttpRequest& request);

}  // namespace village::control
