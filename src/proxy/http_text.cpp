#include "http_text.hpp"

#include "village/proxy/limits.hpp"

namespace village::proxy {

std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

Result<HttpField> parse_field(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return fail(Errc::malformed, line.size());
  // A blank before the colon or at the start of the line (a folded one) is not a token character. RFC
  // 9112 5.1, 5.2
  const auto name = line.substr(0, colon);
  if (!is_token(name)) return fail(Errc::malformed, 0);
  const auto value = trimmed(line.substr(colon + 1));
  for (const char c : value) {
    if (is_control(c)) return fail(Errc::malformed, colon + 1);
  }
  return HttpField{name, value};
}

Result<std::vector<HttpField>> parse_fields(std::string_view text) {
  std::vector<HttpField> fields;
  while (true) {
    const auto line = take_line(text);
    if (!line) return fail(Errc::malformed, text.size());
    if (line->empty()) break;
    if (fields.size() == limits::http_fields_max) return fail(Errc::limit_exceeded, fields.size());
    VG_TRY(field, parse_field(*line));
    fields.push_back(field);
  }
  if (!text.empty()) return fail(Errc::trailing_bytes, text.size());
  return fields;
}

bool list_contains(const std::vector<HttpField>& fields, std::string_view name, std::string_view token) {
  bool found = false;
  for (const auto& field : fields) {
    if (!equal_ignoring_case(field.name, name)) continue;
    for_each_item(field.value,
                  [&](std::string_view item) { found = found || equal_ignoring_case(item, token); });
  }
  return found;
}

Result<std::optional<std::string_view>> only(const std::vector<HttpField>& fields, std::string_view name) {
  std::optional<std::string_view> value;
  for (const auto& field : fields) {
    if (!equal_ignoring_case(field.name, name)) continue;
    if (value) return fail(Errc::malformed, 0);
    value = field.value;
  }
  return value;
}

}  // namespace village::proxy
