#pragma once
// Records between a client and its gateway, on one HTX stream. All records of both directions have one size,
// so that nothing but their times can be seen; the times are those of a Poisson stream (cover_stream.hpp).
//
//   up (client to gateway)                          down
//   0    1   kind: 0 empty, 1 hello, 2 packet       0   1   kind: 0 empty, 1 welcome, 2 delivery
//   1    1   rotation (packet), else 0              1   8   sequence of the delivery, else 0
//   2    64  8 acknowledged sequences, 0 = none     9   ..  body
//   66   ..  body
//   hello   : version u8 (1) | packet bytes u32     welcome : version u8 (1) | answer u8 | waiting u32
//   packet  : first address 32 | packet             delivery: identifier 16 | payload
//   zeros up to the record size: 98 + packet bytes (2,146 in N-2048, 2,511 in N-REG)
//
// The client is the node at the other end of the HTX session. It sends hello first and nothing else until
// welcome. Deliveries keep their sequence until they are acknowledged: what was handed over but not
// acknowledged when a session is over comes again in the next one, under the same sequence. Strict: unused
// fields are zero. Decided in docs/decisions/010.
#include <array>
#include <cstdint>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/mix/message_limits.hpp"
#include "village/sphinx/types.hpp"

namespace village::mix {

inline constexpr std::uint8_t gateway_records_version = 1;

/// Answer is what a gateway says to hello.
enum class Answer : std::uint8_t {
  accepted = 0,
  denied = 1,       ///< this node is none of its clients
  unsupported = 2,  ///< version or packet size
  busy = 3,         ///< no room for another client
};

/// gateway_record_bytes is the size of every record of both directions.
constexpr std::size_t gateway_record_bytes(std::size_t packet_bytes) {
  return 1 + 1 + 8 * limits::record_acknowledgements_max + 32 + packet_bytes;
}

/// UpRecord is one record of a client. `packet` is a view.
struct UpRecord {
  enum class Kind : std::uint8_t { empty = 0, hello = 1, packet = 2 };
  Kind kind = Kind::empty;
  std::array<std::uint64_t, limits::record_acknowledgements_max> acknowledged{};  ///< 0 = none
  std::byte rotation{};                                                           ///< packet: 1 odd, 2 even
  sphinx::NodeAddress first{};     ///< packet: where the gateway sends it
  ByteView packet;                 ///< packet: as it goes on the link, without the frame header
  std::uint8_t version = 0;        ///< hello
  std::uint32_t packet_bytes = 0;  ///< hello
};

/// DownRecord is one record of a gateway. `payload` is a view.
struct DownRecord {
  enum class Kind : std::uint8_t { empty = 0, welcome = 1, delivery = 2 };
  Kind kind = Kind::empty;
  std::uint64_t sequence = 0;        ///< delivery: > 0
  sphinx::Identifier identifier{};   ///< delivery: of the packet's last slot
  ByteView payload;                  ///< delivery: as the last hop decrypted it, packet bytes - 348
  std::uint8_t version = 0;          ///< welcome
  Answer answer = Answer::accepted;  ///< welcome
  std::uint32_t waiting = 0;         ///< welcome: deliveries stored for this client
};

/// GatewayRecords is the codec for one packet size. No allocation. Reading: `in` must be one whole record.
/// Errors of reading: malformed (detail = offset). Errors of writing: bad_argument (out is not one record, or
/// a packet or payload has not the size of the profile).
class GatewayRecords {
 public:
  /// packet_bytes: 348 + payload, at most 348 + payload_bytes_max (VG_CHECKed).
  explicit GatewayRecords(std::size_t packet_bytes);

  std::size_t record_bytes() const { return gateway_record_bytes(packet_bytes_); }
  std::size_t packet_bytes() const { return packet_bytes_; }
  std::size_t payload_bytes() const { return packet_bytes_ - sphinx::limits::header_bytes; }

  Result<void> write(const UpRecord& record, ByteSpan out) const;
  Result<void> write(const DownRecord& record, ByteSpan out) const;
  Result<UpRecord> read_up(ByteView in) const;
  Result<DownRecord> read_down(ByteView in) const;

 private:
  std::size_t packet_bytes_;
};

}  // namespace village::mix
