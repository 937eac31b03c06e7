#pragma once
// Grammar shared by heads and trailers. Source: RFC 9110 section 5.6, RFC 9112 section 5.
#include <optional>
#include <string_view>
#include <vector>

#include "text.hpp"
#include "village/base/error.hpp"
#include "village/proxy/http_head.hpp"

namespace village::proxy {

/// tchar of RFC 9110 5.6.2.
constexpr bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c)) return true;
  return std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}
constexpr bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}
/// Control characters other than HTAB. Bytes of 0x80 and up pass (obs-text).
constexpr bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t') || byte == 0x7f;
}
constexpr std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// take_line cuts one line off `text`; the line is without its CRLF. nullopt if there is no CRLF.
std::optional<std::string_view> take_line(std::string_view& text);

/// parse_field reads one line. Errors: malformed.
Result<HttpField> parse_field(std::string_view line);

/// parse_fields reads lines up to the empty one, which must be the last. Errors: malformed, limit_exceeded.
Result<std::vector<HttpField>> parse_fields(std::string_view text);

/// list_contains looks for a token in the comma-separated values of every field with this name.
bool list_contains(const std::vector<HttpField>& fields, std::string_view name, std::string_view token);

/// only gives the single field with this name. Errors: malformed if there are several; nullopt if there is
/// none.
Result<std::optional<std::string_view>> only(const std::vector<HttpField>& fields, std::string_view name);

/// for_each_item calls `visit` with each non-empty item of a comma-separated list.
template <class Visit>
void for_each_item(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto item = trimmed(list.substr(0, comma));
    if (!item.empty()) visit(item);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
}

}  // namespace village::proxy
