#include "village/proxy/http_head.hpp"

#include <algorithm>
#include <charconv>

#include "http_text.hpp"
#include "village/base/limits.hpp"

namespace village::proxy {
namespace {

const village::limits::Row rows[] = {
    {"proxy", "http_head_bytes_max", limits::http_head_bytes_max, 1,
     "start line and fields of one HTTP message"},
    {"proxy", "http_fields_max", limits::http_fields_max, sizeof(HttpField),
     "field lines of one HTTP message"},
    {"proxy", "http_trailer_bytes_max", limits::http_trailer_bytes_max, 1, "trailer of one chunked body"},
    {"proxy", "socks5_message_bytes_max", limits::socks5_message_bytes_max, 1,
     "one message of a SOCKS5 handshake"},
    {"proxy", "socks4_request_bytes_max", limits::socks4_request_bytes_max, 1, "one SOCKS4 request"},
    {"proxy", "upgrade_head_bytes_max", limits::upgrade_head_bytes_max, 1,
     "head of a WebSocket upgrade that may carry a ticket"},
    {"proxy", "route_rules_max", limits::route_rules_max, 0, "rules of the operator"},
    {"proxy", "route_entries_max", limits::route_entries_max, 128, "list entries over all rules"},
};
const bool declared [[maybe_unused]] = village::limits::declare(rows);

}  // namespace

// ------------------------------------------------------------------ collecting

Result<HttpHeadCollector::Step> HttpHeadCollector::next(char c) const {
  const auto lf = [c](Step then) -> Result<Step> {
    if (c != '\n') return fail(Errc::malformed);
    return then;
  };
  switch (step_) {
    case Step::before_lf:
      return lf(Step::before);
    case Step::line_lf:
      return lf(Step::line_start);
    case Step::last_lf:
      return lf(Step::complete);
    default:
      break;
  }
  if (c == '\r') {
    if (step_ == Step::before) return Step::before_lf;
    return step_ == Step::line ? Step::line_lf : Step::last_lf;
  }
  if (is_control(c)) return fail(Errc::malformed);  // a bare LF is one of them
  return Step::line;
}

Result<std::size_t> HttpHeadCollector::on_bytes(ByteView in) {
  std::size_t taken = 0;
  while (taken < in.size() && step_ != Step::complete) {
    if (seen_ == bytes_max_) return fail(Errc::limit_exceeded, seen_);
    const auto c = static_cast<char>(in[taken]);
    const auto step = next(c);
    if (!step) return fail(step.error().code, seen_);
    if (step_ != Step::before_lf && !(step_ == Step::before && c == '\r')) text_.push_back(c);
    step_ = *step;
    ++seen_;
    ++taken;
  }
  return taken;
}

void HttpHeadCollector::reset() {
  seen_ = 0;
  step_ = Step::before;
  text_ = std::string{};  // an idle connection keeps nothing
}

// ------------------------------------------------------------------ start lines

namespace {

constexpr std::string_view version_prefix = "HTTP/";

/// "HTTP/1.0" or "HTTP/1.1" gives the minor number.
Result<int> parse_version(std::string_view text) {
  if (text == "HTTP/1.1") return 1;
  if (text == "HTTP/1.0") return 0;
  const bool formed = text.size() == 8 && text.starts_with(version_prefix) && is_digit(text[5]) &&
                      text[6] == '.' && is_digit(text[7]);
  return fail(formed ? Errc::version : Errc::malformed);
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, port);
  if (problem != std::errc{} || stop != end || port == 0) return fail(Errc::malformed);
  return port;
}

/// authority = host [ ":" [ port ] ]; IPv6 in brackets; no user info (RFC 9110 4.2.4).
Result<Target> parse_authority(std::string_view text, std::optional<std::uint16_t> default_port) {
  std::size_t host_end = 0;
  if (text.starts_with('[')) {
    host_end = text.find(']');
    if (host_end == std::string_view::npos) return fail(Errc::malformed);
    ++host_end;
  } else {
    host_end = std::min(text.find(':'), text.size());
  }
  const auto host_text = text.substr(0, host_end);
  const auto rest = text.substr(host_end);
  if (!rest.empty() && rest.front() != ':') return fail(Errc::malformed);
  auto host = parse_host(host_text);
  if (!host || host_text.starts_with('[') != std::holds_alternative<Ipv6Address>(*host)) {
    return fail(Errc::malformed);
  }
  if (rest.size() > 1) {
    VG_TRY(port, parse_port(rest.substr(1)));
    return Target{*std::move(host), port};
  }
  if (!default_port) return fail(Errc::malformed);
  return Target{*std::move(host), *default_port};
}

/// absolute form: "http://" authority [ path ] [ "?" query ]. RFC 9112 3.2.2
Result<void> parse_absolute_form(std::string_view text, HttpRequest& request) {
  constexpr std::string_view scheme = "http://";
  if (text.starts_with('/') || text == "*") return fail(Errc::bad_argument);
  if (text.size() < scheme.size() || !equal_ignoring_case(text.substr(0, scheme.size()), scheme)) {
    return fail(Errc::malformed);
  }
  text.remove_prefix(scheme.size());
  const auto authority_end = std::min(text.find_first_of("/?#"), text.size());
  request.authority = text.substr(0, authority_end);
  const auto path = text.substr(authority_end);
  if (path.find('#') != std::string_view::npos) return fail(Errc::malformed);
  VG_TRY(target, parse_authority(request.authority, std::uint16_t{80}));
  request.target = std::move(target);
  if (request.authority.ends_with(':')) request.authority.remove_suffix(1);
  if (path.empty() && request.method == "OPTIONS") {
    request.path.assign(1, '*');  // RFC 9112 3.2.4
  } else {
    if (!path.starts_with('/')) request.path.push_back('/');
    request.path.append(path);
  }
  return ok();
}

/// Neither blanks nor control characters. Bytes of 0x80 and up pass: they are no delimiter to anybody.
bool is_visible(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return is_control(c) || c == ' ' || c == '\t'; });
}

