#include "village/proxy/upgrade.hpp"

#include <algorithm>
#include <array>

#include "proxy/http_text.hpp"
#include "village/crypto/sha1.hpp"
#include "village/wire/base64.hpp"

namespace village::proxy {
namespace {

constexpr std::size_t path_chars_max = 128;
constexpr std::size_t cookie_name_chars_max = 64;
constexpr std::size_t authority_chars_max = 300;

// ------------------------------------------------------------------ how browsers write it

/// What stands in a line of a request. `fixed` is the text of its row.
enum class Part : std::uint8_t { host, origin, cookie, key, fixed };
struct Line {
  std::string_view name;
  Part part;
  std::string_view text = {};
};

// Chromium 156 on Linux: net/websockets adds the fields up to Sec-WebSocket-Version, net/http
// Accept-Encoding, Accept-Language and Cookie, and the basic handshake stream key and extensions last. The
// version in the user agent is reduced to its first number.
constexpr std::array chrome_lines{
    Line{"Host", Part::host},
    Line{"Connection", Part::fixed, "Upgrade"},
    Line{"Pragma", Part::fixed, "no-cache"},
    Line{"Cache-Control", Part::fixed, "no-cache"},
    Line{"User-Agent", Part::fixed,
         "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "
         "Safari/537.36"},
    Line{"Upgrade", Part::fixed, "websocket"},
    Line{"Origin", Part::origin},
    Line{"Sec-WebSocket-Version", Part::fixed, "13"},
    Line{"Accept-Encoding", Part::fixed, "gzip, deflate, br, zstd"},
    Line{"Accept-Language", Part::fixed, "en-US,en;q=0.9"},
    Line{"Cookie", Part::cookie},
    Line{"Sec-WebSocket-Key", Part::key},
    Line{"Sec-WebSocket-Extensions", Part::fixed, "permessage-deflate; client_max_window_bits"},
};

std::span<const Line> lines_of(UpgradeProfile profile) {
  switch (profile) {
    case UpgradeProfile::chrome:
      return chrome_lines;
  }
  return chrome_lines;
}

bool is_path_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) ||
         std::string_view{"-_.~/"}.find(c) != std::string_view::npos;
}

bool is_authority(std::string_view text) {
  return !text.empty() && text.size() <= authority_chars_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) ||
                  std::string_view{"-._:[]"}.find(c) != std::string_view::npos;
         });
}

bool is_ticket_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

bool is_ticket(std::string_view text) {
  return !text.empty() && text.size() <= limits::upgrade_ticket_chars_max &&
         std::all_of(text.begin(), text.end(), is_ticket_char);
}

}  // namespace

bool is_upgrade_path(std::string_view text) {
  if (!text.starts_with('/') || text.size() > path_chars_max) return false;
  if (!std::all_of(text.begin(), text.end(), is_path_char)) return false;
  auto rest = text.substr(1);
  while (!rest.empty()) {  // "//", "/./" and "/../" are rewritten by servers
    const auto segment = rest.substr(0, rest.find('/'));
    if (segment.empty() || segment.find_first_not_of('.') == std::string_view::npos) return false;
    rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
  }
  return true;
}

bool is_cookie_name(std::string_view text) { return is_token(text) && text.size() <= cookie_name_chars_max; }

Result<std::string> write_upgrade_request(UpgradeProfile profile, const UpgradeRequest& request,
                                          const UpgradeKey& key) {
  if (!is_upgrade_path(request.place.path) || !is_cookie_name(request.place.cookie) ||
      !is_authority(request.authority) || !is_ticket(request.ticket)) {
    return fail(Errc::bad_argument);
  }
  std::string head = "GET " + request.place.path;
  if (request.carrier == TicketCarrier::query) head.append("?bn1=").append(request.ticket);
  head += " HTTP/1.1\r\n";
  for (const auto& line : lines_of(profile)) {
    if (line.part == Part::cookie && request.carrier != TicketCarrier::cookie) continue;
    head.append(line.name).append(": ");
    switch (line.part) {
      case Part::host:
        head += request.authority;
        break;
      case Part::origin:
        head.append("https://").append(request.authority);
        break;
      case Part::cookie:
        head.append(request.place.cookie).append("=").append(request.ticket);
        break;
      case Part::key:
        head += wire::base64(key);
        break;
      case Part::fixed:
        head += line.text;
        break;
    }
    head += "\r\n";
  }
  head += "\r\n";
  return head;
}

