#include "village/mix/replay_shard.hpp"

#include <array>
#include <bit>

#include "village/base/check.hpp"

namespace village::mix {

std::uint32_t owner_of(Fingerprint tag, std::uint32_t workers) {
  VG_CHECK(workers > 0);
  return static_cast<std::uint32_t>((tag >> 32) * workers >> 32);
}

ReplayCheck ReplayShard::check(std::span<const Fingerprint> tags) {
  VG_CHECK(!tags.empty() && tags.size() <= limits::batch_packets_max);
  const auto all = ~std::uint64_t{0} >> (64 - tags.size());
  if (broken_) return {.refused = all};
  auto result = filter_.insert(tags);
  if (result.fresh == 0 || journal_ == nullptr) return result;
  std::array<Fingerprint, limits::batch_packets_max> fresh;
  std::size_t count = 0;
  for (auto rest = result.fresh; rest != 0; rest &= rest - 1)
    fresh[count++] = tags[static_cast<std::size_t>(std::countr_zero(rest))];
  if (!journal_->append({fresh.data(), count})) {
    broken_ = true;
    result.refused |= result.fresh;
    result.fresh = 0;
  }
  return result;
}

}  // namespace village::mix
