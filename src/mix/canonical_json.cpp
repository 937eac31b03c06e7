#include "village/mix/canonical_json.hpp"

#include <algorithm>
#include <optional>

#include "village/base/check.hpp"
#include "village/wire/base64.hpp"
#include "village/wire/utf8.hpp"

namespace village::mix {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

unsigned octet(char c) { return static_cast<unsigned char>(c); }

/// utf16_weight orders the first bytes of UTF-8 as UTF-16 orders code units: what needs surrogates (0xf0 and
/// up) stands before U+E000 to U+FFFF (0xee and 0xef), after everything else. Bytes behind a common prefix
/// differ in a first byte, or both go on a character of one length: then bytes are in the order of code
/// units.
unsigned utf16_weight(char c) {
  const auto byte = octet(c);
  if (byte == 0xee || byte == 0xef) return byte + 0x100;
  return byte;
}

bool utf16_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return utf16_weight(x) < utf16_weight(y); });
}

/// short_escape is the letter of a two-character escape, 0 where there is none.
char short_escape(char c) {
  switch (c) {
    case '\b':
      return 'b';
    case '\t':
      return 't';
    case '\n':
      return 'n';
    case '\f':
      return 'f';
    case '\r':
      return 'r';
    case '"':
    case '\\':
      return c;
    default:
      return 0;
  }
}

class Parser {
 public:
  Parser(ByteView text, const JsonLimits& limits) : text_{as_text(text)}, limits_{limits} {}

  Result<JsonValue> document() {
    VG_TRY(value, this->value(0));
    if (at_ != text_.size()) return fail(is_blank() ? Errc::not_canonical : Errc::trailing_bytes, at_);
    return std::move(value);
  }

 private:
  Error wrong(Errc code) const { return fail(code, at_); }
  bool at_end() const { return at_ == text_.size(); }
  bool is(char c) const { return !at_end() && text_[at_] == c; }
  bool is_digit() const { return !at_end() && text_[at_] >= '0' && text_[at_] <= '9'; }
  bool is_blank() const { return is(' ') || is('\t') || is('\n') || is('\r'); }

  /// unexpected names what is wrong with the byte here.
  Error unexpected() const {
    if (at_end()) return wrong(Errc::truncated);
    return wrong(is_blank() ? Errc::not_canonical : Errc::malformed);
  }

  Result<void> expect(std::string_view word) {
    for (const char c : word) {
      if (!is(c)) return unexpected();
      ++at_;
    }
    return ok();
  }

  Result<JsonValue> value(std::size_t depth) {
    if (at_end()) return wrong(Errc::truncated);
    if (++values_ > limits_.values_max) return wrong(Errc::limit_exceeded);
    switch (text_[at_]) {
      case '{':
        return object(depth + 1);
      case '[':
        return array(depth + 1);
      case '"': {
        VG_TRY(text, string());
        return JsonValue{std::move(text)};
      }
      case 't':
        VG_TRY_VOID(expect("true"));
        return JsonValue{true};
      case 'f':
        VG_TRY_VOID(expect("false"));
        return JsonValue{false};
      case 'n':
        return wrong(Errc::unsupported);
      default:
        return integer();
    }
  }

  Result<JsonValue> object(std::size_t depth) {
    if (depth > limits_.depth_max) return wrong(Errc::limit_exceeded);
    ++at_;
    JsonValue::Object members;
    if (is('}')) {
      ++at_;
      return JsonValue{std::move(members)};
    }
    for (;;) {
      const auto start = at_;
      if (!is('"')) return unexpected();
      VG_TRY(name, string());
      if (!members.empty() && !utf16_less(members.back().name, name)) {
        const bool known = std::any_of(members.begin(), members.end(),
                                       [&name](const JsonMember& member) { return member.name == name; });
        return fail(known ? Errc::already_exists : Errc::not_canonical, start);
      }
      VG_TRY_VOID(expect(":"));
      VG_TRY(member, value(depth));
      members.push_back({std::move(name), std::move(member)});
      if (is('}')) break;
      VG_TRY_VOID(expect(","));
    }
    ++at_;
    return JsonValue{std::move(members)};
  }