/// request-line = method SP request-target SP HTTP-version, with single blanks. RFC 9112 3
Result<void> parse_request_line(std::string_view line, HttpRequest& request) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return fail(Errc::malformed);
  request.method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  if (!is_token(request.method)) return fail(Errc::malformed, 0);
  if (target.empty() || !is_visible(target)) return fail(Errc::malformed, first);
  VG_TRY(minor, parse_version(line.substr(last + 1)));
  request.minor = minor;
  request.connect = request.method == "CONNECT";
  if (!request.connect) return parse_absolute_form(target, request);
  VG_TRY(where, parse_authority(target, std::nullopt));
  request.target = std::move(where);
  request.authority = target;
  return ok();
}

/// status-line = HTTP-version SP 3DIGIT SP [ reason ]. Servers that leave out the last blank are read, too.
Result<void> parse_status_line(std::string_view line, HttpResponse& response) {
  if (line.size() < 12 || line[8] != ' ' || (line.size() > 12 && line[12] != ' '))
    return fail(Errc::malformed);
  VG_TRY(minor, parse_version(line.substr(0, 8)));
  response.minor = minor;
  for (const char c : line.substr(9, 3)) {
    if (!is_digit(c)) return fail(Errc::malformed, 9);
    response.status = response.status * 10 + static_cast<unsigned>(c - '0');
  }
  if (response.status < 100 || response.status > 599) return fail(Errc::malformed, 9);
  if (line.size() > 13) response.reason = line.substr(13);
  if (std::any_of(response.reason.begin(), response.reason.end(), is_control))
    return fail(Errc::malformed, 13);
  return ok();
}

// ------------------------------------------------------------------ framing

Result<std::uint64_t> parse_length(std::string_view text) {
  std::uint64_t length = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, length);
  if (problem != std::errc{} || stop != end || length > std::uint64_t{1} << 62) return fail(Errc::malformed);
  return length;
}

