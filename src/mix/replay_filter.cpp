#include "village/mix/replay_filter.hpp"

#include <algorithm>
#include <array>

#include "mix/zeroed_area.hpp"
#include "village/base/check.hpp"

namespace village::mix {
namespace {

constexpr std::size_t tags_per_block = 16;  // 32 bits a tag
constexpr unsigned probes = 15;
constexpr unsigned probe_bits = 9;  // of 512

/// mixed is splitmix64's finaliser: every bit of the result depends on every bit of `x`.
constexpr std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

}  // namespace

Fingerprint fingerprint(const sphinx::ReplayTag& tag) {
  Fingerprint value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = value << 8 | std::to_integer<Fingerprint>(tag[i]);
  return value == 0 ? 1 : value;
}

ReplaySizing replay_sizing(std::uint64_t packets) {
  const auto blocks = std::max<std::uint64_t>((packets + tags_per_block - 1) / tags_per_block, 64);
  if (blocks * tags_per_block <= limits::replay_segment_tags) return {2, blocks * tags_per_block};
  const auto segments = (packets + limits::replay_segment_tags - 1) / limits::replay_segment_tags;
  return {std::min<std::uint64_t>(segments + 1, limits::replay_segments_max), limits::replay_segment_tags};
}

struct ReplayFilter::Segment {
  explicit Segment(std::size_t bytes) : area{bytes}, blocks{static_cast<Block*>(area.get())} {}
  ZeroedArea area;
  Block* blocks;
};

ReplayFilter::ReplayFilter(std::size_t segments_max, std::size_t segment_tags, std::uint64_t key)
    : segments_max_{segments_max},
      segment_tags_{segment_tags},
      blocks_{(segment_tags + tags_per_block - 1) / tags_per_block},
      segment_bytes_{blocks_ * sizeof(Block)},
      key_{key} {
  VG_CHECK(segments_max > 0 && segments_max <= limits::replay_segments_max);
  VG_CHECK(segment_tags > 0 && segment_tags <= limits::replay_segment_tags);
  segments_.reserve(segments_max);
  add_segment();
}

ReplayFilter::ReplayFilter(ReplayFilter&&) noexcept = default;
ReplayFilter::~ReplayFilter() = default;

std::size_t ReplayFilter::segments() const { return segments_.size(); }

void ReplayFilter::add_segment() {
  segments_.emplace_back(segment_bytes_);
  in_last_ = 0;
}

ReplayFilter::Probe ReplayFilter::probe(Fingerprint tag) const {
  tag ^= key_;
  const auto first = mixed(tag + 0x9e3779b97f4a7c15);
  Probe probe{};
  __extension__ using Wide = unsigned __int128;
  probe.block = static_cast<std::size_t>(Wide{first} * blocks_ >> 64);
  auto bits = mixed(tag ^ 0xd1b54a32d192ed03);
  for (unsigned i = 0; i < probes; ++i) {
    const auto bit = bits & 511;
    probe.bits.words[bit >> 6] |= std::uint64_t{1} << (bit & 63);
    bits >>= probe_bits;
    if (i % 7 == 6) bits = mixed(first + i);  // seven probes to a word
  }
  return probe;
}

bool ReplayFilter::holds(const Block& block, const Block& bits) {
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < 8; ++i) missing |= bits.words[i] & ~block.words[i];
  return missing == 0;
}

void ReplayFilter::put(const Probe& probe) {
  auto& block = segments_.back().blocks[probe.block];
  for (std::size_t i = 0; i < 8; ++i) block.words[i] |= probe.bits.words[i];
  ++in_last_;
  ++size_;
}

ReplayCheck ReplayFilter::insert(std::span<const Fingerprint> tags) {
  VG_CHECK(!tags.empty() && tags.size() <= limits::batch_packets_max);
  std::array<Probe, limits::batch_packets_max> rows;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    rows[i] = probe(tags[i]);
    __builtin_prefetch(&segments_.back().blocks[rows[i].block], 1);
  }
  ReplayCheck result;
  const auto first_open = segments_.size() - 1;  // only segments before this one do not change below
  for (std::size_t s = 0; s < first_open; ++s) {
    const auto* blocks = segments_[s].blocks;
    for (std::size_t i = 0; i < tags.size(); ++i) __builtin_prefetch(&blocks[rows[i].block]);
    for (std::size_t i = 0; i < tags.size(); ++i)
      result.replayed |= std::uint64_t{holds(blocks[rows[i].block], rows[i].bits)} << i;
  }
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto bit = std::uint64_t{1} << i;
    for (auto s = first_open; s < segments_.size(); ++s)
      if (holds(segments_[s].blocks[rows[i].block], rows[i].bits)) result.replayed |= bit;
    if ((result.replayed & bit) != 0) continue;
    if (full()) {
      result.refused |= bit;
      continue;
    }
    if (in_last_ == segment_tags_) add_segment();
    put(rows[i]);
    result.fresh |= bit;
  }
  return result;
}

bool ReplayFilter::contains(Fingerprint tag) const {
  const auto row = probe(tag);
  for (const auto& segment : segments_)
    if (holds(segment.blocks[row.block], row.bits)) return true;
  return false;
}

bool ReplayFilter::restore(Fingerprint tag) { return insert({&tag, 1}).refused == 0; }

}  // namespace village::mix
