#pragma once
// Which protocol a client of a mixed port speaks: its first byte tells. Source: proxy.md section 2.
#include <cstddef>

namespace village::proxy {

enum class Protocol { socks5, socks4, http };

/// detect looks at the first byte of a connection: 05 is SOCKS5, 04 is SOCKS4 or 4a; everything else is taken
/// for HTTP, whose parser refuses what is none (a TLS hello, say) at its first byte that cannot be.
constexpr Protocol detect(std::byte first) {
  switch (std::to_integer<unsigned>(first)) {
    case 5:
      return Protocol::socks5;
    case 4:
      return Protocol::socks4;
    default:
      return Protocol::http;
  }
}

}  // namespace village::proxy
