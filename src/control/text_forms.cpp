#include "control/text_forms.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace village::control {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 7> time_units{{{"d", 86'400'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"s", 1'000'000'000},
                                          {"ms", 1'000'000},
                                          {"us", 1'000},
                                          {"ns", 1}}};
constexpr std::array<Unit, 5> size_units{
    {{"TiB", 1ULL << 40}, {"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}, {"B", 1}}};

/// quantity reads digits and a unit; the result is at most 2^63 - 1.
template <std::size_t N>
std::optional<std::uint64_t> quantity(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto r = std::from_chars(text.data(), end, count);
  if (r.ec != std::errc{}) return std::nullopt;
  const std::string_view unit{r.ptr, static_cast<std::size_t>(end - r.ptr)};
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  for (const auto& known : units) {
    if (known.name == unit)
      return count <= most / known.factor ? std::optional{count * known.factor} : std::nullopt;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string quantity_text(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const auto& unit : units) {
    if (value != 0 && value % unit.factor == 0)
      return std::to_string(value / unit.factor) + std::string{unit.name};
  }
  return "0";
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration{0};
  const auto ns = quantity(text, time_units);
  if (!ns) return std::nullopt;
  return Duration{static_cast<std::int64_t>(*ns)};
}

std::string duration_text(Duration value) {
  return quantity_text(static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count())), time_units);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  if (!text.empty() && text.back() >= '0' && text.back() <= '9')
    return quantity(std::string{text} + "B", size_units);
  return quantity(text, size_units);
}

std::string size_text(std::uint64_t bytes) {
  return bytes % 1024 == 0 ? quantity_text(bytes, size_units) : std::to_string(bytes);
}

std::optional<service::AddressRange> parse_range(std::string_view text) {
  const auto slash = text.find('/');
  const auto host = parse_host(text.substr(0, slash));
  if (!host || std::holds_alternative<DomainName>(*host)) return std::nullopt;
  service::AddressRange range;
  if (const auto* v4 = std::get_if<Ipv4Address>(&*host)) range.address.assign(v4->begin(), v4->end());
  if (const auto* v6 = std::get_if<Ipv6Address>(&*host)) range.address.assign(v6->begin(), v6->end());
  const auto bits_max = static_cast<unsigned>(range.address.size() * 8);
  range.bits = bits_max;
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), range.bits);
    if (r.ec != std::errc{} || r.ptr != digits.data() + digits.size() || range.bits > bits_max)
      return std::nullopt;
  }
  for (auto bit = range.bits; bit < bits_max; ++bit) {
    if ((std::to_integer<unsigned>(range.address[bit / 8]) >> (7 - bit % 8) & 1U) != 0) return std::nullopt;
  }
  return range;
}

std::string range_text(const service::AddressRange& range) {
  Host host = Ipv4Address{};
  if (range.address.size() == 16) {
    host = Ipv6Address{};
    std::copy_n(range.address.begin(), 16, std::get<Ipv6Address>(host).begin());
  } else {
    std::copy_n(range.address.begin(), std::min<std::size_t>(4, range.address.size()),
                std::get<Ipv4Address>(host).begin());
  }
  return to_text(host) + "/" + std::to_string(range.bits);
}

std::optional<service::PortRange> parse_ports(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<std::uint16_t> {
    std::uint16_t port = 0;
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (r.ec != std::errc{} || r.ptr != digits.data() + digits.size() || port == 0) return std::nullopt;
    return port;
  };
  const auto dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return service::PortRange{*first, *last};
}

bool is_label(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_loopback(const Target& target) {
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) return village::is_loopback(*v4);
  if (const auto* v6 = std::get_if<Ipv6Address>(&target.host)) return village::is_loopback(*v6);
  return false;
}

}  // namespace village::control
