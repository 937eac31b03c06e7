#include "service/mix_http.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>

#include "village/crypto/hash.hpp"
#include "village/net/deadline.hpp"
#include "village/proxy/http_head.hpp"
#include "village/service/mix_directory_limits.hpp"
#include "village/wire/base64.hpp"

namespace village::service {
namespace {

namespace http = boost::beast::http;
using net::Task;

constexpr std::string_view authority_field = "Villaged-Mix-Authority";
constexpr std::string_view time_field = "Villaged-Time-Ms";
constexpr std::string_view request_domain = "villaged-mixpost-v1";
constexpr std::size_t block_bytes = 16 * 1024;
constexpr auto linger_max = std::chrono::seconds{1};

Bytes signed_part(const ByteArray<32>& digest) {
  Bytes out(request_domain.size() + digest.size());
  std::copy(digest.begin(), digest.end(), std::ranges::copy(as_bytes(request_domain), out.begin()).out);
  return out;
}

std::string request_text(const MixHttpRequest& request, const Target& authority) {
  std::string out = request.method + " " + request.path + " HTTP/1.1\r\nHost: " + to_text(authority) + "\r\n";
  if (!request.authority.empty())
    out.append(authority_field).append(": ").append(request.authority).append("\r\n");
  if (!request.body.empty()) out += "Content-Type: application/json\r\n";
  if (!request.body.empty() || request.method != "GET") {
    out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return out + "Connection: close\r\n\r\n" + request.body;
}

std::optional<WallTime> read_time(std::string_view text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr std::int64_t high = std::int64_t{1} << 42;
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number < 0 || number > high)
    return {};
  return WallTime{std::chrono::milliseconds{number}};
}

/// read_reply reads a whole answer. Only bodies with a length are accepted: our servers send no others.
Task<MixHttpReply> read_reply(net::Stream& stream, std::string method, std::size_t body_max) {
  proxy::HttpHeadCollector collector{limits::mix_http_head_bytes_max};
  Bytes block(block_bytes);
  ByteView rest;
  while (!collector.complete()) {
    const auto size = co_await stream.read_some(block);
    if (!size) co_return size.error();
    if (*size == 0) co_return fail(Errc::end_of_stream);
    rest = ByteView{block}.first(*size);
    VG_CO_TRY(used, collector.on_bytes(rest));
    rest = rest.subspan(used);
  }
  VG_CO_TRY(head, proxy::parse_response_head(collector.text(), method));
  using Kind = proxy::HttpFraming::Kind;
  if (head.body.kind != Kind::length && head.body.kind != Kind::none) co_return fail(Errc::unsupported);
  if (head.body.length > body_max) co_return fail(Errc::limit_exceeded);
  MixHttpReply reply;
  reply.status = head.status;
  for (const auto& field : head.fields) {
    if (field.name == time_field) reply.time = read_time(field.value);
  }
  auto body = std::make_shared<std::string>(as_text(rest));
  while (body->size() < head.body.length) {
    const auto size = co_await stream.read_some(block);
    if (!size) co_return size.error();
    if (*size == 0) co_return fail(Errc::end_of_stream);
    body->append(as_text(ByteView{block}.first(*size)));
  }
  if (body->size() > head.body.length) co_return fail(Errc::trailing_bytes);
  reply.body = std::move(body);
  co_return reply;
}

Task<MixHttpReply> exchange(net::Dialer& dialer, Target authority, MixHttpRequest request,
                            std::size_t body_max, Instant deadline) {
  VG_CO_TRY(stream, co_await dialer.dial(authority, deadline));
  const auto text = request_text(request, authority);
  VG_CO_TRY_VOID(co_await stream->write_all(as_bytes(text)));
  auto reply = co_await read_reply(*stream, request.method, body_max);
  stream->close();
  co_return reply;
}

std::string_view reason_of(unsigned status) {
  const auto reason = http::obsolete_reason(static_cast<http::status>(status));
  return {reason.data(), reason.size()};
}

using Parser = http::request_parser<http::string_body>;

Task<std::size_t> read_block(net::Stream& stream, std::string& pending) {
  ByteArray<4'096> block;
  const auto size = co_await stream.read_some(block);
  if (!size) co_return size.error();
  if (*size == 0) co_return fail(Errc::end_of_stream);
  pending += as_text(ByteView{block}.first(*size));
  co_return *size;
}

/// parse_some feeds the parser; true when it needs no more. Errors: refused (detail = status to answer).
Result<bool> parse_some(Parser& parser, std::string& pending, bool head_only) {
  while (!(head_only ? parser.is_header_done() : parser.is_done())) {
    if (pending.empty()) return false;
    boost::beast::error_code problem;
    const auto used = parser.put(boost::asio::buffer(pending), problem);
    pending.erase(0, used);
    if (problem == http::error::need_more) {
      if (used == 0) return false;
    } else if (problem == http::error::header_limit) {
      return fail(Errc::refused, 431);
    } else if (problem == http::error::body_limit) {
      return fail(Errc::refused, 413);
    } else if (problem) {
      return fail(Errc::refused, 400);
    }
  }
  return true;
}

MixHttpRequest request_of(const Parser& parser) {
  const auto& message = parser.get();
  MixHttpRequest out;
  out.method = std::string{message.method_string()};
  out.path = std::string{message.target()};
  const auto authority = message[boost::beast::string_view{authority_field.data(), authority_field.size()}];
  out.authority = std::string{authority};
  return out;
}

/// read_request reads a request that the handler lets pass. Errors: refused (detail = status), those of the
/// stream.
Task<MixHttpRequest> read_request(net::Stream& stream, MixHttpHandler& handler) {
  Parser parser;
  parser.header_limit(limits::mix_http_head_bytes_max);
  parser.body_limit(mix::limits::statement_bytes_max);
  parser.eager(false);
  std::string pending;
  for (;;) {
    VG_CO_TRY(done, parse_some(parser, pending, true));
    if (done) break;
    VG_CO_TRY_VOID(co_await read_block(stream, pending));
  }
  auto request = request_of(parser);
  if (parser.chunked()) co_return fail(Errc::refused, 411);
  VG_CO_TRY(body_max, handler.on_head(request));
  const auto length = parser.content_length();
  if (length && *length > body_max) co_return fail(Errc::refused, 413);
  if (!length || *length == 0) co_return request;
  parser.eager(true);
  for (;;) {
    VG_CO_TRY(done, parse_some(parser, pending, false));
    if (done) break;
    VG_CO_TRY_VOID(co_await read_block(stream, pending));
  }
  request.body = std::move(parser.get().body());
  co_return request;
}

Task<void> write_reply(net::Core& core, net::Stream& stream, MixHttpReply reply) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(core.clock().wall().time_since_epoch());
  const auto body = reply.body ? std::string_view{*reply.body} : std::string_view{};
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  head.append(reason_of(reply.status)).append("\r\nContent-Length: ").append(std::to_string(body.size()));
  if (!body.empty()) head += "\r\nContent-Type: application/json";
  head.append("\r\n").append(time_field).append(": ").append(std::to_string(now.count()));
  head += "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  VG_CO_TRY_VOID(co_await stream.write_all(as_bytes(head)));
  if (!body.empty()) VG_CO_TRY_VOID(co_await stream.write_all(as_bytes(body)));
  co_return co_await stream.shutdown_write();
}

/// linger lets the answer arrive before the socket closes over bytes that nobody read.
Task<void> linger(net::Stream& stream) {
  ByteArray<4'096> block;
  for (std::size_t seen = 0; seen < limits::mix_http_linger_bytes_max;) {
    const auto size = co_await stream.read_some(block);
    if (!size) co_return size.error();
    if (*size == 0) break;
    seen += *size;
  }
  co_return ok();
}

}  // namespace

