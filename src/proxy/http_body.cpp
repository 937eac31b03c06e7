#include "village/proxy/http_body.hpp"

#include <algorithm>

#include "http_text.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {
namespace {

constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

}  // namespace

HttpBody::HttpBody(HttpFraming framing) : step_{Step::complete} {
  switch (framing.kind) {
    case HttpFraming::Kind::none:
      break;
    case HttpFraming::Kind::length:
      left_ = framing.length;
      if (left_ > 0) step_ = Step::length;
      break;
    case HttpFraming::Kind::chunked:
      step_ = Step::size;
      break;
    case HttpFraming::Kind::until_close:
      step_ = Step::until_close;
      break;
  }
}

Result<std::size_t> HttpBody::on_bytes(ByteView in) {
  switch (step_) {
    case Step::complete:
      return std::size_t{0};
    case Step::until_close:
      return in.size();
    case Step::length: {
      const auto taken = std::min<std::uint64_t>(left_, in.size());
      left_ -= taken;
      if (left_ == 0) step_ = Step::complete;
      return static_cast<std::size_t>(taken);
    }
    default:
      return on_chunked(in);
  }
}

Result<void> HttpBody::on_end() {
  if (step_ == Step::until_close) step_ = Step::complete;
  if (step_ != Step::complete) return fail(Errc::end_of_stream);
  return ok();
}

Result<std::size_t> HttpBody::on_chunked(ByteView in) {
  std::size_t taken = 0;
  while (taken < in.size() && step_ != Step::complete) {
    if (step_ == Step::data) {
      const auto step = std::min<std::uint64_t>(left_, in.size() - taken);
      left_ -= step;
      taken += static_cast<std::size_t>(step);
      if (left_ == 0) step_ = Step::data_cr;
      continue;
    }
    VG_TRY_VOID(on_chunk_byte(static_cast<char>(in[taken])));
    ++taken;
  }
  return taken;
}

// chunk = size [ ";" extensions ] CRLF data CRLF ; the last one has size 0 and a trailer section. RFC
// 9112 7.1
Result<void> HttpBody::on_chunk_byte(char c) {
  const auto expect = [this, c](char wanted, Step then) -> Result<void> {
    if (c != wanted) return fail(Errc::malformed);
    step_ = then;
    return ok();
  };
  switch (step_) {
    case Step::size:
      return on_size_digit(c);
    case Step::extension:
      if (++line_bytes_ > limits::http_chunk_line_bytes_max) return fail(Errc::limit_exceeded);
      if (c == '\r') return expect('\r', Step::size_lf);
      if (is_control(c)) return fail(Errc::malformed);
      return ok();
    case Step::size_lf:
      line_bytes_ = 0;
      return expect('\n', left_ == 0 ? Step::trailer : Step::data);
    case Step::data_cr:
      return expect('\r', Step::data_lf);
    case Step::data_lf:
      return expect('\n', Step::size);
    default:
      return on_trailer_byte(c);
  }
}

Result<void> HttpBody::on_size_digit(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (++line_bytes_ > 15) return fail(Errc::limit_exceeded);  // fits 60 bits
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);     // 0 when the line begins
    return ok();
  }
  if (line_bytes_ == 0) return fail(Errc::malformed);  // no digit at all
  if (c != ';' && c != '\r') return fail(Errc::malformed);
  step_ = c == ';' ? Step::extension : Step::size_lf;
  return ok();
}

Result<void> HttpBody::on_trailer_byte(char c) {
  if (trailer_.size() == limits::http_trailer_bytes_max) return fail(Errc::limit_exceeded);
  const bool after_cr = trailer_.ends_with('\r');
  if (after_cr != (c == '\n')) return fail(Errc::malformed);  // LF follows CR, and nothing else does
  if (is_control(c) && c != '\r' && c != '\n') return fail(Errc::malformed);
  trailer_.push_back(c);
  if (trailer_ != "\r\n" && !trailer_.ends_with("\r\n\r\n")) return ok();
  step_ = Step::complete;
  return check_trailer();
}

Result<void> HttpBody::check_trailer() const {
  VG_TRY(fields, parse_fields(trailer_));
  // RFC 9110 6.5.1: what frames, routes or authenticates a message does not come in a trailer.
  for (const auto& field : fields) {
    for (const auto name :
         {"Content-Length", "Transfer-Encoding", "Host", "Connection", "Proxy-Authorization"}) {
      if (equal_ignoring_case(field.name, name)) return fail(Errc::malformed);
    }
  }
  return ok();
}

}  // namespace village::proxy