/// RFC 9112 6.1, 6.3: what the fields say, strictly; Kind::none if they say nothing.
Result<HttpFraming> parse_framing(const std::vector<HttpField>& fields, int minor) {
  VG_TRY(length, only(fields, "Content-Length"));
  VG_TRY(coding, only(fields, "Transfer-Encoding"));
  if (coding) {
    if (length || minor == 0) return fail(Errc::malformed);
    if (!equal_ignoring_case(*coding, "chunked")) return fail(Errc::unsupported);
    return HttpFraming{HttpFraming::Kind::chunked, 0};
  }
  if (!length) return HttpFraming{};
  VG_TRY(bytes, parse_length(*length));
  return HttpFraming{HttpFraming::Kind::length, bytes};
}

/// RFC 9112 9.3; Proxy-Connection is what old browsers send to proxies in its place.
bool persistent(const std::vector<HttpField>& fields, int minor) {
  for (const auto name : {"Connection", "Proxy-Connection"}) {
    if (list_contains(fields, name, "close")) return false;
  }
  if (minor == 1) return true;
  return list_contains(fields, "Connection", "keep-alive") ||
         list_contains(fields, "Proxy-Connection", "keep-alive");
}

/// Each name that Connection lists is looked for among the fields when the head is passed on: bounded.
Result<void> check_connection(const std::vector<HttpField>& fields) {
  std::size_t count = 0;
  for (const auto& field : fields) {
    if (equal_ignoring_case(field.name, "Connection"))
      for_each_item(field.value, [&count](auto) { ++count; });
  }
  if (count > limits::http_connection_options_max) return fail(Errc::limit_exceeded, count);
  return ok();
}

bool bodiless(unsigned status, std::string_view method) {
  return method == "HEAD" || status < 200 || status == 204 || status == 304;
}

}  // namespace

// ------------------------------------------------------------------ heads

Result<HttpRequest> parse_request_head(std::string_view head) {
  HttpRequest request;
  const auto line = take_line(head);
  if (!line) return fail(Errc::malformed);
  VG_TRY_VOID(parse_request_line(*line, request));
  VG_TRY(fields, parse_fields(head));
  request.fields = std::move(fields);
  VG_TRY_VOID(check_connection(request.fields));
  VG_TRY(host, only(request.fields, "Host"));
  // RFC 9112 3.2 wants Host in 1.1. Its value is ignored (3.2.2); CONNECT without it is common and
  // unambiguous.
  if (!host && request.minor == 1 && !request.connect) return fail(Errc::malformed);
  VG_TRY(body, parse_framing(request.fields, request.minor));
  // RFC 9110 9.3.6: CONNECT has no content; what follows is the tunnel.
  if (request.connect && body != HttpFraming{} && body != HttpFraming{HttpFraming::Kind::length, 0}) {
    return fail(Errc::malformed);
  }
  if (!request.connect) request.body = body;
  VG_TRY(credentials, only(request.fields, "Proxy-Authorization"));
  request.credentials = credentials.value_or(std::string_view{});
  request.keep_alive = persistent(request.fields, request.minor);
  return request;
}

Result<HttpResponse> parse_response_head(std::string_view head, std::string_view method) {
  HttpResponse response;
  const auto line = take_line(head);
  if (!line) return fail(Errc::malformed);
  VG_TRY_VOID(parse_status_line(*line, response));
  if (response.status == 101) return fail(Errc::malformed);
  VG_TRY(fields, parse_fields(head));
  response.fields = std::move(fields);
  VG_TRY_VOID(check_connection(response.fields));
  VG_TRY(body, parse_framing(response.fields, response.minor));
  response.body = body;
  if (bodiless(response.status, method)) {
    response.body = HttpFraming{};
  } else if (body.kind == HttpFraming::Kind::none) {
    response.body.kind = HttpFraming::Kind::until_close;
  }
  response.keep_alive =
      persistent(response.fields, response.minor) && response.body.kind != HttpFraming::Kind::until_close;
  return response;
}

unsigned http_status_of_request(Errc code) {
  switch (code) {
    case Errc::limit_exceeded:
      return 431;
    case Errc::unsupported:
      return 501;
    case Errc::version:
      return 505;
    default:
      return 400;
  }
}

unsigned http_status_of_dial(Errc code) {
  switch (code) {
    case Errc::denied:
      return 403;
    case Errc::busy:
      return 503;
    case Errc::timed_out:
      return 504;
    default:
      return 502;
  }
}

}  // namespace village::proxy
