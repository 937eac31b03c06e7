#include "control/document.hpp"

#include <charconv>

namespace village::control {
namespace {

/// next_token takes one unescaped token off a pointer.
std::string next_token(std::string_view& pointer) {
  pointer.remove_prefix(1);
  const auto end = std::min(pointer.find('/'), pointer.size());
  std::string token;
  for (std::size_t i = 0; i < end; ++i) {
    const bool escaped = pointer[i] == '~' && i + 1 < end;
    if (escaped) ++i;
    token.push_back(escaped ? (pointer[i] == '1' ? '/' : '~') : pointer[i]);
  }
  pointer.remove_prefix(end);
  return token;
}

struct Step {
  const Json* value;
  const Mark* mark;
};

/// child follows one token; nullopt if there is no such value.
std::optional<Step> child(const Step& from, const std::string& token) {
  std::size_t index = 0;
  if (from.value->is_object()) {
    const auto& members = from.value->get_ref<const Json::object_t&>();
    for (const auto& [key, value] : members) {
      if (key == token) return Step{&value, &from.mark->children[index]};
      ++index;
    }
    return std::nullopt;
  }
  const auto r = std::from_chars(token.data(), token.data() + token.size(), index);
  if (!from.value->is_array() || r.ec != std::errc{} || index >= from.value->size()) return std::nullopt;
  return Step{&(*from.value)[index], &from.mark->children[index]};
}

/// walk follows a pointer as far as it leads; `whole` tells whether to its end.
Step walk(const Document& document, std::string_view pointer, bool& whole) {
  Step at{&document.root, &document.marks};
  whole = true;
  while (!pointer.empty() && pointer.front() == '/') {
    const auto next = child(at, next_token(pointer));
    if (!next) {
      whole = false;
      break;
    }
    at = *next;
  }
  return at;
}

}  // namespace

const Mark* Document::find(std::string_view pointer) const {
  bool whole = false;
  const auto at = walk(*this, pointer, whole);
  return whole ? at.mark : nullptr;
}

const Json* Document::value(std::string_view pointer) const {
  bool whole = false;
  const auto at = walk(*this, pointer, whole);
  return whole ? at.value : nullptr;
}

const Mark& Document::closest(std::string_view pointer) const {
  bool whole = false;
  return *walk(*this, pointer, whole).mark;
}

std::string pointer_token(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace village::control
