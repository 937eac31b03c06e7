#pragma once
// SOCKS4 and 4a CONNECT, server side, for old clients on ports without authentication.
// Sources: "SOCKS: A protocol for TCP proxy across firewalls" (Lee), "SOCKS 4A" (Lee).
//
//   04 | CMD | PORT(2) | IP(4) | USERID ... 00 | [ NAME ... 00, when IP is 0.0.0.x with x != 0 ]
//   00 | 5A granted, 5B refused | PORT(2) | IP(4)
#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"

namespace village::proxy {

struct Socks4Request {
  Target target;
  std::size_t bytes;  ///< size of the request; what follows is the client's data
};

/// parse_socks4_request reads a request from the beginning of `in`. Errors: truncated (wait for more),
/// limit_exceeded (longer than limits::socks4_request_bytes_max), unsupported (BIND), malformed.
Result<Socks4Request> parse_socks4_request(ByteView in);

/// socks4_reply is the whole answer.
ByteArray<8> socks4_reply(bool granted);

}  // namespace village::proxy
