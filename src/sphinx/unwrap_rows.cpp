#include "sphinx/unwrap_rows.hpp"

#include "village/crypto/key_stream.hpp"

namespace village::sphinx {
namespace {

using limits::alpha_bytes, limits::mac_bytes, limits::routing_bytes, limits::slot_bytes;

constexpr std::size_t gamma_at = alpha_bytes, routing_at = alpha_bytes + mac_bytes;

}  // namespace

void load(OpenRow& row, const crypto::X25519Private& key, ByteView packet) {
  row.reject = Reject::none;
  std::ranges::copy(key.view(), row.private_key.begin());
  std::ranges::copy(packet.first<alpha_bytes>(), row.alpha.begin());
  std::ranges::copy(packet.subspan<gamma_at, mac_bytes>(), row.mac.begin());
  const auto tail = std::ranges::copy(packet.subspan<routing_at, routing_bytes>(), row.routing.begin()).out;
  std::fill(tail, row.routing.end(), std::byte{0});
}

void exchange(std::span<OpenRow> rows) {
  const auto zero = exchange_batch(column(rows, &OpenRow::private_key), column(rows, &OpenRow::alpha),
                                   column(rows, &OpenRow::secret));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i].reject = static_cast<Reject>((zero >> i & 1) * static_cast<std::uint64_t>(Reject::low_order));
    crypto::wipe(rows[i].private_key);
  }
}

void check_macs(std::span<OpenRow> rows) {
  std::array<ByteArray<mac_bytes>, limits::batch_packets_max> wanted;
  const auto macs = std::span{wanted}.first(rows.size());
  header_macs(column(rows, &OpenRow::expansion).columns(mac_key_at, mac_key_bytes),
              column(rows, &OpenRow::routing).columns(0, routing_bytes), crypto::Rows{macs});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!crypto::equal(wanted[i], rows[i].mac) && rows[i].reject == Reject::none)
      rows[i].reject = Reject::mac;
  }
}

void decrypt_slot(OpenRow& row) {
  crypto::aes128_ctr_xor(std::span{row.expansion}.subspan<stream_key_at, stream_key_bytes>(), row.routing);
}

void load(FinishRow& row, const OpenRow& open) {
  const auto expansion = std::span{open.expansion};
  std::ranges::copy(expansion.subspan<blinding_at, 32>(), row.blinding.begin());
  std::ranges::copy(open.alpha, row.alpha.begin());
  std::ranges::copy(expansion.subspan<payload_key_at, limits::payload_seed_bytes>(), row.seed.begin());
}

void make_payload_keys(std::span<FinishRow> rows) {
  derive_payload_keys(column(rows, &FinishRow::seed), column(rows, &FinishRow::payload_key));
}

void blind(std::span<FinishRow> rows) {
  const auto alphas = column(rows, &FinishRow::alpha);
  exchange_batch(column(rows, &FinishRow::blinding), alphas, alphas);
}

void take_full_key(FinishRow& row, const OpenRow& open) {
  std::ranges::copy(std::span{open.expansion}.subspan<payload_key_at, limits::payload_key_bytes>(),
                    row.payload_key.begin());
}

void write_header(const FinishRow& row, const OpenRow& open, ByteSpan packet) {
  const auto routing = std::span{open.routing};
  std::ranges::copy(row.alpha, packet.begin());
  std::ranges::copy(routing.subspan<slot_mac_at, mac_bytes>(), packet.begin() + gamma_at);
  std::ranges::copy(routing.subspan<slot_bytes, routing_bytes>(), packet.begin() + routing_at);
}

}  // namespace village::sphinx
