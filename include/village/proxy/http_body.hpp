#pragma once
// HttpBody: where a body ends, found while it streams by. Source: RFC 9112 sections 6 and 7.
#include <string>

#include "village/proxy/http_head.hpp"

namespace village::proxy {

/// HttpBody follows one body through a relay that passes bytes on unchanged. Nothing is buffered but a
/// trailer section. Chunks are read strictly: hexadecimal size without blanks, CRLF only, extensions without
/// control characters, trailer fields well-formed and none that would change framing or routing.
class HttpBody {
 public:
  explicit HttpBody(HttpFraming framing);

  /// on_bytes returns how many bytes of `in` belong to this body; those are to be passed on, the rest is the
  /// next message's. Errors: malformed, limit_exceeded: close both sides, what was passed on stays
  /// incomplete.
  Result<std::size_t> on_bytes(ByteView in);
  /// on_end is told of the stream's end. Errors: end_of_stream if the body is not complete.
  Result<void> on_end();
  bool complete() const { return step_ == Step::complete; }

 private:
  enum class Step {
    until_close,
    length,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    complete
  };

  Result<std::size_t> on_chunked(ByteView in);
  Result<void> on_chunk_byte(char c);
  Result<void> on_size_digit(char c);
  Result<void> on_trailer_byte(char c);
  Result<void> check_trailer() const;

  Step step_;
  std::uint64_t left_ = 0;      // of the body or of the present chunk
  std::size_t line_bytes_ = 0;  // of the present size line
  std::string trailer_;
};

}  // namespace village::proxy
