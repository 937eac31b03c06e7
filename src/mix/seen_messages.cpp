#include "village/mix/seen_messages.hpp"

#include <algorithm>
#include <cstring>

namespace village::mix {

SeenMessages::SeenMessages(RandomSource& random, std::size_t messages_max)
    : messages_max_{messages_max}, ids_{16, Hash{{random.u64(), random.u64()}}} {}

std::size_t SeenMessages::Hash::operator()(const MessageId& id) const {
  std::uint64_t words[2];
  std::memcpy(words, id.data(), sizeof words);
  auto mixed = key[0];
  for (const auto word : words) {
    mixed = (mixed ^ word) * (key[1] | 1);
    mixed ^= mixed >> 32;
    mixed *= 0x9e3779b97f4a7c15ULL;
    mixed ^= mixed >> 29;
  }
  return static_cast<std::size_t>(mixed ^ key[1]);
}

bool SeenMessages::restore(const SeenMessage& seen, Moment now) {
  if (ids_.contains(seen.id)) return false;
  while (ids_.size() >= messages_max_) drop_first(now.wall);
  ids_.emplace(seen.id, seen.proof);
  const auto left = std::clamp<Duration>(seen.until - now.wall, Duration{0}, limits::seen_time);
  entries_.push_back({seen, now.now + left});
  return true;
}

void SeenMessages::forget(WallTime until, WallTime wall) {
  const auto latest = wall + limits::seen_time - limits::message_ahead_max;
  forgotten_until_ = std::max(forgotten_until_, std::min<WallTime>(until, latest));
}

void SeenMessages::drop_first(WallTime wall) {
  forget(entries_.front().until, wall);
  ids_.erase(entries_.front().id);
  entries_.pop_front();
}

const DeliveryProof* SeenMessages::proof(const MessageId& id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : &found->second;
}

std::size_t SeenMessages::expire(Moment now) {
  std::size_t count = 0;
  for (; !entries_.empty() && entries_.front().expires <= now.now; ++count) drop_first(now.wall);
  return count;
}

}  // namespace village::mix
