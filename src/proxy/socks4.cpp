#include "village/proxy/socks4.hpp"

#include <algorithm>

#include "village/proxy/limits.hpp"
#include "village/wire/reader.hpp"

namespace village::proxy {
namespace {

/// Text up to NUL, which is taken too. truncated while there is no NUL.
Result<std::string_view> text_to_nul(wire::Reader& reader) {
  wire::Reader ahead = reader;
  const auto rest = ahead.rest();
  const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
  if (end == rest.end()) return fail(Errc::truncated, ahead.position());
  const auto size = static_cast<std::size_t>(end - rest.begin());
  VG_TRY(text, reader.text(size));
  VG_TRY_VOID(reader.skip(1));
  return text;
}

Result<Socks4Request> parse(ByteView in) {
  wire::Reader reader{in};
  VG_TRY(version, reader.u8());
  if (version != 4) return fail(Errc::version, version);
  VG_TRY(command, reader.u8());
  if (command != 1) return fail(Errc::unsupported, command);
  VG_TRY(port, reader.u16());
  if (port == 0) return fail(Errc::malformed, 2);
  Ipv4Address address{};
  VG_TRY_VOID(reader.fill(address));
  VG_TRY_VOID(text_to_nul(reader));  // the user id: ports with users do not take SOCKS4 at all
  const auto zero = [&address](std::size_t i) { return address[i] == std::byte{0}; };
  if (!zero(0) || !zero(1) || !zero(2)) return Socks4Request{Target{address, port}, reader.position()};
  if (zero(3)) return fail(Errc::malformed, 4);
  VG_TRY(name, text_to_nul(reader));
  VG_TRY(host, parse_host(name));
  return Socks4Request{Target{std::move(host), port}, reader.position()};
}

}  // namespace

Result<Socks4Request> parse_socks4_request(ByteView in) {
  auto request = parse(in.first(std::min(in.size(), limits::socks4_request_bytes_max)));
  if (!request && request.error().code == Errc::truncated && in.size() >= limits::socks4_request_bytes_max) {
    return fail(Errc::limit_exceeded, in.size());
  }
  return request;
}

ByteArray<8> socks4_reply(bool granted) {
  return {std::byte{0}, static_cast<std::byte>(granted ? 0x5a : 0x5b)};
}

}  // namespace village::proxy
