#include "village/mix/plain_payload.hpp"

#include <algorithm>

namespace village::mix {
namespace {

bool known(PayloadType type) { return type >= PayloadType::data && type <= PayloadType::reply; }

bool length_suits(ReplyForm form, std::size_t size) {
  if (form == ReplyForm::last_seed) return size == limits::reply_block_bytes;
  return size >= limits::reply_block_bytes && size <= limits::reply_block_bytes_max;
}

/// check holds parts against the rules of their type; detail = offset of the field.
Result<void> check(const PlainPayload& payload) {
  if (!known(payload.type)) return fail(Errc::malformed, 0);
  if (payload.count > limits::fragments_max) return fail(Errc::limit_exceeded, 19);
  if (payload.index >= payload.count) return fail(Errc::malformed, 17);
  if (payload.carries_message()) {
    if (payload.data.empty()) return fail(Errc::malformed, 22);
    return ok();
  }
  const bool acknowledges = payload.type == PayloadType::acknowledgement;
  if (!acknowledges && payload.count != 1) return fail(Errc::malformed, 19);
  if (!payload.reply_blocks.empty()) return fail(Errc::malformed, 21);
  const bool proves = acknowledges && payload.index + 1 == payload.count;
  if (payload.data.size() != (proves ? std::tuple_size_v<DeliveryProof> : 0))
    return fail(Errc::malformed, 22);
  return ok();
}

}  // namespace

Result<ReplyEnvelope> read_envelope(wire::Reader& reader) {
  ReplyEnvelope envelope;
  VG_TRY(epoch, reader.u64());
  VG_TRY(form, reader.u8());
  VG_TRY(size, reader.u16());
  if (form != static_cast<std::uint8_t>(ReplyForm::last_seed) &&
      form != static_cast<std::uint8_t>(ReplyForm::all_keys)) {
    return fail(Errc::unsupported, form);
  }
  envelope.epoch = epoch;
  envelope.form = static_cast<ReplyForm>(form);
  if (!length_suits(envelope.form, size)) return fail(Errc::malformed, reader.position() - 2);
  VG_TRY(bytes, reader.bytes(size));
  envelope.bytes = bytes;
  return envelope;
}

void write_envelope(wire::Writer& writer, const ReplyEnvelope& envelope) {
  VG_CHECK(length_suits(envelope.form, envelope.bytes.size()));
  writer.u64(envelope.epoch);
  writer.u8(static_cast<std::uint8_t>(envelope.form));
  writer.u16(static_cast<std::uint16_t>(envelope.bytes.size()));
  writer.bytes(envelope.bytes);
}

Result<PlainPayload> parse_plain_payload(ByteView in, std::size_t capacity) {
  if (in.size() != capacity) return fail(Errc::malformed, in.size());
  wire::Reader reader{in};
  PlainPayload payload;
  VG_TRY(type, reader.u8());
  payload.type = static_cast<PayloadType>(type);
  if (!known(payload.type)) return fail(Errc::malformed, 0);
  VG_TRY_VOID(reader.fill(payload.message_id));
  VG_TRY(index, reader.u16());
  VG_TRY(count, reader.u16());
  payload.index = index;
  payload.count = count;
  VG_TRY(blocks, reader.u8());
  if (blocks > limits::payload_envelopes_max) return fail(Errc::limit_exceeded, 21);
  for (std::size_t i = 0; i < blocks; ++i) {
    VG_TRY(envelope, read_envelope(reader));
    payload.reply_blocks.push_back(envelope);
  }
  VG_TRY(size, reader.u16());
  VG_TRY(data, reader.bytes(size));
  payload.data = data;
  VG_TRY_VOID(check(payload));
  const auto tail_at = reader.position();
  const auto tail = reader.rest();
  if (!std::all_of(tail.begin(), tail.end(), [](std::byte b) { return b == std::byte{0}; })) {
    return fail(Errc::malformed, tail_at);
  }
  return payload;
}

Result<void> write_plain_payload(const PlainPayload& payload, ByteSpan out) {
  if (!check(payload)) return fail(Errc::bad_argument);
  if (payload.data.size() > 0xffff) return fail(Errc::limit_exceeded);
  wire::Writer writer{out};
  writer.u8(static_cast<std::uint8_t>(payload.type));
  writer.bytes(payload.message_id);
  writer.u16(payload.index);
  writer.u16(payload.count);
  writer.u8(static_cast<std::uint8_t>(payload.reply_blocks.size()));
  for (const auto& envelope : payload.reply_blocks) {
    if (!length_suits(envelope.form, envelope.bytes.size())) return fail(Errc::bad_argument);
    write_envelope(writer, envelope);
  }
  writer.u16(static_cast<std::uint16_t>(payload.data.size()));
  writer.bytes(payload.data);
  writer.zeros(writer.remaining());
  if (writer.overflowed()) return fail(Errc::limit_exceeded, out.size());
  return ok();
}

}  // namespace village::mix
