#include "village/sphinx/unwrap.hpp"

#include "sphinx/unwrap_rows.hpp"
#include "village/base/check.hpp"
#include "village/crypto/lioness.hpp"

namespace village::sphinx {
namespace {

Reject open_row(OpenRow& row, Unwrapped& found) {
  const std::span rows{&row, 1};
  exchange(rows);
  expand(rows);
  check_macs(rows);
  if (row.reject != Reject::none) return row.reject;
  decrypt_slot(row);
  std::ranges::copy(std::span{row.expansion}.subspan<tag_at, 32>(), found.tag.begin());
  return read(row, found.routing);
}

void finish_row(const OpenRow& open, const Routing& routing, ByteSpan packet) {
  FinishRow row;
  const std::span rows{&row, 1};
  load(row, open);
  if (routing.version == Version::payload_keys) {
    take_full_key(row, open);
  } else {
    make_payload_keys(rows);
  }
  crypto::lioness_decrypt(row.payload_key, packet.subspan(limits::header_bytes));
  if (!routing.last) {
    blind(rows);
    write_header(row, open, packet);
  }
  wipe_rows(rows);
}

}  // namespace

std::string_view name(Reject reason) {
  switch (reason) {
    case Reject::none:
      return "none";
    case Reject::length:
      return "length";
    case Reject::low_order:
      return "low_order";
    case Reject::mac:
      return "mac";
    case Reject::flag:
      return "flag";
    case Reject::version:
      return "version";
    case Reject::payload:
      return "payload";
  }
  return "unknown";
}

Reject unwrap(const crypto::X25519Private& key, std::size_t payload_bytes, ByteSpan packet,
              Unwrapped& found) {
  VG_CHECK(payload_bytes >= limits::payload_bytes_min && payload_bytes <= limits::payload_bytes_max);
  if (packet.size() != limits::packet_bytes(payload_bytes)) return Reject::length;
  OpenRow row;
  load(row, key, packet);
  const auto reject = open_row(row, found);
  if (reject == Reject::none) finish_row(row, found.routing, packet);
  wipe_rows(std::span{&row, 1});
  return reject;
}

}  // namespace village::sphinx
