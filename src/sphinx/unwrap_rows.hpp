#pragma once
// The steps of an unwrap over rows of copied headers; unwrap has one row, UnwrapBatch up to 64.
#include "sphinx/key_schedule.hpp"
#include "sphinx/slot.hpp"
#include "village/sphinx/unwrap_batch.hpp"

namespace village::sphinx {

/// OpenRow is one packet whose header is being read.
struct OpenRow {
  std::size_t index;  // of the packet
  Reject reject;
  ByteArray<32> private_key, alpha, secret;
  ByteArray<expansion_bytes> expansion;
  ByteArray<limits::routing_bytes + limits::slot_bytes> routing;  // one slot of zeros behind what came
  ByteArray<limits::mac_bytes> mac;
};

/// FinishRow is one packet that goes on.
struct FinishRow {
  std::size_t open;  // its OpenRow
  ByteArray<32> blinding, alpha;
  ByteArray<limits::payload_seed_bytes> seed;
  ByteArray<limits::payload_key_bytes> payload_key;
};

/// load copies key and header.
void load(OpenRow& row, const crypto::X25519Private& key, ByteView packet);

/// The steps of open, over at least one row. exchange forgets the private keys; it and check_macs set reject,
/// decrypt_slot turns `routing` plain.
void exchange(std::span<OpenRow> rows);
void check_macs(std::span<OpenRow> rows);
void decrypt_slot(OpenRow& row);
inline void expand(std::span<OpenRow> rows) {
  expand_secrets(column(rows, &OpenRow::secret), column(rows, &OpenRow::expansion));
}
inline Reject read(const OpenRow& row, Routing& routing) {
  return read_slot(std::span{row.routing}.first<limits::slot_bytes>(), routing);
}

/// load copies what the second half needs; make_payload_keys and blind work on at least one row.
void load(FinishRow& row, const OpenRow& open);
void make_payload_keys(std::span<FinishRow> rows);
void blind(std::span<FinishRow> rows);
/// take_full_key is for version 258: the key is in the expansion.
void take_full_key(FinishRow& row, const OpenRow& open);
/// write_header writes the header for the next hop.
void write_header(const FinishRow& row, const OpenRow& open, ByteSpan packet);

/// wipe_rows forgets everything.
template <class Row>
void wipe_rows(std::span<Row> rows) {
  crypto::wipe(std::as_writable_bytes(rows));
}

}  // namespace village::sphinx
