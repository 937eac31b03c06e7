#include "village/mix/path_health.hpp"

#include <algorithm>
#include <cstring>

namespace village::mix {
namespace {

constexpr Duration suspicion = std::chrono::minutes{1};
constexpr unsigned doublings_max = 3;  // then 8 minutes

}  // namespace

void PathHealth::use(const MixView& view) {
  if (epoch_ == view.epoch()) return;
  epoch_ = view.epoch();
  mixes_.clear();
  layers_.clear();
  for (std::size_t layer = 1; layer <= mix_layers; ++layer) {
    sizes_[layer] = view.layer(layer).size();
    for (const auto* node : view.layer(layer))
      layers_[mark(node->mix_address)] = static_cast<std::uint8_t>(layer);
  }
}

std::uint32_t PathHealth::mark(const sphinx::NodeAddress& address) const {
  auto mixed = secret_;
  for (std::size_t at = 0; at < address.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, address.data() + at, sizeof word);
    mixed = (mixed ^ word) * 0x9e3779b97f4a7c15ULL;
    mixed ^= mixed >> 29;
  }
  return static_cast<std::uint32_t>(mixed >> 32);
}

void PathHealth::add(PathMarks& marks, std::span<const sphinx::Hop> hops) const {
  for (std::size_t i = 0; i + 1 < hops.size(); ++i) marks.push_back(mark(hops[i].address));
}

void PathHealth::answered(const PathMarks& marks) {
  for (const auto mark : marks) mixes_.erase(mark);
}

void PathHealth::unanswered(const PathMarks& marks, Instant now) {
  for (const auto mark : marks) {
    if (mixes_.size() >= mixes_max && !mixes_.contains(mark)) continue;
    auto& mix = mixes_[mark];
    if (++mix.in_a_row < suspect_after || now < mix.suspected_until) continue;
    if (!layer_allows(mark, now)) continue;
    // Packets that left before the suspicion end in the first minute: the row grows by one a time after that.
    const auto doublings = std::min(mix.in_a_row - suspect_after, doublings_max);
    mix.suspected_until = now + suspicion * (1 << doublings);
    mix.in_a_row = suspect_after + doublings;
  }
}

bool PathHealth::layer_allows(std::uint32_t mark, Instant now) const {
  const auto layer = layers_.find(mark);
  if (layer == layers_.end()) return false;
  const auto beside = std::count_if(mixes_.begin(), mixes_.end(), [&](const auto& entry) {
    const auto other = layers_.find(entry.first);
    return now < entry.second.suspected_until && other != layers_.end() && other->second == layer->second;
  });
  return static_cast<std::size_t>(beside) < suspects_max(sizes_[layer->second]);
}

bool PathHealth::suspected(std::uint32_t mark, Instant now) const {
  const auto found = mixes_.find(mark);
  return found != mixes_.end() && now < found->second.suspected_until;
}

bool PathHealth::good(const PathMarks& marks, Instant now) const {
  return std::none_of(marks.begin(), marks.end(), [&](auto mark) { return suspected(mark, now); });
}

std::size_t PathHealth::suspects(Instant now) const {
  return static_cast<std::size_t>(std::count_if(
      mixes_.begin(), mixes_.end(), [&](const auto& entry) { return now < entry.second.suspected_until; }));
}

}  // namespace village::mix
