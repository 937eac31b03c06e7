#pragma once
// HTTP/1.x message heads as a forward proxy must read them: bounded, and strict where two parsers could
// disagree. Sources: RFC 9112 (messages), RFC 9110 (fields, targets), proxy.md section 3.
//
// Refused, because somebody behind us may read it otherwise (request smuggling): a bare LF or CR, NUL and
// other control characters, folded lines, blanks before the colon, more than one blank in the start line,
// Content-Length twice or not all digits, Content-Length beside Transfer-Encoding, any transfer coding but
// one `chunked`, Transfer-Encoding in HTTP/1.0, two Host fields.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {

/// HttpHeadCollector gathers one head from bytes that come in pieces, up to its blank line and not further.
class HttpHeadCollector {
 public:
  explicit HttpHeadCollector(std::size_t bytes_max = limits::http_head_bytes_max) : bytes_max_{bytes_max} {}

  /// on_bytes takes bytes until the head is complete and returns how many; the rest stays with the caller.
  /// Empty lines before the head are taken and dropped (RFC 9112 2.2). Each byte is looked at once. Errors:
  /// malformed (bare CR or LF, control character; detail = offset), limit_exceeded (longer than bytes_max).
  Result<std::size_t> on_bytes(ByteView in);

  bool complete() const { return step_ == Step::complete; }
  /// started tells whether anything of a head was seen: an end of the stream before that is an orderly one.
  bool started() const { return !text_.empty(); }
  /// text is the head with its blank line, once complete.
  std::string_view text() const { return text_; }
  /// reset makes ready for the next head.
  void reset();

 private:
  enum class Step { before, before_lf, line, line_lf, line_start, last_lf, complete };
  Result<Step> next(char c) const;

  std::size_t bytes_max_;
  std::size_t seen_ = 0;
  Step step_ = Step::before;
  std::string text_;
};

/// HttpField is one field line; blanks around the value are gone. Views into the head's text.
struct HttpField {
  std::string_view name;
  std::string_view value;
};

/// HttpFraming says where a message's body ends.
struct HttpFraming {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  ///< Kind::length only
  friend bool operator==(const HttpFraming&, const HttpFraming&) = default;
};

/// HttpRequest is what a client asks of a proxy: CONNECT host:port, or METHOD http://host[:port]/path.
/// All views point into the head's text, which must outlive it.
struct HttpRequest {
  std::string_view method;
  int minor = 1;               ///< HTTP/1.minor, 0 or 1
  bool connect = false;        ///< authority form; then path is empty
  Target target;               ///< where to
  std::string_view authority;  ///< the Host to send, as the client wrote it
  std::string path;            ///< origin form to send: "/path?query", or "*" for OPTIONS of a whole server
  std::vector<HttpField> fields;
  HttpFraming body;
  bool keep_alive = false;       ///< the client lets the connection stay
  std::string_view credentials;  ///< value of Proxy-Authorization; empty = none
};

/// parse_request_head reads a complete head (HttpHeadCollector::text()).
/// Errors: malformed (400), limit_exceeded (431: too many fields), unsupported (501: transfer coding; 400 for
/// a target that is not of a proxy: see http_status), version (505), bad_argument (400: origin form, so not
/// meant for a proxy).
Result<HttpRequest> parse_request_head(std::string_view head);

struct HttpResponse {
  int minor = 1;
  unsigned status = 0;  ///< 100..599
  std::string_view reason;
  std::vector<HttpField> fields;
  HttpFraming body;
  bool keep_alive = false;  ///< the server lets the connection stay
};

/// parse_response_head reads the head of an answer to a request with `method`. A 101 is malformed: Upgrade is
/// never sent. Errors: malformed, limit_exceeded, unsupported, version: all of them 502 to the client.
Result<HttpResponse> parse_response_head(std::string_view head, std::string_view method);

/// http_status is the answer to a request that did not parse.
unsigned http_status_of_request(Errc code);
/// http_status_of_dial is the answer when the way to the target failed: 403 denied, 504 timed out, 503 busy,
/// else 502.
unsigned http_status_of_dial(Errc code);

}  // namespace village::proxy
