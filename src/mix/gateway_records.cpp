#include "village/mix/gateway_records.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::mix {
namespace {

Result<void> all_zero(wire::Reader& reader) {
  const auto at = reader.position();
  const auto rest = reader.rest();
  if (!std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; })) {
    return fail(Errc::malformed, at);
  }
  return ok();
}

bool is_rotation(std::byte value) { return value == std::byte{1} || value == std::byte{2}; }

}  // namespace

GatewayRecords::GatewayRecords(std::size_t packet_bytes) : packet_bytes_{packet_bytes} {
  VG_CHECK(packet_bytes >= sphinx::limits::header_bytes + sphinx::limits::payload_bytes_min);
  VG_CHECK(packet_bytes <= sphinx::limits::header_bytes + sphinx::limits::payload_bytes_max);
}

Result<void> GatewayRecords::write(const UpRecord& record, ByteSpan out) const {
  const bool packet = record.kind == UpRecord::Kind::packet;
  if (out.size() != record_bytes()) return fail(Errc::bad_argument);
  if (packet && (record.packet.size() != packet_bytes_ || !is_rotation(record.rotation))) {
    return fail(Errc::bad_argument);
  }
  wire::Writer writer{out};
  writer.u8(static_cast<std::uint8_t>(record.kind));
  writer.u8(packet ? std::to_integer<std::uint8_t>(record.rotation) : 0);
  for (const auto sequence : record.acknowledged) writer.u64(sequence);
  if (record.kind == UpRecord::Kind::hello) {
    writer.u8(record.version);
    writer.u32(record.packet_bytes);
  } else if (packet) {
    writer.bytes(record.first);
    writer.bytes(record.packet);
  }
  writer.zeros(writer.remaining());
  VG_CHECK(!writer.overflowed());
  return ok();
}

Result<void> GatewayRecords::write(const DownRecord& record, ByteSpan out) const {
  const bool delivery = record.kind == DownRecord::Kind::delivery;
  if (out.size() != record_bytes()) return fail(Errc::bad_argument);
  if (delivery && (record.payload.size() != payload_bytes() || record.sequence == 0)) {
    return fail(Errc::bad_argument);
  }
  wire::Writer writer{out};
  writer.u8(static_cast<std::uint8_t>(record.kind));
  writer.u64(delivery ? record.sequence : 0);
  if (record.kind == DownRecord::Kind::welcome) {
    writer.u8(record.version);
    writer.u8(static_cast<std::uint8_t>(record.answer));
    writer.u32(record.waiting);
  } else if (delivery) {
    writer.bytes(record.identifier);
    writer.bytes(record.payload);
  }
  writer.zeros(writer.remaining());
  VG_CHECK(!writer.overflowed());
  return ok();
}

Result<UpRecord> GatewayRecords::read_up(ByteView in) const {
  if (in.size() != record_bytes()) return fail(Errc::malformed, in.size());
  wire::Reader reader{in};
  UpRecord record;
  VG_TRY(kind, reader.u8());
  if (kind > static_cast<std::uint8_t>(UpRecord::Kind::packet)) return fail(Errc::malformed, 0);
  record.kind = static_cast<UpRecord::Kind>(kind);
  VG_TRY(rotation, reader.u8());
  record.rotation = std::byte{rotation};
  const bool packet = record.kind == UpRecord::Kind::packet;
  if (packet ? !is_rotation(record.rotation) : rotation != 0) return fail(Errc::malformed, 1);
  for (auto& sequence : record.acknowledged) {
    VG_TRY(value, reader.u64());
    sequence = value;
  }
  if (record.kind == UpRecord::Kind::hello) {
    VG_TRY(version, reader.u8());
    VG_TRY(bytes, reader.u32());
    record.version = version;
    record.packet_bytes = bytes;
  } else if (packet) {
    VG_TRY_VOID(reader.fill(record.first));
    VG_TRY(bytes, reader.bytes(packet_bytes_));
    record.packet = bytes;
  }
  VG_TRY_VOID(all_zero(reader));
  return record;
}

Result<DownRecord> GatewayRecords::read_down(ByteView in) const {
  if (in.size() != record_bytes()) return fail(Errc::malformed, in.size());
  wire::Reader reader{in};
  DownRecord record;
  VG_TRY(kind, reader.u8());
  if (kind > static_cast<std::uint8_t>(DownRecord::Kind::delivery)) return fail(Errc::malformed, 0);
  record.kind = static_cast<DownRecord::Kind>(kind);
  VG_TRY(sequence, reader.u64());
  record.sequence = sequence;
  const bool delivery = record.kind == DownRecord::Kind::delivery;
  if (delivery != (sequence != 0)) return fail(Errc::malformed, 1);
  if (record.kind == DownRecord::Kind::welcome) {
    VG_TRY(version, reader.u8());
    VG_TRY(answer, reader.u8());
    VG_TRY(waiting, reader.u32());
    if (answer > static_cast<std::uint8_t>(Answer::busy)) return fail(Errc::malformed, 10);
    record.version = version;
    record.answer = static_cast<Answer>(answer);
    record.waiting = waiting;
  } else if (delivery) {
    VG_TRY_VOID(reader.fill(record.identifier));
    VG_TRY(bytes, reader.bytes(payload_bytes()));
    record.payload = bytes;
  }
  VG_TRY_VOID(all_zero(reader));
  return record;
}

}  // namespace village::mix
