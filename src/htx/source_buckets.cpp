#include "village/htx/source_buckets.hpp"

#include <algorithm>
#include <bit>

#include "htx/keyed_mix.hpp"
#include "village/base/check.hpp"

namespace village::htx {
namespace {

constexpr std::uint64_t tag_v4 = 4ULL << 60;
constexpr std::uint64_t tag_v6 = 6ULL << 60;

std::uint64_t leading_bytes(const std::byte* from, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8 | std::to_integer<std::uint64_t>(from[i]);
  return value;
}

}  // namespace

SourcePrefix source_prefix(const Ipv4Address& address) {
  return SourcePrefix{tag_v4 | leading_bytes(address.data(), 3)};
}

SourcePrefix source_prefix(const Ipv6Address& address) {
  constexpr ByteArray<12> mapped_start{std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                       std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                       std::byte{0}, std::byte{0}, std::byte{0xFF}, std::byte{0xFF}};
  const bool mapped = std::equal(mapped_start.begin(), mapped_start.end(), address.begin());
  if (mapped) return source_prefix(Ipv4Address{address[12], address[13], address[14], address[15]});
  return SourcePrefix{tag_v6 | leading_bytes(address.data(), 7)};
}

SourceBuckets::SourceBuckets(BucketRules rules, std::size_t places, RandomSource& random)
    : rules_{rules}, hash_key_{random.u64(), random.u64()} {
  VG_CHECK(rules.capacity > 0 && rules.refill > Duration{0} && places > 0);
  groups_.resize(std::bit_ceil((places + ways - 1) / ways));
}

std::size_t SourceBuckets::group_of(SourcePrefix source) const {
  return keyed_mix(static_cast<std::uint64_t>(source), hash_key_[0], hash_key_[1]) & (groups_.size() - 1);
}

std::size_t SourceBuckets::place_of(const Group& group, SourcePrefix source, Instant now) {
  std::size_t found = shared;
  for (std::size_t i = 0; i < ways; ++i) {
    if (group.places[i].source == source) return i;
    if (group.places[i].full_at <= now) found = i;  // free, or full again and so without meaning
  }
  return found;
}

bool SourceBuckets::has_token(SourcePrefix source, Instant now) const {
  const auto& group = groups_[group_of(source)];
  const auto place = place_of(group, source, now);
  if (place != shared && group.places[place].source != source) return true;
  const auto full_at = place == shared ? group.shared_full_at : group.places[place].full_at;
  return full_at - now <= rules_.refill * (rules_.capacity - 1);
}

void SourceBuckets::take(SourcePrefix source, Instant now) {
  auto& group = groups_[group_of(source)];
  const auto place = place_of(group, source, now);
  if (place != shared) group.places[place].source = source;
  auto& full_at = place == shared ? group.shared_full_at : group.places[place].full_at;
  const auto emptied = now + rules_.refill * rules_.capacity;
  full_at = std::min(std::max(full_at, now) + rules_.refill, emptied);
}

std::size_t SourceBuckets::charged(Instant now) const {
  std::size_t count = 0;
  for (const auto& group : groups_) {
    count += static_cast<std::size_t>(std::count_if(std::begin(group.places), std::end(group.places),
                                                    [now](const Bucket& b) { return b.full_at > now; }));
  }
  return count;
}

}  // namespace village::htx