void sign_request(MixHttpRequest& request, const crypto::Ed25519KeyPair& authority) {
  const auto digest = crypto::sha256(as_bytes(request.body));
  request.authority = wire::base64url(authority.public_key) + "." + wire::base64url(digest) + "." +
                      wire::base64url(authority.sign(signed_part(digest)));
}

std::optional<RequestSigner> request_signer(const MixHttpRequest& request) {
  const std::string_view text = request.authority;
  const auto first = text.find('.'), last = text.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  RequestSigner out;
  crypto::Ed25519Signature signature;
  const auto middle = text.substr(first + 1, last - first - 1);
  const bool read = wire::from_base64url(text.substr(0, first), ByteSpan{out.key}).has_value() &&
                    wire::from_base64url(middle, ByteSpan{out.digest}).has_value() &&
                    wire::from_base64url(text.substr(last + 1), ByteSpan{signature}).has_value();
  if (!read || !crypto::verify(out.key, signed_part(out.digest), signature)) return std::nullopt;
  return out;
}

Task<MixHttpReply> mix_exchange(net::Core& core, net::Dialer& dialer, Target authority,
                                MixHttpRequest request, std::size_t body_max, Instant deadline) {
  auto whole = exchange(dialer, std::move(authority), std::move(request), body_max, deadline);
  auto reply = co_await net::with_deadline(core, std::move(whole), deadline);
  co_return reply;
}

Task<MixHttpReply> ask_authority(net::Core& core, net::Dialer& dialer, MixHtxWay htx,
                                 MixAuthorityEntry authority, MixHttpRequest request, std::size_t body_max,
                                 Instant deadline) {
  auto* const way = htx ? htx(authority.key) : nullptr;
  auto& by = way != nullptr ? *way : dialer;
  auto reply =
      co_await mix_exchange(core, by, std::move(authority.address), std::move(request), body_max, deadline);
  co_return reply;
}

net::asio::awaitable<void> serve_mix_http(net::Core& core, net::Stream& stream, MixHttpHandler& handler,
                                          Instant deadline) {
  auto reading = read_request(stream, handler);
  const auto request = co_await net::with_deadline(core, std::move(reading), deadline);
  MixHttpReply reply;
  if (request) {
    reply = handler.answer(*request);
  } else if (request.error().code == Errc::refused) {
    reply.status = request.error().detail;
  } else if (request.error().code == Errc::timed_out) {
    reply.status = 408;
  } else {
    co_return;
  }
  auto writing = write_reply(core, stream, std::move(reply));
  const auto until = std::max(deadline, net::after(core, linger_max));
  const auto written = co_await net::with_deadline(core, std::move(writing), until);
  if (!written) co_return;
  auto waiting = linger(stream);
  const auto lingered = co_await net::with_deadline(core, std::move(waiting), net::after(core, linger_max));
  (void)lingered;
}

}  // namespace village::service
