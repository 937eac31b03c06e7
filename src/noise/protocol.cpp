// The patterns as data, and the names that choose among them.
#include "village/noise/protocol.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "village/base/limits.hpp"

namespace village::noise {
namespace {

constexpr village::limits::Row rows[] = {
    {"noise", "message_bytes_max", limits::message_bytes_max, 1, "one handshake or transport message"},
    {"noise", "psks_max", limits::psks_max, 32, "pre-shared keys of one handshake"},
};
const bool declared = village::limits::declare(rows);

using enum Token;

/// Known says whose static key the other side has beforehand: a pre-message.
enum class Known : std::uint8_t { nobody, responder, initiator, both };

/// Row is one pattern: -> tokens, <- tokens, -> tokens, <- tokens.
struct Row {
  std::string_view name;
  Known known;
  Token messages[limits::pattern_messages_max][5];
};

// Noise revision 34: sections 7.4 (one-way), 7.5 (interactive) and 18.1 (deferred).
constexpr Row patterns[] = {
    // clang-format off
    {"N",    Known::responder, {{e, es}}},
    {"K",    Known::both,      {{e, es, ss}}},
    {"X",    Known::responder, {{e, es, s, ss}}},

    {"NN",   Known::nobody,    {{e},           {e, ee}}},
    {"NK",   Known::responder, {{e, es},       {e, ee}}},
    {"NX",   Known::nobody,    {{e},           {e, ee, s, es}}},
    {"XN",   Known::nobody,    {{e},           {e, ee},            {s, se}}},
    {"XK",   Known::responder, {{e, es},       {e, ee},            {s, se}}},
    {"XX",   Known::nobody,    {{e},           {e, ee, s, es},     {s, se}}},
    {"KN",   Known::initiator, {{e},           {e, ee, se}}},
    {"KK",   Known::both,      {{e, es, ss},   {e, ee, se}}},
    {"KX",   Known::initiator, {{e},           {e, ee, se, s, es}}},
    {"IN",   Known::nobody,    {{e, s},        {e, ee, se}}},
    {"IK",   Known::responder, {{e, es, s, ss}, {e, ee, se}}},
    {"IX",   Known::nobody,    {{e, s},        {e, ee, se, s, es}}},

    {"NK1",  Known::responder, {{e},           {e, ee, es}}},
    {"NX1",  Known::nobody,    {{e},           {e, ee, s},         {es}}},
    {"X1N",  Known::nobody,    {{e},           {e, ee},            {s},         {se}}},
    {"X1K",  Known::responder, {{e, es},       {e, ee},            {s},         {se}}},
    {"XK1",  Known::responder, {{e},           {e, ee, es},        {s, se}}},
    {"X1K1", Known::responder, {{e},           {e, ee, es},        {s},         {se}}},
    {"X1X",  Known::nobody,    {{e},           {e, ee, s, es},     {s},         {se}}},
    {"XX1",  Known::nobody,    {{e},           {e, ee, s},         {es, s, se}}},
    {"X1X1", Known::nobody,    {{e},           {e, ee, s},         {es, s},     {se}}},
    {"K1N",  Known::initiator, {{e},           {e, ee},            {se}}},
    {"K1K",  Known::both,      {{e, es},       {e, ee},            {se}}},
    {"KK1",  Known::both,      {{e},           {e, ee, se, es}}},
    {"K1K1", Known::both,      {{e},           {e, ee, es},        {se}}},
    {"K1X",  Known::initiator, {{e},           {e, ee, s, es},     {se}}},
    {"KX1",  Known::initiator, {{e},           {e, ee, se, s},     {es}}},
    {"K1X1", Known::initiator, {{e},           {e, ee, s},         {se, es}}},
    {"I1N",  Known::nobody,    {{e, s},        {e, ee},            {se}}},
    {"I1K",  Known::responder, {{e, es, s},    {e, ee},            {se}}},
    {"IK1",  Known::responder, {{e, s},        {e, ee, se, es}}},
    {"I1K1", Known::responder, {{e, s},        {e, ee, es},        {se}}},
    {"I1X",  Known::nobody,    {{e, s},        {e, ee, s, es},     {se}}},
    {"IX1",  Known::nobody,    {{e, s},        {e, ee, se, s},     {es}}},
    {"I1X1", Known::nobody,    {{e, s},        {e, ee, s},         {se, es}}},
    // clang-format on
};

Pattern expand(const Row& row) {
  Pattern pattern;
  pattern.base = row.name;
  pattern.initiator_known = row.known == Known::initiator || row.known == Known::both;
  pattern.responder_known = row.known == Known::responder || row.known == Known::both;
  for (const auto& message : row.messages) {
    if (message[0] == none) break;
    for (const Token token : message) {
      if (token != none) pattern.messages[pattern.message_count].push_back(token);
    }
    ++pattern.message_count;
  }
  return pattern;
}

std::optional<Pattern> find_pattern(std::string_view name) {
  const auto* row = std::find_if(std::begin(patterns), std::end(patterns),
                                 [&](const Row& candidate) { return candidate.name == name; });
  if (row == std::end(patterns)) return std::nullopt;
  return expand(*row);
}

/// cut takes the text up to the first `mark` off the front of `text`, and the mark too.
std::string_view cut(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const auto part = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return part;
}

bool is_dh(Token token) { return token == ee || token == es || token == se || token == ss; }

/// place_of_e1 finds where e1 goes in a message that has e: behind its first DH, else behind e.
std::size_t place_of_e1(const TokenList& message) {
  const auto index = [&](const Token* found) { return static_cast<std::size_t>(found - message.begin()); };
  const auto* dh = std::find_if(message.begin(), message.end(), is_dh);
  return index(dh != message.end() ? dh : std::find(message.begin(), message.end(), e));
}

/// apply_hfs puts e1 into the first message and ekem1 behind the first ee. Every interactive pattern has e in
/// its first message and ee in its second.
Result<void> apply_hfs(Pattern& pattern) {
  if (pattern.hybrid) return fail(Errc::malformed);
  if (pattern.one_way()) return fail(Errc::unsupported);
  auto& first = pattern.messages[0];
  auto& second = pattern.messages[1];
  const auto* place = std::find(second.begin(), second.end(), ee);
  VG_CHECK(first.has(e) && place != second.end());
  first.insert_behind(place_of_e1(first), e1);
  second.insert_behind(static_cast<std::size_t>(place - second.begin()), ekem1);
  pattern.hybrid = true;
  return ok();
}

/// apply_modifier changes the pattern as psk0..pskN and hfs say; a modifier given twice is malformed.
Result<void> apply_modifier(Pattern& pattern, std::string_view modifier,
                            std::array<bool, limits::psks_max>& seen) {
  constexpr std::string_view prefix = "psk";
  if (modifier.empty()) return fail(Errc::malformed);
  if (modifier == "hfs") return apply_hfs(pattern);
  if (!modifier.starts_with(prefix)) return fail(Errc::unsupported);  // fallback, unknown ones
  modifier.remove_prefix(prefix.size());
  if (modifier.size() != 1 || modifier[0] < '0' || modifier[0] > '9') return fail(Errc::malformed);
  const auto index = static_cast<std::size_t>(modifier[0] - '0');
  if (index > pattern.message_count) return fail(Errc::unsupported);
  if (seen[index]) return fail(Errc::malformed);
  seen[index] = true;
  if (index == 0) {
    pattern.messages[0].push_front(psk);
  } else {
    pattern.messages[index - 1].push_back(psk);
  }
  ++pattern.psk_count;
  return ok();
}

Result<Pattern> parse_pattern(std::string_view text) {
  const auto is_base = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  const auto base_end = std::find_if_not(text.begin(), text.end(), is_base);
  const auto base = text.substr(0, static_cast<std::size_t>(base_end - text.begin()));
  if (base.empty()) return fail(Errc::malformed);
  auto pattern = find_pattern(base);
  if (!pattern) return fail(Errc::unsupported);
  std::array<bool, limits::psks_max> seen{};
  for (auto rest = text.substr(base.size()); !rest.empty();) {
    const bool more = rest.find('+') != rest.npos;
    VG_TRY_VOID(apply_modifier(*pattern, cut(rest, '+'), seen));
    if (more && rest.empty()) return fail(Errc::malformed);
  }
  return *pattern;
}

Result<Cipher> parse_cipher(std::string_view text) {
  if (text == "ChaChaPoly") return Cipher::chacha_poly;
  if (text == "AESGCM") return Cipher::aes_gcm;
  return fail(Errc::unsupported);
}

Result<crypto::HashAlgorithm> parse_hash(std::string_view text) {
  if (text == "SHA256") return crypto::HashAlgorithm::sha256;
  if (text == "SHA512") return crypto::HashAlgorithm::sha512;
  if (text == "BLAKE2s") return crypto::HashAlgorithm::blake2s;
  if (text == "BLAKE2b") return crypto::HashAlgorithm::blake2b;
  return fail(Errc::unsupported);
}

}  // namespace

bool Pattern::needs_static(Role role) const {
  if (known(role)) return true;
  for (std::size_t i = 0; i < message_count; ++i) {
    if (writer(i) == role && messages[i].has(Token::s)) return true;
  }
  return false;
}

Result<Protocol> parse_protocol(std::string_view name) {
  if (name.size() > limits::protocol_name_bytes_max) return fail(Errc::limit_exceeded);
  if (std::count(name.begin(), name.end(), '_') != 4) return fail(Errc::malformed);
  auto rest = name;
  if (cut(rest, '_') != "Noise") return fail(Errc::malformed);
  VG_TRY(pattern, parse_pattern(cut(rest, '_')));
  // The name enters the transcript, so that its spelling is interoperability: MLKEM768, not ML-KEM-768.
  if (cut(rest, '_') != (pattern.hybrid ? "25519+MLKEM768" : "25519")) return fail(Errc::unsupported);
  VG_TRY(cipher, parse_cipher(cut(rest, '_')));
  VG_TRY(hash, parse_hash(rest));
  return Protocol{std::string{name}, pattern, cipher, hash, pattern.hybrid ? Kem::mlkem768 : Kem::none};
}

}  // namespace village::noise
