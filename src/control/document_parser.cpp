// The tokenizer: JSON with comments, in one pass, every value with its place.
#include <charconv>
#include <map>

#include "control/document.hpp"
#include "village/control/limits.hpp"

namespace village::control {
namespace {

/// utf8_prefix gives the length of the valid UTF-8 prefix (RFC 3629).
std::size_t utf8_prefix(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const auto tail = [&](std::size_t at) { return (byte(at) & 0xC0U) == 0x80U; };
  while (i < text.size()) {
    const unsigned first = byte(i);
    if (first < 0x80) {
      ++i;
    } else if (first >= 0xC2 && first <= 0xDF && tail(i + 1)) {
      i += 2;
    } else if (first >= 0xE0 && first <= 0xEF && tail(i + 1) && tail(i + 2) &&
               !(first == 0xE0 && byte(i + 1) < 0xA0) && !(first == 0xED && byte(i + 1) > 0x9F)) {
      i += 3;
    } else if (first >= 0xF0 && first <= 0xF4 && tail(i + 1) && tail(i + 2) && tail(i + 3) &&
               !(first == 0xF0 && byte(i + 1) < 0x90) && !(first == 0xF4 && byte(i + 1) > 0x8F)) {
      i += 4;
    } else {
      break;
    }
  }
  return i;
}

void append_utf8(std::string& out, unsigned point) {
  const auto put = [&out](unsigned byte) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' || c == '-' ||
         c == '.' || c == '_';
}

/// is_number tells whether a word is a number by JSON's grammar.
bool is_number(std::string_view word) {
  std::size_t i = 0;
  const auto digits = [&] {
    const auto start = i;
    while (i < word.size() && word[i] >= '0' && word[i] <= '9') ++i;
    return i - start;
  };
  if (i < word.size() && word[i] == '-') ++i;
  const auto leading = i;
  const auto whole = digits();
  if (whole == 0 || (whole > 1 && word[leading] == '0')) return false;
  if (i < word.size() && word[i] == '.') {
    ++i;
    if (digits() == 0) return false;
  }
  if (i < word.size() && (word[i] == 'e' || word[i] == 'E')) {
    ++i;
    if (i < word.size() && (word[i] == '+' || word[i] == '-')) ++i;
    if (digits() == 0) return false;
  }
  return i == word.size();
}

Json number_value(std::string_view word) {
  const char* const end = word.data() + word.size();
  std::int64_t whole = 0;
  if (const auto r = std::from_chars(word.data(), end, whole); r.ec == std::errc{} && r.ptr == end)
    return whole;
  std::uint64_t large = 0;
  if (const auto r = std::from_chars(word.data(), end, large); r.ec == std::errc{} && r.ptr == end)
    return large;
  double real = 0;
  std::from_chars(word.data(), end, real);
  return real;
}

/// Parser walks once over the text. A function returns false when the structure is lost (and said why).
class Parser {
 public:
  Parser(std::string_view text, Problems& problems) : text_{text}, problems_{problems} {}

  bool run(Document& document) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    if (!skip_blank()) return false;
    if (at_ == text_.size()) return lost(0, "the file is empty; \"villaged init\" makes a configuration");
    if (text_[at_] != '{')
      return lost(at_, "the configuration is one object: expected \"{\", found " + found());
    document.marks.key = offset();
    if (!value(document.root, document.marks, 1)) return false;
    if (!skip_blank()) return false;
    if (at_ != text_.size()) return lost(at_, "nothing may follow the last \"}\", found " + found());
    return true;
  }

 private:
  std::uint32_t offset() const { return static_cast<std::uint32_t>(at_); }
  bool more() const { return at_ < text_.size(); }
  bool lost(std::size_t offset, std::string message) {
    complain(offset, std::move(message));
    return false;
  }
  void complain(std::size_t offset, std::string message) {
    problems_.error(offset, problems_.full() ? std::string{} : pointer(), std::move(message));
  }

  std::string pointer() const {
    std::string out;
    for (const auto& token : path_) out += "/" + pointer_token(token);
    return out;
  }
  std::string found() const {
    if (!more()) return "the end of the file";
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c < 0x20 || c == 0x7F) return "the control character " + std::to_string(c);
    const std::size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (c == '"') return "a text";
    return "\"" + std::string{text_.substr(at_, size)} + "\"";
  }