  Result<JsonValue> array(std::size_t depth) {
    if (depth > limits_.depth_max) return wrong(Errc::limit_exceeded);
    ++at_;
    JsonValue::Array items;
    if (is(']')) {
      ++at_;
      return JsonValue{std::move(items)};
    }
    for (;;) {
      VG_TRY(item, value(depth));
      items.push_back(std::move(item));
      if (is(']')) break;
      VG_TRY_VOID(expect(","));
    }
    ++at_;
    return JsonValue{std::move(items)};
  }

  Result<JsonValue> integer() {
    const bool negative = is('-');
    if (negative) ++at_;
    if (!is_digit()) return unexpected();
    const bool zero = is('0');
    std::int64_t number = 0;
    const auto start = at_;
    while (is_digit()) {
      number = number * 10 + (text_[at_] - '0');
      if (number > json_integer_max) return wrong(Errc::limit_exceeded);
      ++at_;
    }
    if (zero && (at_ - start > 1 || negative)) return fail(Errc::not_canonical, start);
    if (is('.') || is('e') || is('E')) return wrong(Errc::unsupported);
    return JsonValue{negative ? -number : number};
  }

  Result<std::string> string() {
    const auto start = at_++;
    std::string out;
    while (!is('"')) {
      if (at_end()) return wrong(Errc::truncated);
      if (octet(text_[at_]) < 0x20) return wrong(Errc::malformed);
      if (!is('\\')) {
        out += text_[at_++];
        continue;
      }
      ++at_;
      VG_TRY(c, escaped());
      out += c;
    }
    ++at_;
    if (!wire::is_utf8(as_bytes(out))) return fail(Errc::malformed, start);
    return out;
  }

  /// escaped reads what follows a backslash: only the forms that canonical_json writes.
  Result<char> escaped() {
    if (at_end()) return wrong(Errc::truncated);
    const char letter = text_[at_];
    for (const char c : {'\b', '\t', '\n', '\f', '\r', '"', '\\'}) {
      if (short_escape(c) == letter) {
        ++at_;
        return c;
      }
    }
    if (letter == '/') return wrong(Errc::not_canonical);
    if (letter != 'u') return wrong(Errc::malformed);
    ++at_;
    unsigned code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      if (at_end()) return wrong(Errc::truncated);
      const char c = text_[at_];
      if (c >= 'A' && c <= 'F') return wrong(Errc::not_canonical);
      const auto digit = digits.find(c);
      if (digit == std::string_view::npos) return wrong(Errc::malformed);
      code = code << 4 | static_cast<unsigned>(digit);
    }
    const auto c = static_cast<char>(code);
    if (code >= 0x20 || short_escape(c) != 0) return fail(Errc::not_canonical, at_ - 5);
    return c;
  }

  std::string_view text_;
  JsonLimits limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

void write_text(std::string& out, std::string_view text) {
  VG_CHECK(wire::is_utf8(as_bytes(text)));
  out += '"';
  for (const char c : text) {
    if (const char letter = short_escape(c); letter != 0) {
      out += {'\\', letter};
    } else if (octet(c) < 0x20) {
      out += "\\u00";
      out += {digits[octet(c) >> 4], digits[octet(c) & 15]};
    } else {
      out += c;
    }
  }
  out += '"';
}

void write(std::string& out, const JsonValue& value);

