#include "control/scalar_shapes.hpp"

#include <algorithm>

#include "control/text_forms.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

const std::string* string_of(const Json& value) { return value.get_ptr<const std::string*>(); }

Json pattern(std::string_view expression) { return {{"type", "string"}, {"pattern", expression}}; }

Shape<ByteArray<32>> bytes32(std::string what) {
  return scalar<ByteArray<32>>(
      "the 43 base64url characters of " + what, pattern("^[A-Za-z0-9_-]{43}$"),
      [](const Json& value, Hint& hint) -> std::optional<ByteArray<32>> {
        const auto* given = string_of(value);
        if (given == nullptr) return std::nullopt;
        const auto read = key_bytes(*given);
        if (!read && given->size() != 43) hint = "it has " + std::to_string(given->size()) + " characters";
        return read;
      },
      [](const ByteArray<32>& value) { return Json(wire::base64url(value)); });
}

}  // namespace

namespace detail {

std::string whole_text(std::uint64_t value) {
  auto digits = std::to_string(value);
  for (auto at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::optional<std::uint64_t> read_whole(const Json& value, std::uint64_t least, std::uint64_t most) {
  if (!value.is_number_integer()) return std::nullopt;
  if (!value.is_number_unsigned() && value.get<std::int64_t>() < 0) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  return number >= least && number <= most ? std::optional{number} : std::nullopt;
}

std::optional<std::uint64_t> read_size(const Json& value, std::uint64_t least, std::uint64_t most,
                                       Hint& hint) {
  const auto* given = string_of(value);
  if (given == nullptr) return read_whole(value, least, most);
  const auto bytes = parse_size(*given);
  if (!bytes) hint = "the units are B, KiB, MiB and GiB";
  return bytes && *bytes >= least && *bytes <= most ? bytes : std::nullopt;
}

}  // namespace detail

std::optional<ByteArray<32>> key_bytes(std::string_view text) {
  ByteArray<32> out;
  if (!wire::from_base64url(text, out)) return std::nullopt;
  return out;
}

Shape<bool> boolean() {
  return scalar<bool>(
      "true or false", {{"type", "boolean"}},
      [](const Json& value, Hint&) {
        return value.is_boolean() ? std::optional{value.get<bool>()} : std::nullopt;
      },
      [](const bool& value) { return Json(value); });
}

Shape<std::string> label() {
  return scalar<std::string>(
      "a name of 1 to 63 characters of a-z, 0-9 and \"-\"", pattern("^[a-z0-9-]{1,63}$"),
      [](const Json& value, Hint&) -> std::optional<std::string> {
        const auto* given = string_of(value);
        return given != nullptr && is_label(*given) ? std::optional{*given} : std::nullopt;
      },
      [](const std::string& value) { return Json(value); });
}

Shape<std::string> text(std::string what, std::size_t least, std::size_t most) {
  return scalar<std::string>(
      what + " of " + std::to_string(least) + " to " + std::to_string(most) + " visible ASCII characters",
      {{"type", "string"}, {"minLength", least}, {"maxLength", most}},
      [least, most](const Json& value, Hint&) -> std::optional<std::string> {
        const auto* given = string_of(value);
        if (given == nullptr || given->size() < least || given->size() > most || !is_printable(*given))
          return std::nullopt;
        return *given;
      },
      [](const std::string& value) { return Json(value); });
}

Shape<std::string> path() {
  constexpr std::size_t path_bytes_max = 4'095;
  return scalar<std::string>(
      "the path of a file", {{"type", "string"}, {"minLength", 1}},
      [](const Json& value, Hint&) -> std::optional<std::string> {
        const auto* given = string_of(value);
        if (given == nullptr || given->empty() || given->size() > path_bytes_max) return std::nullopt;
        if (given->find('\0') != std::string::npos) return std::nullopt;
        return *given;
      },
      [](const std::string& value) { return Json(value); });
}

Shape<std::string> empty_or(Shape<std::string> inner) {
  Shape<std::string> shape = inner;
  auto schema = inner.schema;
  shape.schema = {{"anyOf", Json::array({{{"const", ""}}, schema})}};
  shape.read = [inner](std::string& out, const Json& value, const Mark& mark, Reading& reading) {
    if (value == "") {
      out.clear();
      return true;
    }
    return inner.read(out, value, mark, reading);
  };
  return shape;
}

Shape<std::string> domain() {
  return scalar<std::string>(
      "a domain name or a part of one", {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}},
      [](const Json& value, Hint& hint) -> std::optional<std::string> {
        const auto* given = string_of(value);
        if (given == nullptr || !DomainName::parse(*given)) return std::nullopt;
        if (given->find('*') != std::string::npos) {
          hint = "no wildcards: \"example.org\" under \"domain_suffixes\" matches every subdomain";
          return std::nullopt;
        }
        return *given;
      },
      [](const std::string& value) { return Json(value); });
}

Shape<Duration> duration(Duration least, Duration most) {
  const bool zero = least == Duration{0};
  return scalar<Duration>(
      "a duration from \"" + duration_text(least) + "\" to \"" + duration_text(most) + "\"",
      pattern(zero ? "^(0|[0-9]+(ns|us|ms|s|m|h|d))$" : "^[0-9]+(ns|us|ms|s|m|h|d)$"),
      [least, most](const Json& value, Hint& hint) -> std::optional<Duration> {
        const auto* given = string_of(value);
        if (value.is_number_integer()) hint = "a unit is missing: \"" + value.dump() + "s\"";
        if (given == nullptr) return std::nullopt;
        const auto read = parse_duration(*given);
        if (!read) hint = "write a whole number and ms, s, m, h or d";
        return read && *read >= least && *read <= most ? read : std::nullopt;
      },
      [](const Duration& value) { return Json(duration_text(value)); });
}

Shape<Target> address(bool literal) {
  return scalar<Target>(
      literal ? "an IP address and a port such as \"127.0.0.1:1080\" or \"[::1]:1080\""
              : "an address and a port such as \"example.org:443\" or \"192.0.2.1:443\"",
      {{"type", "string"}},
      [literal](const Json& value, Hint& hint) -> std::optional<Target> {
        const auto* given = string_of(value);
        if (given == nullptr) return std::nullopt;
        const auto read = parse_target(*given, literal);
        if (!read) {
          const auto host = parse_host(*given);
          if (host && std::holds_alternative<Ipv6Address>(*host)) {
            hint = "write brackets and a port: \"[" + to_text(*host) + "]:1080\"";
          } else if (host) {
            hint = "the port is missing";
          }
          return std::nullopt;
        }
        if (literal && std::holds_alternative<DomainName>(read->host)) {
          hint = "names are not resolved here";
          return std::nullopt;
        }
        return *read;
      },
      [](const Target& value) { return Json(to_text(value)); });
}

Shape<Target> dns_server() {
  constexpr std::uint16_t dns_port = 53;
  return scalar<Target>(
      "the IP address of a name server, with or without a port", {{"type", "string"}},
      [](const Json& value, Hint&) -> std::optional<Target> {
        const auto* given = string_of(value);
        if (given == nullptr) return std::nullopt;
        if (const auto host = parse_host(*given); host && !std::holds_alternative<DomainName>(*host)) {
          return Target{*host, dns_port};
        }
        const auto read = parse_target(*given);
        if (!read || std::holds_alternative<DomainName>(read->host)) return std::nullopt;
        return *read;
      },
      [](const Target& value) { return Json(to_text(value)); });
}

Shape<crypto::Ed25519Public> public_key() { return bytes32("an Ed25519 public key"); }

Shape<crypto::SpkiPin> pin() { return bytes32("a SHA-256 of a certificate's public key"); }

const std::vector<htx::Suite>& suites_built() {
  static const std::vector<htx::Suite> built{htx::Suite::xkhfs_aesgcm_sha256, htx::Suite::xkhfs_chacha_sha256,
                                             htx::Suite::xk_aesgcm_sha256, htx::Suite::xk_chacha_sha256,
                                             htx::Suite::xk_chacha_blake2s};
  return built;
}

Shape<htx::Suite> suite() {
  std::string numbers;
  auto known = Json::array();
  for (const auto each : suites_built()) {
    const auto number = static_cast<int>(each);
    numbers += (numbers.empty() ? "" : ", ") + std::to_string(number);
    known.push_back(number);
  }
  return scalar<htx::Suite>(
      "the number of a suite, one of " + numbers, {{"type", "integer"}, {"enum", known}},
      [](const Json& value, Hint& hint) -> std::optional<htx::Suite> {
        const auto number = detail::read_whole(value, 1, 7);
        if (!number) return std::nullopt;
        const auto wanted = static_cast<htx::Suite>(*number);
        const auto& built = suites_built();
        if (std::find(built.begin(), built.end(), wanted) != built.end()) return wanted;
        hint = "this build does not speak suite " + std::to_string(*number);
        return std::nullopt;
      },
      [](const htx::Suite& value) { return Json(static_cast<int>(value)); });
}

Shape<service::AddressRange> address_range() {
  return scalar<service::AddressRange>(
      "an address block such as \"192.0.2.0/24\" or \"2001:db8::/32\"", {{"type", "string"}},
      [](const Json& value, Hint& hint) -> std::optional<service::AddressRange> {
        const auto* given = string_of(value);
        if (given == nullptr) return std::nullopt;
        const auto read = parse_range(*given);
        const auto host = parse_host(given->substr(0, given->find('/')));
        if (!read && host && !std::holds_alternative<DomainName>(*host)) {
          hint = "the prefix has at most 32 or 128 bits, and the bits behind it must be 0";
        }
        return read;
      },
      [](const service::AddressRange& value) { return Json(range_text(value)); });
}

Shape<service::PortRange> port_range() {
  return scalar<service::PortRange>(
      "a port such as 443 or a range such as \"8000-8999\"",
      {{"anyOf", Json::array({{{"type", "integer"}, {"minimum", 1}, {"maximum", 65535}},
                              {{"type", "string"}, {"pattern", "^[0-9]{1,5}(-[0-9]{1,5})?$"}}})}},
      [](const Json& value, Hint& hint) -> std::optional<service::PortRange> {
        if (const auto port = detail::read_whole(value, 1, 65'535)) {
          return service::PortRange{static_cast<std::uint16_t>(*port), static_cast<std::uint16_t>(*port)};
        }
        const auto* given = string_of(value);
        if (given == nullptr) return std::nullopt;
        const auto read = parse_ports(*given);
        if (!read && given->find('-') != std::string::npos)
          hint = "the lower port comes first, both are 1 to 65535";
        return read;
      },
      [](const service::PortRange& value) {
        if (value.first == value.last) return Json(value.first);
        return Json(std::to_string(value.first) + "-" + std::to_string(value.last));
      });
}

template <class T>
Shape<T> size(std::uint64_t least, std::uint64_t most) {
  return scalar<T>(
      "a size from \"" + size_text(least) + "\" to \"" + size_text(most) + "\"",
      {{"anyOf", Json::array({{{"type", "integer"}, {"minimum", least}, {"maximum", most}},
                              {{"type", "string"}, {"pattern", "^[0-9]+(B|KiB|MiB|GiB|TiB)?$"}}})}},
      [least, most](const Json& value, Hint& hint) -> std::optional<T> {
        const auto read = detail::read_size(value, least, most, hint);
        return read ? std::optional{static_cast<T>(*read)} : std::nullopt;
      },
      [](const T& value) { return value % 1024 == 0 && value != 0 ? Json(size_text(value)) : Json(value); });
}
template Shape<std::uint32_t> size<std::uint32_t>(std::uint64_t, std::uint64_t);
template Shape<std::uint64_t> size<std::uint64_t>(std::uint64_t, std::uint64_t);

}  // namespace village::control
