#pragma once
// The plain payload of a packet: what a last hop hands to its client once the layers are off.
//
//   0   1   type: 1 data, 2 acknowledgement, 3 loop, 4 drop, 5 reply
//   1   16  message id
//   17  2   index of the fragment
//   19  2   count of fragments
//   21  1   count of reply blocks; each: epoch u64 | form u8 | length u16 | bytes
//   ..  2   data length, data
//   ..      zeros up to the capacity of a payload (1,683 bytes in N-2048, 2,048 in N-REG)
//
// Strict: there is one encoding of each payload. Fragments have index < count <= fragments_max and at least
// one byte of data. The other types have no reply blocks and no data, but for the acknowledgement of a last
// fragment, whose data are the 16 bytes of a DeliveryProof; loop and drop are 0 of 1. A form decides what a
// reply block is, never its length: form 1 has 396 bytes, form 2 (all keys, for the crate) 396 to 1,340.
// Source: decisions/mix, Plain payload. Vectors: tests/vectors/mix/plain_payload.json.
#include <array>
#include <cstdint>
#include <span>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/base/error.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/message_limits.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::mix {

using MessageId = ByteArray<16>;  ///< random, made by the sender
/// DeliveryProof is what only who opened a message can make (message_seal.hpp).
using DeliveryProof = ByteArray<16>;

enum class PayloadType : std::uint8_t { data = 1, acknowledgement = 2, loop = 3, drop = 4, reply = 5 };

/// ReplyForm says how to read a reply block.
enum class ReplyForm : std::uint8_t {
  last_seed = 1,  ///< our own: header 348 | first address 32 | seed of the last hop 16
  all_keys = 2,   ///< of the crate: header | first address | keys of all hops; for interop only
};

/// ReplyEnvelope is a reply block with what its user must know of it. `bytes` is a view.
struct ReplyEnvelope {
  Epoch epoch = 0;  ///< of the keys in it
  ReplyForm form = ReplyForm::last_seed;
  ByteView bytes;
};

/// read_envelope and write_envelope are one reply block on the wire. Errors: truncated, unsupported (form;
/// detail = form), malformed (length does not suit the form).
Result<ReplyEnvelope> read_envelope(wire::Reader& reader);
void write_envelope(wire::Writer& writer, const ReplyEnvelope& envelope);

/// EnvelopeList is a short list in place.
class EnvelopeList {
 public:
  const ReplyEnvelope* begin() const { return items_.data(); }
  const ReplyEnvelope* end() const { return items_.data() + count_; }
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  const ReplyEnvelope& operator[](std::size_t index) const {
    VG_CHECK(index < count_);
    return items_[index];
  }
  void push_back(const ReplyEnvelope& envelope) {
    VG_CHECK(count_ < items_.size());
    items_[count_++] = envelope;
  }

 private:
  std::array<ReplyEnvelope, limits::payload_envelopes_max> items_{};
  std::size_t count_ = 0;
};

/// PlainPayload is a payload in parts. Views live as long as the bytes that were parsed.
struct PlainPayload {
  PayloadType type = PayloadType::drop;
  MessageId message_id{};
  std::uint16_t index = 0;
  std::uint16_t count = 1;
  EnvelopeList reply_blocks;
  ByteView data;

  /// carries_message: data or reply.
  bool carries_message() const { return type == PayloadType::data || type == PayloadType::reply; }
};

/// parse_plain_payload reads the message of a packet, which must be `capacity` bytes long. O(capacity), no
/// allocation. Errors: malformed (length, type, index, count, reply blocks or data where none may be, none
/// where some must be, non-zero tail), truncated, unsupported (form), limit_exceeded (reply blocks,
/// fragments).
Result<PlainPayload> parse_plain_payload(ByteView in, std::size_t capacity);

/// write_plain_payload fills `out`, whose size is the capacity. Errors: limit_exceeded (does not fit),
/// bad_argument (parse_plain_payload would refuse it).
Result<void> write_plain_payload(const PlainPayload& payload, ByteSpan out);

/// fragment_data_bytes is how much of a message goes in one fragment with one acknowledgement block: 1,252 in
/// N-2048, 1,617 in N-REG; 0 if the capacity is too small for messages.
constexpr std::size_t fragment_data_bytes(std::size_t capacity) {
  constexpr std::size_t taken =
      limits::payload_overhead_bytes + limits::envelope_overhead_bytes + limits::reply_block_bytes;
  return capacity > taken ? capacity - taken : 0;
}

}  // namespace village::mix
