#include "village/proxy/site_request.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/http_text.hpp"

namespace village::proxy {
namespace {

std::optional<unsigned> hex_digit(char c) {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  const char small = lower(c);
  if (small >= 'a' && small <= 'f') return static_cast<unsigned>(small - 'a' + 10);
  return std::nullopt;
}

Result<std::string> decoded_path(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return fail(Errc::malformed);
    const auto high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (!high || !low || (*high == 0 && *low == 0)) return fail(Errc::malformed);
    path.push_back(static_cast<char>(*high * 16 + *low));
    i += 2;
  }
  return path;
}

/// Segments that name something else than themselves make the request malformed: nothing is rewritten.
bool has_odd_segment(std::string_view path) {
  path.remove_prefix(1);
  while (!path.empty()) {
    const auto segment = path.substr(0, path.find('/'));
    if (segment.empty() || segment == "." || segment == "..") return true;
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
  }
  return false;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value);
  if (text.empty() || problem != std::errc{} || stop != end) return std::nullopt;
  return value;
}

}  // namespace

Result<std::string> parse_site_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const auto scheme = target.find("://");
    if (scheme == std::string_view::npos) return fail(Errc::malformed);
    const auto path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view{"/"} : target.substr(path);
  }
  VG_TRY(path, decoded_path(target.substr(0, target.find_first_of("?#"))));
  if (has_odd_segment(path)) return fail(Errc::malformed);
  return std::move(path);
}

Result<SiteRequest> parse_site_request(std::string_view head) {
  SiteRequest request;
  const auto line = take_line(head);
  if (!line) return fail(Errc::malformed);
  const auto first = line->find(' '), last = line->rfind(' ');
  if (first == std::string_view::npos || first == last) return fail(Errc::malformed);
  request.method = line->substr(0, first);
  const auto version = line->substr(last + 1);
  if (!is_token(request.method) || !version.starts_with("HTTP/")) return fail(Errc::malformed);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail(Errc::version);
  const auto target = line->substr(first + 1, last - first - 1);
  if (target.empty() || target.find(' ') != std::string_view::npos) return fail(Errc::malformed);
  VG_TRY(path, parse_site_target(target));
  request.path = std::move(path);
  VG_TRY(fields, parse_fields(head));
  VG_TRY(host, only(fields, "Host"));
  const bool old = version == "HTTP/1.0";
  if (!host && !old) return fail(Errc::malformed);  // RFC 9112 3.2
  request.keep_alive =
      old ? list_contains(fields, "Connection", "keep-alive") : !list_contains(fields, "Connection", "close");
  for (const auto& field : fields) {
    const auto is = [&field](std::string_view name) { return equal_ignoring_case(field.name, name); };
    if (is("Content-Length")) request.has_body = request.has_body || field.value != "0";
    if (is("Transfer-Encoding")) request.has_body = true;
    if (is("If-None-Match")) request.if_none_match = field.value;
    if (is("If-Modified-Since")) request.if_modified_since = field.value;
    if (is("Range")) request.range = field.value;
  }
  return request;
}

Result<std::optional<ByteRange>> parse_byte_range(std::string_view text, std::uint64_t size) {
  const std::optional<ByteRange> whole;
  constexpr std::string_view unit = "bytes=";
  if (!text.starts_with(unit)) return whole;
  text.remove_prefix(unit.size());
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first = number(text.substr(0, dash)), last = number(text.substr(dash + 1));
  if (dash == 0) {  // the last so many
    if (!last) return whole;
    if (*last == 0 || size == 0) return fail(Errc::limit_exceeded);
    return std::optional{ByteRange{size - std::min(size, *last), size - 1}};
  }
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return whole;
  if (*first >= size) return fail(Errc::limit_exceeded);
  return std::optional{ByteRange{*first, last ? std::min(*last, size - 1) : size - 1}};
}

}  // namespace village::proxy
