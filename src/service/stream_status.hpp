#pragma once
// The acceptor's status byte (SOCKS5 reply codes) and the errors it stands for. Source: RFC 1928 section 6.
#include <cstddef>
#include <optional>

#include "village/base/error.hpp"

namespace village::service {

namespace stream_status {
inline constexpr std::byte connected{0}, failed{1}, denied{2}, net_unreachable{3}, host_unreachable{4},
    refused{5}, ttl_expired{6}, unsupported{7}, bad_address_type{8};
}  // namespace stream_status

/// status_of says in one byte why a target could not be reached.
std::byte status_of(Error error);
/// error_of_status is the dialer's side of it; nullopt for connected. An unknown status is `refused`.
std::optional<Error> error_of_status(std::byte status);

}  // namespace village::service
