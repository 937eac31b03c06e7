#pragma once
// KeyUpdateBudget: how often keys may change. An update is free once enough went under the current key;
// others take from a bucket. The receiver enforces it; the sender keeps to it with one token and some seconds
// in hand, because what it sends evenly may arrive in a bunch. Source: decisions/htx.
#include <algorithm>

#include "village/base/time.hpp"
#include "village/htx/keys.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {

class KeyUpdateBudget {
 public:
  KeyUpdateBudget(unsigned capacity, Duration refill, Instant now)
      : tokens_{capacity}, capacity_{capacity}, refill_{refill}, refilled_{now} {}
  static KeyUpdateBudget for_receiver(Instant now) {
    return {limits::key_update_bucket, limits::key_update_refill, now};
  }
  static KeyUpdateBudget for_sender(Instant now) {
    return {limits::key_update_bucket - 1, limits::key_update_refill + std::chrono::seconds{1}, now};
  }

  /// spend tells whether a key that was used so much may be changed now, and takes a token unless it is free.
  bool spend(const KeyUsage& usage, Instant now) {
    if (is_free(usage)) return true;
    refill(now);
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
  }
  /// affords is spend() without taking.
  bool affords(const KeyUsage& usage, Instant now) const {
    return is_free(usage) || tokens_ > 0 || now - refilled_ >= refill_;
  }

 private:
  static bool is_free(const KeyUsage& usage) {
    return usage.frames >= limits::key_update_free_frames || usage.bytes >= limits::key_update_free_bytes;
  }
  void refill(Instant now) {
    const auto count = std::max<std::int64_t>(0, (now - refilled_) / refill_);
    refilled_ += count * refill_;
    tokens_ = static_cast<unsigned>(std::min<std::int64_t>(capacity_, tokens_ + count));
  }
  unsigned tokens_;
  unsigned capacity_;
  Duration refill_;
  Instant refilled_;
};

}  // namespace village::htx
