#include "control/config_edit.hpp"

#include "control/config_text.hpp"
#include "village/base/check.hpp"

namespace village::control {
namespace {

/// skip_comment gives the end of the comment that begins at `at`, or `at` if none does.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) == "//") return std::min(text.find('\n', at), text.size());
  if (text.substr(at, 2) == "/*") return std::min(text.find("*/", at + 2), text.size() - 2) + 2;
  return at;
}

/// Between is what stands between two values: where a comma is, and where the last thing that is not blank
/// ends.
struct Between {
  std::optional<std::size_t> comma;
  std::size_t solid_end;
};

Between look_between(std::string_view text, std::size_t begin, std::size_t end) {
  Between found{std::nullopt, begin};
  for (auto at = begin; at < end;) {
    if (const auto behind = skip_comment(text, at); behind != at) {
      at = found.solid_end = behind;
      continue;
    }
    const char c = text[at];
    if (c == ',') found.comma = at;
    ++at;
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') found.solid_end = at;
  }
  return found;
}

std::size_t line_begin(std::string_view text, std::size_t at) {
  const auto before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return before == std::string_view::npos ? 0 : before + 1;
}

/// indent gives the blanks that the line of `at` begins with.
std::string indent(std::string_view text, std::size_t at) {
  const auto begin = line_begin(text, at);
  auto end = begin;
  while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
  return std::string{text.substr(begin, end - begin)};
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

/// child_indent is how the entries of a container are indented, or would be.
std::string child_indent(std::string_view text, const Mark& container) {
  for (const auto& child : container.children) {
    const auto begin = line_begin(text, child.key);
    if (begin > container.begin && is_blank(text.substr(begin, child.key - begin)))
      return indent(text, child.key);
  }
  const auto own = indent(text, container.begin);
  return own + (own.find('\t') != std::string::npos ? "\t" : "  ");
}

std::string indented(const std::string& fragment, const std::string& by) {
  std::string out;
  for (const char c : fragment) {
    out.push_back(c);
    if (c == '\n') out += by;
  }
  return out;
}

/// parent splits a pointer into its container and the last token.
std::pair<std::string, std::string> parent(const std::string& pointer) {
  const auto slash = pointer.rfind('/');
  return {pointer.substr(0, slash), pointer.substr(slash + 1)};
}

}  // namespace

std::optional<ConfigEdit> ConfigEdit::open(std::string text) {
  ConfigEdit edit{std::move(text)};
  if (!edit.parse()) return std::nullopt;
  return edit;
}

bool ConfigEdit::parse() {
  Problems problems{"", text_};
  auto document = parse_document(text_, problems);
  if (!document || problems.any()) return false;
  document_ = *std::move(document);
  return true;
}

void ConfigEdit::insert(std::string_view container, const std::string& fragment) {
  const auto* mark = document_.find(container);
  VG_CHECK(mark != nullptr);
  const std::size_t close = mark->end - 1;
  const bool empty = mark->children.empty();
  const std::size_t behind_last = empty ? mark->begin + 1 : mark->children.back().end;
  const auto between = look_between(text_, behind_last, close);
  const bool one_line = !empty &&
                        text_.substr(mark->begin, mark->end - mark->begin).find('\n') == std::string::npos &&
                        fragment.find('\n') == std::string::npos;
  const auto by = child_indent(text_, *mark);
  auto changed = text_.substr(0, behind_last);
  if (!empty && !between.comma) changed += ",";
  changed += text_.substr(behind_last, between.solid_end - behind_last);
  changed += one_line ? " " + fragment : "\n" + by + indented(fragment, by);
  const auto rest = text_.substr(between.solid_end);
  // The bracket keeps its line; where it stood on the line of the last entry, it gets one of its own.
  const bool bracket_on_line =
      text_.substr(between.solid_end, close - between.solid_end).find('\n') == std::string::npos;
  if (!one_line && bracket_on_line) {
    changed += "\n" + indent(text_, mark->begin) + text_.substr(close);
  } else {
    changed += rest;
  }
  text_ = std::move(changed);
  VG_CHECK(parse());
}

void ConfigEdit::append(const std::string& pointer, const Json& entry) {
  if (document_.find(pointer) == nullptr) set(pointer, Json::array());
  insert(pointer, entry.dump(2));
}

void ConfigEdit::set(const std::string& pointer, const Json& value) {
  if (const auto* mark = document_.find(pointer)) {
    text_.replace(mark->begin, mark->end - mark->begin, inline_json(value));
    VG_CHECK(parse());
    return;
  }
  const auto [container, key] = parent(pointer);
  if (document_.find(container) == nullptr) set(container, Json::object());
  insert(container, Json(key).dump() + ": " + inline_json(value));
}

void ConfigEdit::remove(const std::string& pointer) {
  const auto [container, key] = parent(pointer);
  const auto* list = document_.find(container);
  const auto* entry = document_.find(pointer);
  VG_CHECK(list != nullptr && entry != nullptr);
  const auto index = static_cast<std::size_t>(entry - list->children.data());
  const bool last = index + 1 == list->children.size();
  const std::size_t next = last ? list->end - 1 : list->children[index + 1].key;
  const auto behind = look_between(text_, entry->end, next);
  std::size_t begin = entry->key, end = behind.comma ? *behind.comma + 1 : std::size_t{entry->end};
  if (behind.comma && is_blank(std::string_view{text_}.substr(entry->end, *behind.comma - entry->end))) {
    // nothing between the entry and its comma
  } else if (behind.comma) {  // a comment stands there: take the comma alone, then the entry
    text_.erase(*behind.comma, 1);
    end = entry->end;
  }
  if (last && !behind.comma && index > 0) {  // "[a, b]" becomes "[a]", not "[a, ]"
    const std::size_t previous = list->children[index - 1].end;
    const auto between = std::string_view{text_}.substr(previous, begin - previous);
    if (between.find_first_not_of(", ") == std::string_view::npos) begin = previous;
  }
  // Whole lines go when nothing else stands on them.
  const auto line_start = line_begin(text_, begin);
  const auto line_end = std::min(text_.find('\n', end), text_.size());
  const auto view = std::string_view{text_};
  if (is_blank(view.substr(line_start, begin - line_start)) && is_blank(view.substr(end, line_end - end)) &&
      line_end < text_.size()) {
    begin = line_start;
    end = line_end + 1;
  } else {
    while (end < text_.size() && text_[end] == ' ') ++end;
  }
  text_.erase(begin, end - begin);
  VG_CHECK(parse());
}

}  // namespace village::control
