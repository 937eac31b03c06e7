#pragma once
// The words of HTX: roles, suites, stream ids, error codes, services. Source: decisions/htx
// (docs/protocols/htx.md).
#include <cstdint>
#include <string_view>

#include "village/base/bytes.hpp"

namespace village::htx {

enum class Role : std::uint8_t { client, server };  ///< client = who dialled and sent the first Noise message

using StreamId = std::uint32_t;  ///< odd: opened by the client; even: by the server; 0 = the connection

/// Suite is the number in the first flight 'H' 'T' 'X' suite.
enum class Suite : std::uint8_t {
  xk_chacha_sha256 = 1,
  xk_chacha_blake2s = 2,
  xkhfs_chacha_sha256 = 3,
  xk_aesgcm_sha256 = 4,
  xkhfs_aesgcm_sha256 = 5,
  ik_chacha_sha256 = 6,
  xkpsk3_chacha_sha256 = 7,
};

/// Code is the u16 of CLOSE frames and resets. 0x8000 and up are private.
enum class Code : std::uint16_t {
  ok = 0,
  version_negotiation_failed = 1,
  auth_failed = 2,
  path_invalid = 3,
  replay = 4,
  flow_control_violation = 5,
  old_key_frame = 6,
  malformed_frame = 7,
  internal_error = 8,
  policy_rejected = 9,
  unsupported_feature = 10,
  // Private codes of this implementation; a peer that does not know them sees a reset.
  deadline_missed = 0x8001,  ///< data was not sent by its deadline
  stalled = 0x8002,          ///< the peer gave the stream no credit for too long
  slow_reader = 0x8003,      ///< unread data filled the session, and this stream's waited longest
};
std::string_view name(Code code);

/// Service is the first byte that the opener of a stream sends.
enum class Service : std::uint8_t { tcp = 1, udp = 2, rpc = 3, tcpcl = 4, mix = 5, file = 6 };

/// Priority class of a stream: a lower class is served first, streams of one class share by deficit round
/// robin.
enum class Priority : std::uint8_t { urgent = 0, interactive = 1, bulk = 2 };

}  // namespace village::htx
