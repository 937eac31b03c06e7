#include "village/sphinx/unwrap_batch.hpp"

#include "sphinx/unwrap_rows.hpp"
#include "village/base/check.hpp"
#include "village/crypto/lioness.hpp"

namespace village::sphinx {
namespace {

using limits::batch_packets_max;

/// Payloads are decrypted so many at a time, in memory that stays in the first-level cache. The hash kernels
/// have 8 lanes at most.
constexpr std::size_t payload_group = 8;

struct Found {
  Reject reject = Reject::length;
  Unwrapped unwrapped;
};

}  // namespace

struct UnwrapBatch::State {
  explicit State(std::size_t bytes) : payload_bytes{bytes}, payloads(payload_group * bytes) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { forget(); }

  std::size_t payload_bytes;
  PhaseProbe* probe = nullptr;
  std::array<ByteSpan, batch_packets_max> packets;
  std::array<Found, batch_packets_max> found;
  std::array<OpenRow, batch_packets_max> open;      // the first `opened`: packets of the right length
  std::array<FinishRow, batch_packets_max> finish;  // the first `finished`: forward packets, then last ones
  std::size_t count = 0, opened = 0, forward = 0, finished = 0;
  Bytes payloads;  // a group being decrypted; wiped after use

  std::span<OpenRow> open_rows() { return std::span{open}.first(opened); }
  std::span<FinishRow> finish_rows() { return std::span{finish}.first(finished); }
  const Routing& routing(const FinishRow& row) const { return found[open[row.open].index].unwrapped.routing; }
  ByteSpan packet(const FinishRow& row) const { return packets[open[row.open].index]; }

  void ended(Phase phase) const {
    if (probe != nullptr) probe->ended(phase);
  }
  void forget() {
    wipe_rows(open_rows());
    wipe_rows(finish_rows());
    opened = forward = finished = 0;
  }

  template <class KeyOf>
  void load_rows(std::span<const ByteSpan> from, KeyOf key_of);
  std::uint64_t read_rows();
  void select(std::uint64_t survivors, bool last);
  void decrypt_payloads();
  void decrypt_group(std::span<const FinishRow> rows);
};

template <class KeyOf>
void UnwrapBatch::State::load_rows(std::span<const ByteSpan> from, KeyOf key_of) {
  VG_CHECK(!from.empty() && from.size() <= batch_packets_max);
  forget();
  count = from.size();
  for (std::size_t i = 0; i < count; ++i) {
    found[i].reject = Reject::length;
    if (from[i].size() != limits::packet_bytes(payload_bytes)) continue;
    packets[i] = from[i];
    auto& row = open[opened++];
    row.index = i;
    load(row, key_of(i), from[i]);
  }
  ended(Phase::gather);
}

/// read_rows is the second half of open, from the exchange on.
std::uint64_t UnwrapBatch::State::read_rows() {
  if (opened == 0) return 0;
  exchange(open_rows());
  ended(Phase::exchange);
  expand(open_rows());
  ended(Phase::expand);
  check_macs(open_rows());
  ended(Phase::mac);
  std::uint64_t good = 0;
  for (auto& row : open_rows()) {
    auto& into = found[row.index];
    into.reject = row.reject;
    if (row.reject != Reject::none) continue;
    decrypt_slot(row);
    std::ranges::copy(std::span{row.expansion}.subspan<tag_at, 32>(), into.unwrapped.tag.begin());
    into.reject = read(row, into.unwrapped.routing);
    if (into.reject == Reject::none) good |= std::uint64_t{1} << row.index;
  }
  ended(Phase::slot);
  return good;
}

/// select appends the survivors that are (or are not) at their last hop to the rows of finish.
void UnwrapBatch::State::select(std::uint64_t survivors, bool last) {
  for (std::size_t i = 0; i < opened; ++i) {
    const auto& entry = found[open[i].index];
    const bool goes_on = (survivors >> open[i].index & 1) != 0 && entry.reject == Reject::none;
    if (!goes_on || entry.unwrapped.routing.last != last) continue;
    auto& row = finish[finished++];
    row.open = i;
    load(row, open[i]);
  }
}

void UnwrapBatch::State::decrypt_payloads() {
  make_payload_keys(finish_rows());
  for (auto& row : finish_rows()) {
    if (routing(row).version == Version::payload_keys) take_full_key(row, open[row.open]);
  }
  for (std::size_t begin = 0; begin < finished; begin += payload_group)
    decrypt_group(finish_rows().subspan(begin, std::min(payload_group, finished - begin)));
  crypto::wipe(ByteSpan{payloads}.first(std::min(payload_group, finished) * payload_bytes));
}

void UnwrapBatch::State::decrypt_group(std::span<const FinishRow> rows) {
  const crypto::Rows blocks{ByteSpan{payloads}, payload_bytes, payload_bytes, rows.size()};
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::ranges::copy(packet(rows[i]).subspan(limits::header_bytes), blocks[i].begin());
  const crypto::ConstRows keys{{rows.front().payload_key.data(), (rows.size() - 1) * sizeof(FinishRow) + 192},
                               limits::payload_key_bytes,
                               sizeof(FinishRow),
                               rows.size()};
  crypto::lioness_decrypt(keys, blocks);
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::ranges::copy(blocks[i], packet(rows[i]).begin() + limits::header_bytes);
}

UnwrapBatch::UnwrapBatch(std::size_t payload_bytes) {
  VG_CHECK(payload_bytes >= limits::payload_bytes_min && payload_bytes <= limits::payload_bytes_max);
  state_ = std::make_unique<State>(payload_bytes);
}
UnwrapBatch::UnwrapBatch(UnwrapBatch&&) noexcept = default;
UnwrapBatch& UnwrapBatch::operator=(UnwrapBatch&&) noexcept = default;
UnwrapBatch::~UnwrapBatch() = default;

std::size_t UnwrapBatch::payload_bytes() const { return state_->payload_bytes; }

std::uint64_t UnwrapBatch::open(const crypto::X25519Private& key, std::span<const ByteSpan> packets) {
  state_->load_rows(
      packets, [&](std::size_t) -> const auto& { return key; });
  return state_->read_rows();
}

std::uint64_t UnwrapBatch::open(std::span<const crypto::X25519Private* const> keys,
                                std::span<const ByteSpan> packets) {
  VG_CHECK(keys.size() == packets.size());
  state_->load_rows(
      packets, [&](std::size_t i) -> const auto& { return *keys[i]; });
  return state_->read_rows();
}

Reject UnwrapBatch::reject(std::size_t i) const {
  VG_CHECK(i < state_->count);
  return state_->found[i].reject;
}
const ReplayTag& UnwrapBatch::tag(std::size_t i) const {
  VG_CHECK(i < state_->count);
  return state_->found[i].unwrapped.tag;
}
const Routing& UnwrapBatch::routing(std::size_t i) const {
  VG_CHECK(i < state_->count);
  return state_->found[i].unwrapped.routing;
}

void UnwrapBatch::finish(std::uint64_t survivors) {
  auto& state = *state_;
  state.select(survivors, false);
  state.forward = state.finished;
  state.select(survivors, true);
  if (state.forward > 0) blind(state.finish_rows().first(state.forward));
  state.ended(Phase::blind);
  if (state.finished > 0) state.decrypt_payloads();
  state.ended(Phase::payload);
  for (const auto& row : state.finish_rows().first(state.forward))
    write_header(row, state.open[row.open], state.packet(row));
  state.forget();
  state.ended(Phase::output);
}

void UnwrapBatch::probe(PhaseProbe* probe) { state_->probe = probe; }

}  // namespace village::sphinx
