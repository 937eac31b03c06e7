#include "village/wire/socks_address.hpp"

namespace village::wire {
namespace {

template <class Address>
Result<Host> read_address(Reader& reader) {
  Address address{};
  VG_TRY_VOID(reader.fill(address));
  return Host{address};
}

Result<Host> read_name(Reader& reader) {
  VG_TRY(size, reader.u8());
  VG_TRY(text, reader.text(size));
  VG_TRY(domain, DomainName::parse(text));
  return Host{std::move(domain)};
}

Result<Host> read_host(Reader& reader) {
  VG_TRY(type, reader.u8());
  switch (AddressType{type}) {
    case AddressType::ipv4:
      return read_address<Ipv4Address>(reader);
    case AddressType::name:
      return read_name(reader);
    case AddressType::ipv6:
      return read_address<Ipv6Address>(reader);
  }
  return fail(Errc::unsupported, type);
}

}  // namespace

Result<Target> read_target(Reader& reader, bool allow_zero_port) {
  Reader ahead = reader;
  VG_TRY(host, read_host(ahead));
  VG_TRY(port, ahead.u16());
  if (port == 0 && !allow_zero_port) return fail(Errc::malformed, ahead.position() - 2);
  reader = ahead;
  return Target{std::move(host), port};
}

void write_target(Writer& writer, const Target& target) {
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) {
    writer.u8(static_cast<std::uint8_t>(AddressType::ipv4));
    writer.bytes(*v4);
  } else if (const auto* v6 = std::get_if<Ipv6Address>(&target.host)) {
    writer.u8(static_cast<std::uint8_t>(AddressType::ipv6));
    writer.bytes(*v6);
  } else {
    const auto& text = std::get<DomainName>(target.host).text();
    writer.u8(static_cast<std::uint8_t>(AddressType::name));
    writer.u8(static_cast<std::uint8_t>(text.size()));
    writer.text(text);
  }
  writer.u16(target.port);
}

std::size_t target_bytes(const Target& target) {
  if (std::holds_alternative<Ipv4Address>(target.host)) return 1 + 4 + 2;
  if (std::holds_alternative<Ipv6Address>(target.host)) return 1 + 16 + 2;
  return 1 + 1 + std::get<DomainName>(target.host).text().size() + 2;
}

}  // namespace village::wire