void write_object(std::string& out, const JsonValue::Object& object) {
  std::vector<const JsonMember*> sorted;
  sorted.reserve(object.size());
  for (const auto& member : object) sorted.push_back(&member);
  const auto less = [](const JsonMember* a, const JsonMember* b) { return utf16_less(a->name, b->name); };
  if (!std::is_sorted(sorted.begin(), sorted.end(), less)) std::sort(sorted.begin(), sorted.end(), less);
  out += '{';
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    VG_CHECK(i == 0 || sorted[i - 1]->name != sorted[i]->name);
    if (i > 0) out += ',';
    write_text(out, sorted[i]->name);
    out += ':';
    write(out, sorted[i]->value);
  }
  out += '}';
}

void write_array(std::string& out, const JsonValue::Array& array) {
  out += '[';
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += ',';
    write(out, array[i]);
  }
  out += ']';
}

void write(std::string& out, const JsonValue& value) {
  if (const auto* flag = value.boolean()) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = value.integer()) {
    VG_CHECK(*number <= json_integer_max && *number >= -json_integer_max);
    out += std::to_string(*number);
  } else if (const auto* text = value.text()) {
    write_text(out, *text);
  } else if (const auto* array = value.array()) {
    write_array(out, *array);
  } else {
    write_object(out, *value.object());
  }
}

const JsonValue nothing{false};
const std::string no_text;
const JsonValue::Array no_items;

}  // namespace

Result<JsonValue> parse_canonical_json(ByteView text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) return fail(Errc::limit_exceeded, text.size());
  return Parser{text, limits}.document();
}

std::string canonical_json(const JsonValue& value) {
  std::string out;
  write(out, value);
  return out;
}

JsonReader::JsonReader(const JsonValue& value) : object_{value.object()} {
  if (object_ == nullptr) refuse(Errc::malformed);
}

void JsonReader::refuse(Errc code) {
  if (failed_) return;
  failed_ = true;
  error_ = fail(code);
}

void JsonReader::require(bool holds, Errc what) {
  if (!holds) refuse(what);
}

const JsonValue* JsonReader::optional(std::string_view name) {
  if (failed_) return nullptr;
  for (const auto& member : *object_) {
    if (member.name != name) continue;
    ++taken_;
    return &member.value;
  }
  return nullptr;
}

const JsonValue* JsonReader::find(std::string_view name) {
  const auto* found = optional(name);
  if (found == nullptr) refuse(Errc::malformed);
  return found;
}

const JsonValue& JsonReader::member(std::string_view name) {
  const auto* found = find(name);
  return found != nullptr ? *found : nothing;
}

std::int64_t JsonReader::integer(std::string_view name, std::int64_t low, std::int64_t high) {
  const auto* number = member(name).integer();
  require(number != nullptr);
  if (number == nullptr) return low;
  require(*number >= low && *number <= high, Errc::limit_exceeded);
  return failed_ ? low : *number;
}

bool JsonReader::boolean(std::string_view name) {
  const auto* found = find(name);
  const auto* flag = found != nullptr ? found->boolean() : nullptr;
  require(flag != nullptr);
  return flag != nullptr && *flag;
}

const std::string& JsonReader::text(std::string_view name, std::size_t bytes_max) {
  const auto* text = member(name).text();
  require(text != nullptr);
  if (text == nullptr) return no_text;
  require(text->size() <= bytes_max, Errc::limit_exceeded);
  return failed_ ? no_text : *text;
}

const JsonValue::Array& JsonReader::array(std::string_view name, std::size_t size_max) {
  const auto* array = member(name).array();
  require(array != nullptr);
  if (array == nullptr) return no_items;
  require(array->size() <= size_max, Errc::limit_exceeded);
  return failed_ ? no_items : *array;
}

void JsonReader::bytes(std::string_view name, ByteSpan out) {
  const auto& letters = text(name, (out.size() * 4 + 2) / 3);
  if (failed_) return;
  const auto read = wire::from_base64url(letters, out);
  if (!read) refuse(read.error().code);
}

Result<void> JsonReader::finish() const {
  if (failed_) return error_;
  if (taken_ != object_->size()) return fail(Errc::unsupported);
  return ok();
}

}  // namespace village::mix