  bool skip_blank() {
    while (more()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else if (c == '/' && text_.substr(at_, 2) == "//") {
        const auto end = text_.find('\n', at_);
        at_ = end == std::string_view::npos ? text_.size() : end;
      } else if (c == '/' && text_.substr(at_, 2) == "/*") {
        const auto end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos)
          return lost(at_, "the comment that begins here does not end; \"*/\" is missing");
        at_ = end + 2;
      } else {
        break;
      }
    }
    return true;
  }

  bool value(Json& out, Mark& mark, std::size_t depth) {
    mark.begin = offset();
    bool fine = true;
    const char c = more() ? text_[at_] : '\0';
    if (c == '{' || c == '[') {
      if (depth > limits::config_depth_max) {
        return lost(at_,
                    "more than " + std::to_string(limits::config_depth_max) + " brackets inside one another");
      }
      fine = c == '{' ? object(out, mark, depth) : array(out, mark, depth);
    } else if (c == '"' || c == '\'') {
      std::string text;
      fine = string(text);
      if (fine) out = std::move(text);
    } else if (more() && is_word(c)) {
      word(out);
    } else if (more() && (c == ',' || c == '}' || c == ']')) {
      complain(at_, "expected a value, found " + found());
      out = Json(Json::value_t::discarded);
    } else {
      return lost(at_, "expected a value, found " + found());
    }
    mark.end = offset();
    return fine;
  }

  void word(Json& out) {
    const auto start = at_;
    while (more() && is_word(text_[at_])) ++at_;
    const auto text = text_.substr(start, at_ - start);
    if (text == "true" || text == "false") {
      out = text == "true";
    } else if (text == "null") {
      out = nullptr;
    } else if (is_number(text)) {
      out = number_value(text);
    } else {
      const bool numeric =
          (text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '+' || text[0] == '.';
      const std::string shown{text.substr(0, 40)};
      complain(start, numeric
                          ? shown + " is no JSON number; a text needs double quotes: \"" + shown + "\""
                          : shown + " is not a JSON value; a text needs double quotes: \"" + shown + "\"");
      out = Json(Json::value_t::discarded);
    }
  }

  bool string(std::string& out) {
    const auto start = at_;
    const char quote = text_[at_++];
    if (quote == '\'') complain(start, "a text needs double quotes, not single ones");
    for (;;) {
      if (!more() || text_[at_] == '\n')
        return lost(start, "the text that begins here does not end on its line");
      const char c = text_[at_];
      if (c == quote) break;
      if (c == '\\') {
        escape(out);
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        complain(at_, "a text cannot hold the control character " + std::to_string(int{c}) +
                          " as it is; write it as an escape");
      }
      out.push_back(c);
      ++at_;
    }
    ++at_;
    return true;
  }

  std::optional<unsigned> hex4(std::size_t at) const {
    unsigned point = 0;
    const auto digits = text_.substr(std::min(at, text_.size()), 4);
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
    if (digits.size() != 4 || r.ec != std::errc{} || r.ptr != digits.data() + 4) return std::nullopt;
    return point;
  }

  void escape(std::string& out) {
    const auto start = at_++;
    const char c = more() ? text_[at_] : '\0';
    static constexpr std::string_view letters = "\"\\/bfnrt", meaning = "\"\\/\b\f\n\r\t";
    if (const auto i = letters.find(c); c != '\0' && i != std::string_view::npos) {
      out.push_back(meaning[i]);
      ++at_;
      return;
    }
    if (c == 'u') {
      auto point = hex4(at_ + 1);
      std::size_t used = 5;
      if (point && *point >= 0xD800 && *point < 0xDC00 &&
          text_.substr(std::min(at_ + 5, text_.size()), 2) == "\\u") {
        const auto low = hex4(at_ + 7);
        if (low && *low >= 0xDC00 && *low < 0xE000) {
          point = 0x10000 + ((*point - 0xD800) << 10) + (*low - 0xDC00);
          used = 11;
        }
      }
      if (point && (*point < 0xD800 || *point > 0xDFFF)) {
        append_utf8(out, *point);
        at_ += used;
        return;
      }
    }
    complain(
        start,
        "unknown escape in a text; JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hex digits");
  }

  bool key(std::string& out) {
    if (text_[at_] == '"' || text_[at_] == '\'') return string(out);
    const auto start = at_;
    while (more() && is_word(text_[at_])) ++at_;
    if (at_ == start) return lost(at_, "expected a key in double quotes, found " + found());
    out = text_.substr(start, at_ - start);
    complain(start, "a key needs double quotes: \"" + out + "\"");
    return true;
  }

  bool member(Json::object_t& out, Mark& mark, std::map<std::string, std::size_t>& seen, std::size_t depth) {
    Mark child;
    child.key = offset();
    std::string name;
    if (!key(name)) return false;
    path_.push_back(name);
    const auto [first, is_new] = seen.emplace(name, child.key);
    if (!is_new) {
      complain(child.key, "the key \"" + name + "\" stands here a second time; the first is on line " +
                              std::to_string(problems_.line(first->second)));
    }
    if (!skip_blank()) return false;
    if (more() && text_[at_] == ':') {
      ++at_;
    } else if (more() && text_[at_] != '=') {
      complain(at_, "expected \":\" behind the key \"" + name + "\", found " + found());
    } else {
      return lost(at_, "expected \":\" behind the key \"" + name + "\", found " + found());
    }
    if (!skip_blank()) return false;
    Json child_value;
    if (!value(child_value, child, depth + 1)) return false;
    path_.pop_back();
    if (is_new) {
      out.emplace_back(std::move(name), std::move(child_value));
      mark.children.push_back(std::move(child));
    }
    return true;
  }

  bool object(Json& out, Mark& mark, std::size_t depth) {
    out = Json::object();
    auto& members = out.get_ref<Json::object_t&>();
    std::map<std::string, std::size_t> seen;
    return sequence(mark, '}', "object", [&] { return member(members, mark, seen, depth); });
  }

  bool array(Json& out, Mark& mark, std::size_t depth) {
    out = Json::array();
    auto& elements = out.get_ref<Json::array_t&>();
    return sequence(mark, ']', "list", [&] {
      path_.push_back(std::to_string(elements.size()));
      Mark child;
      child.key = offset();
      elements.emplace_back();
      if (!value(elements.back(), child, depth + 1)) return false;
      mark.children.push_back(std::move(child));
      path_.pop_back();
      return true;
    });
  }

  /// sequence reads entries divided by commas up to `close`.
  template <class Entry>
  bool sequence(const Mark& mark, char close, const char* what, Entry entry) {
    ++at_;
    for (bool comma = true;;) {
      if (!skip_blank()) return false;
      if (!more()) {
        return lost(at_, std::string{"the file ends inside the "} + what + " that begins on line " +
                             std::to_string(problems_.line(mark.begin)) + "; \"" + close + "\" is missing");
      }
      const char c = text_[at_];
      if (c == close) {
        ++at_;
        return true;
      }
      if (c == '}' || c == ']') {
        return lost(at_, std::string{"expected \""} + close + "\" to end the " + what +
                             " that begins on line " + std::to_string(problems_.line(mark.begin)) +
                             ", found " + found());
      }
      if (c == ',') {
        if (comma) complain(at_, "one comma too many");
        comma = true;
        ++at_;
        continue;
      }
      if (!comma) {
        complain(at_, "expected \",\" before this entry");
        if (c != '"' && c != '{' && c != '[' && !is_word(c)) return false;
      }
      if (!entry()) return false;
      comma = false;
    }
  }

  std::string_view text_;
  Problems& problems_;
  std::size_t at_ = 0;
  std::vector<std::string> path_;
};

}  // namespace

std::optional<Document> parse_document(std::string_view text, Problems& problems) {
  if (text.size() > limits::config_bytes_max) {
    problems.file_error("the file has " + std::to_string(text.size()) + " bytes; at most " +
                        std::to_string(limits::config_bytes_max) + " are read");
    return std::nullopt;
  }
  if (const auto valid = utf8_prefix(text); valid != text.size()) {
    problems.error(valid, {}, "this byte is not UTF-8; save the file as UTF-8");
    return std::nullopt;
  }
  Document document;
  if (!Parser{text, problems}.run(document)) return std::nullopt;
  return document;
}

}  // namespace village::control
