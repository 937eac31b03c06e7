#pragma once
// The scalar shapes of the configuration: one function for each form a value can take.
#include <cstdint>
#include <string>
#include <vector>

#include "control/shape.hpp"
#include "village/base/target.hpp"
#include "village/base/time.hpp"
#include "village/control/config.hpp"

namespace village::control {

Shape<bool> boolean();
/// label is a name of ours: [a-z0-9-]{1,63}.
Shape<std::string> label();
/// text takes `least` to `most` printable ASCII characters.
Shape<std::string> text(std::string what, std::size_t least, std::size_t most);
/// path takes a file name of 1 to 4,095 bytes; relative ones are completed after reading.
Shape<std::string> path();
/// empty_or lets "" stand for "none".
Shape<std::string> empty_or(Shape<std::string> inner);
inline Shape<std::string> optional_path() { return empty_or(path()); }
inline Shape<std::string> optional_label() { return empty_or(label()); }
inline Shape<std::string> optional_text(std::string what, std::size_t least, std::size_t most) {
  return empty_or(text(std::move(what), least, most));
}
Shape<std::string> domain();
Shape<Duration> duration(Duration least, Duration most);

/// address takes "host:port"; with `literal`, an IP address only, and port 0 too.
Shape<Target> address(bool literal);
/// dns_server takes an IP address with or without a port (53).
Shape<Target> dns_server();

Shape<crypto::Ed25519Public> public_key();
Shape<crypto::SpkiPin> pin();
/// ticket takes "<key id>.<public key>" of an invitation.
Shape<htx::TicketPublic> ticket();
/// ticket_carriers and ticket_padding take their part of a BN-Ticket header: "cookie:0.5,query:0.5",
/// "24..64".
Shape<htx::TicketPolicy> ticket_carriers();
Shape<htx::TicketPadding> ticket_padding();
Shape<htx::Suite> suite();
Shape<service::AddressRange> address_range();
Shape<service::PortRange> port_range();

/// key_bytes reads 32 bytes of base64url.
std::optional<ByteArray<32>> key_bytes(std::string_view text);
/// suites_built lists the suites that this build speaks, those of the default first.
const std::vector<htx::Suite>& suites_built();

template <class T>
struct Choice {
  std::string word;
  T value;
};

/// choice takes one of a few words.
template <class T>
Shape<T> choice(std::vector<Choice<T>> choices) {
  std::vector<std::string> words;
  for (const auto& each : choices) words.push_back(each.word);
  return scalar<T>(
      quoted_list(words), {{"type", "string"}, {"enum", words}},
      [choices, words](const Json& value, Hint& hint) -> std::optional<T> {
        if (!value.is_string()) return std::nullopt;
        for (const auto& each : choices) {
          if (value == each.word) return each.value;
        }
        const auto meant = nearest(value.template get<std::string>(), words);
        if (!meant.empty()) hint = "did you mean \"" + meant + "\"?";
        return std::nullopt;
      },
      [choices](const T& value) {
        for (const auto& each : choices) {
          if (each.value == value) return Json(each.word);
        }
        return Json(nullptr);
      });
}

namespace detail {
std::optional<std::uint64_t> read_whole(const Json& value, std::uint64_t least, std::uint64_t most);
std::optional<std::uint64_t> read_size(const Json& value, std::uint64_t least, std::uint64_t most,
                                       Hint& hint);
std::string whole_text(std::uint64_t value);
}  // namespace detail

/// whole takes a whole number of [least, most].
template <class T>
Shape<T> whole(std::uint64_t least, std::uint64_t most) {
  return scalar<T>(
      "a whole number from " + detail::whole_text(least) + " to " + detail::whole_text(most),
      {{"type", "integer"}, {"minimum", least}, {"maximum", most}},
      [least, most](const Json& value, Hint&) -> std::optional<T> {
        const auto read = detail::read_whole(value, least, most);
        return read ? std::optional{static_cast<T>(*read)} : std::nullopt;
      },
      [](const T& value) { return Json(static_cast<std::uint64_t>(value)); });
}

/// size takes a number of bytes of [least, most], as "1MiB" or as a whole number.
template <class T>
Shape<T> size(std::uint64_t least, std::uint64_t most);

extern template Shape<std::uint32_t> size<std::uint32_t>(std::uint64_t, std::uint64_t);
extern template Shape<std::uint64_t> size<std::uint64_t>(std::uint64_t, std::uint64_t);

}  // namespace village::control
