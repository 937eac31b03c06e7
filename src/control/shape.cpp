#include "control/shape.hpp"

namespace village::control {

std::string_view name(Reload reload) {
  switch (reload) {
    case Reload::live:
      return "live";
    case Reload::new_sessions:
      return "new-sessions";
    case Reload::restart:
      return "restart";
  }
  return "restart";
}

std::string Reading::pointer() const {
  std::string out;
  for (const auto& token : path_) out += "/" + pointer_token(token);
  return out;
}

void Reading::error(std::size_t offset, std::string message) {
  problems_.error(offset, problems_.full() ? std::string{} : pointer(), std::move(message));
}

std::string shown(const Json& value, bool secret) {
  constexpr std::size_t shown_bytes_max = 60;
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (secret) {
    if (!value.is_string()) return "something else";
    return "a text of " + std::to_string(value.get_ref<const std::string&>().size()) + " characters";
  }
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= shown_bytes_max) return text;
  auto end = shown_bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
  return text.substr(0, end) + "...";
}

void report_unknown_key(const std::string& key, const std::vector<std::string>& known, const Mark& mark,
                        Reading& reading) {
  auto message = "unknown key " + shown(Json(key), false);
  if (const auto meant = nearest(key, known); !meant.empty()) {
    message += "; did you mean \"" + meant + "\"?";
  } else {
    message += "; known here: " + quoted_list(known, ", ");
  }
  reading.error(mark.key, std::move(message));
}

void describe(Json& schema, const Key& key, const Json& default_value, bool is_section) {
  schema["description"] = std::string{key.doc} + ".";
  if (is_section) return;
  if (!key.required && !default_value.is_discarded()) schema["default"] = default_value;
  if (key.secret) schema["writeOnly"] = true;
  schema["x-reload"] = std::string{name(key.reload)};
}

}  // namespace village::control
