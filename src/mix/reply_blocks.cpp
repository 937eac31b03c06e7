#include "village/mix/reply_blocks.hpp"

#include <algorithm>
#include <cstring>

namespace village::mix {

std::size_t ReplyBlocks::Hash::operator()(const sphinx::Identifier& identifier) const {
  std::size_t value = 0;
  std::memcpy(&value, identifier.data(), sizeof value);
  return value;
}

WallTime ReplyBlocks::lives_until(const Epochs& epochs, Epoch epoch) {
  // A peer names the epoch: one beyond what time can count has no end that matters.
  const auto last = static_cast<Epoch>(WallTime::max().time_since_epoch() / epochs.length) - 2;
  return epochs.end(std::min(epoch, last)) + std::min(epochs.overlap, epochs.length);
}

Result<void> ReplyBlocks::keep(const sphinx::Identifier& identifier, sphinx::ReplyKeys keys,
                               const ReplyPurpose& purpose, WallTime expires) {
  if (full()) return fail(Errc::busy);
  if (blocks_.contains(identifier)) return fail(Errc::already_exists);
  const auto age = ages_.emplace(expires, identifier);
  blocks_.emplace(identifier, Entry{{std::move(keys), purpose}, age});
  return ok();
}

const ReplyBlocks::Kept* ReplyBlocks::find(const sphinx::Identifier& identifier, WallTime now) const {
  const auto found = blocks_.find(identifier);
  if (found == blocks_.end() || found->second.age->first <= now) return nullptr;
  return &found->second.kept;
}

const ReplyBlocks::Kept* ReplyBlocks::find(const sphinx::Identifier& identifier) const {
  const auto found = blocks_.find(identifier);
  return found == blocks_.end() ? nullptr : &found->second.kept;
}

void ReplyBlocks::forget(const sphinx::Identifier& identifier) {
  const auto found = blocks_.find(identifier);
  if (found == blocks_.end()) return;
  ages_.erase(found->second.age);
  blocks_.erase(found);
}

std::size_t ReplyBlocks::expire(WallTime now) {
  std::size_t count = 0;
  while (!ages_.empty() && ages_.begin()->first <= now) {
    blocks_.erase(ages_.begin()->second);
    ages_.erase(ages_.begin());
    ++count;
  }
  return count;
}

}  // namespace village::mix
