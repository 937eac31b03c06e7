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

bool SeenMessages::restore(const SeenMessage& seen) {
  if (full() || !ids_.emplace(seen.id, seen.proof).second) return false;
  entries_.push_back(seen);
  return true;
}

const DeliveryProof* SeenMessages::proof(const MessageId& id) const {
  const auto found = ids_.find(id);
  return found == ids_.end() ? nullptr : &found->second;
}

std::size_t SeenMessages::expire(WallTime now) {
  std::size_t count = 0;
  while (!entries_.empty() && entries_.front().until <= now) {
    ids_.erase(entries_.front().id);
    entries_.pop_front();
    ++count;
  }
  return count;
}

}  // namespace village::mix