std::string upgrade_accept(std::string_view key_text) {
  constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 1.3
  return wire::base64(crypto::sha1({as_bytes(key_text), as_bytes(guid)}));
}

std::string write_upgrade_answer(std::string_view key_text, std::string_view date) {
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nServer: nginx\r\nDate: ";
  head.append(date).append("\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ");
  head.append(upgrade_accept(key_text)).append("\r\n\r\n");
  return head;
}

// ------------------------------------------------------------------ the answer

UpgradeAnswer::UpgradeAnswer(const UpgradeKey& key)
    : collector_{limits::upgrade_answer_bytes_max}, accept_{upgrade_accept(wire::base64(key))} {}

Result<std::size_t> UpgradeAnswer::on_bytes(ByteView in) {
  VG_TRY(taken, collector_.on_bytes(in));
  if (!collector_.complete()) return taken;
  auto text = collector_.text();
  const auto line = take_line(text);
  if (!line || line->size() < 12 || !line->starts_with("HTTP/1.") || (*line)[8] != ' ')
    return fail(Errc::malformed);
  unsigned status = 0;
  for (const char c : line->substr(9, 3)) {
    if (!is_digit(c)) return fail(Errc::malformed);
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  if (line->size() > 12 && (*line)[12] != ' ') return fail(Errc::malformed);
  VG_TRY(fields, parse_fields(text));
  if (status != 101) return fail(Errc::refused, status);
  VG_TRY(accept, only(fields, "Sec-WebSocket-Accept"));
  // RFC 6455 4.1, items 2 to 6: compare the key's answer exactly; no subprotocol was asked for.
  if (!accept || *accept != accept_) return fail(Errc::auth_failed);
  if (!list_contains(fields, "Upgrade", "websocket") || !list_contains(fields, "Connection", "Upgrade"))
    return fail(Errc::malformed);
  VG_TRY(protocol, only(fields, "Sec-WebSocket-Protocol"));
  if (protocol) return fail(Errc::malformed);
  return taken;
}

// ------------------------------------------------------------------ the watch

namespace {

/// The fields that some profile sends, and what their values must be for a head to be ours.
enum class Known : std::uint8_t { any, host, connection, upgrade, version, cookie, key };
struct KnownField {
  std::string_view name;
  Known value;
};
constexpr std::array known_fields{
    KnownField{"Host", Known::host},
    KnownField{"Connection", Known::connection},
    KnownField{"Pragma", Known::any},
    KnownField{"Cache-Control", Known::any},
    KnownField{"User-Agent", Known::any},
    KnownField{"Upgrade", Known::upgrade},
    KnownField{"Origin", Known::any},
    KnownField{"Sec-WebSocket-Version", Known::version},
    KnownField{"Accept", Known::any},
    KnownField{"Accept-Encoding", Known::any},
    KnownField{"Accept-Language", Known::any},
    KnownField{"Cookie", Known::cookie},
    KnownField{"Sec-WebSocket-Key", Known::key},
    KnownField{"Sec-WebSocket-Extensions", Known::any},
    KnownField{"Sec-Fetch-Dest", Known::any},
    KnownField{"Sec-Fetch-Mode", Known::any},
    KnownField{"Sec-Fetch-Site", Known::any},
};
static_assert(known_fields.size() <= 32);

constexpr std::uint32_t bit_of(Known value) {
  for (std::size_t i = 0; i < known_fields.size(); ++i) {
    if (known_fields[i].value == value) return std::uint32_t{1} << i;
  }
  return 0;
}
constexpr std::uint32_t needed = bit_of(Known::host) | bit_of(Known::connection) | bit_of(Known::upgrade) |
                                 bit_of(Known::version) | bit_of(Known::key);

bool item_in(std::string_view list, std::string_view token) {
  bool found = false;
  for_each_item(list, [&](std::string_view item) { found = found || equal_ignoring_case(item, token); });
  return found;
}

bool is_key(std::string_view text) {
  const auto bytes = wire::from_base64(text, 16);
  return bytes.has_value() && bytes->size() == 16;
}

bool fits(Known kind, std::string_view value) {
  switch (kind) {
    case Known::host:
      return is_authority(value);
    case Known::connection:
      return item_in(value, "Upgrade");
    case Known::upgrade:
      return equal_ignoring_case(value, "websocket");
    case Known::version:
      return value == "13";
    case Known::key:
      return is_key(value);
    case Known::any:
    case Known::cookie:
      return true;
  }
  return false;
}

}  // namespace

void UpgradeWatch::decide(Verdict verdict, Reason reason) {
  verdict_ = verdict;
  reason_ = reason;
  line_ = std::string{};
}

UpgradeWatch::Verdict UpgradeWatch::on_bytes(ByteView in) {
  for (std::size_t i = 0; i < in.size() && verdict_ == Verdict::undecided; ++i) {
    const auto c = static_cast<char>(in[i]);
    if (++seen_ > limits::upgrade_head_bytes_max || line_.size() >= limits::upgrade_line_bytes_max) {
      decide(Verdict::other, Reason::too_long);
    } else if (!take(c) && verdict_ == Verdict::undecided) {
      decide(Verdict::other, in_fields_ ? Reason::not_upgrade : Reason::not_http);
    }
    if (verdict_ == Verdict::upgrade && i + 1 < in.size()) decide(Verdict::other, Reason::pipelined);
  }
  return verdict_;
}

/// take looks at one byte; false = no client of ours sends it here.
bool UpgradeWatch::take(char c) {
  if (c == '\n') {
    if (!line_.ends_with('\r')) return false;
    line_.pop_back();
    if (!in_fields_) {
      if (!take_request_line()) return false;
      in_fields_ = true;
    } else if (line_.empty()) {
      return finish();
    } else if (!take_field()) {
      return false;
    }
    line_.clear();
    return true;
  }
  if (line_.ends_with('\r') || (is_control(c) && c != '\r')) return false;
  line_.push_back(c);
  return in_fields_ || fits_request_line();
}

/// fits_request_line judges the byte that came last: "GET path[?bn1=ticket] HTTP/1.1" and CR.
bool UpgradeWatch::fits_request_line() {
  constexpr std::string_view method = "GET ", query = "?bn1=", version = " HTTP/1.1\r";
  const char c = line_.back();
  auto at = line_.size() - 1;
  if (version_at_ != 0) return at - version_at_ < version.size() && c == version[at - version_at_];
  if (at < method.size()) return c == method[at];
  at -= method.size();
  if (at < place_.path.size()) return c == place_.path[at];
  at -= place_.path.size();
  if (c == ' ') {
    version_at_ = line_.size() - 1;
    return at == 0 || at > query.size();
  }
  if (at < query.size()) return c == query[at];
  return is_ticket_char(c) && at - query.size() < limits::upgrade_ticket_chars_max;
}

/// take_request_line reads a line whose every byte fitted.
bool UpgradeWatch::take_request_line() {
  if (!line_.ends_with(" HTTP/1.1")) return false;
  const auto query = line_.find('?');
  if (query == std::string::npos) return true;
  constexpr std::size_t name_chars = 5;
  return take_ticket(std::string_view{line_}.substr(query + name_chars, version_at_ - query - name_chars));
}

bool UpgradeWatch::take_field() {
  const auto field = parse_field(line_);
  if (!field) return false;
  const auto known = std::find_if(known_fields.begin(), known_fields.end(), [&](const KnownField& each) {
    return equal_ignoring_case(each.name, field->name);
  });
  if (known == known_fields.end()) return false;
  const auto bit = std::uint32_t{1} << (known - known_fields.begin());
  if ((fields_seen_ & bit) != 0 || !fits(known->value, field->value)) return false;
  fields_seen_ |= bit;
  if (known->value == Known::key) key_ = field->value;
  return known->value != Known::cookie || take_cookie(field->value);
}

bool UpgradeWatch::take_cookie(std::string_view value) {
  while (!value.empty()) {
    const auto end = std::min(value.find(';'), value.size());
    const auto pair = trimmed(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != place_.cookie) continue;
    if (!take_ticket(pair.substr(equals + 1))) return false;
  }
  return true;
}

bool UpgradeWatch::take_ticket(std::string_view text) {
  if (!is_ticket(text) || ++tickets_ > 1) return false;
  ticket_ = text;
  return true;
}

bool UpgradeWatch::finish() {
  if ((fields_seen_ & needed) != needed) {
    decide(Verdict::other, Reason::not_upgrade);
  } else if (tickets_ != 1) {
    decide(Verdict::other, Reason::no_ticket);
  } else {
    decide(Verdict::upgrade, Reason::none);
  }
  return true;
}

}  // namespace village::proxy
