#include "village/mix/loop_monitor.hpp"

#include <algorithm>

namespace village::mix {
namespace {

constexpr std::size_t verdicts_kept_max = 65'536;

}  // namespace

void LoopMonitor::sent(const MessageId& id, Instant late) {
  if (waiting_.size() >= limits::loops_max || !waiting_.emplace(id, late).second) return;
  late_.emplace(late, id);
  ++sent_total_;
}

bool LoopMonitor::returned(const MessageId& id, Instant now) {
  on_deadline(now);
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return false;
  const auto [first, last] = late_.equal_range(found->second);
  late_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == id; }));
  waiting_.erase(found);
  ++returned_total_;
  judge(now, false);
  return true;
}

void LoopMonitor::on_deadline(Instant now) {
  while (!late_.empty() && late_.begin()->first <= now) {
    waiting_.erase(late_.begin()->second);
    judge(late_.begin()->first, true);
    late_.erase(late_.begin());
    ++missing_total_;
  }
  forget_old(now);
}

void LoopMonitor::judge(Instant at, bool missing) {
  if (verdicts_.size() >= verdicts_kept_max) {
    missing_ -= verdicts_.front().missing ? 1 : 0;
    verdicts_.pop_front();
  }
  verdicts_.push_back({at, missing});
  missing_ += missing ? 1 : 0;
}

void LoopMonitor::forget_old(Instant now) {
  while (!verdicts_.empty() && verdicts_.front().at + options_.window < now) {
    missing_ -= verdicts_.front().missing ? 1 : 0;
    verdicts_.pop_front();
  }
}

std::optional<Instant> LoopMonitor::next_deadline() const {
  if (late_.empty()) return std::nullopt;
  return late_.begin()->first;
}

double LoopMonitor::missing_share() const {
  if (verdicts_.size() < std::max<std::size_t>(options_.verdicts_min, 1)) return 0;
  return static_cast<double>(missing_) / static_cast<double>(verdicts_.size());
}

}  // namespace village::mix
