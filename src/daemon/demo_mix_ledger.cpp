#include "daemon/demo_mix_ledger.hpp"

#include <fmt/format.h>

namespace village::daemon {

void DemoMixLedger::sent(const std::string& id, DemoMessage what, bool again) {
  const std::lock_guard lock{mutex_};
  if (again) {
    ++again_;
  } else {
    expected_.insert(what.sum);
    bytes_ += what.message.size();
  }
  under_way_[id] = std::move(what);
}

void DemoMixLedger::arrived(const std::string& id, const std::string& sum) {
  const std::lock_guard lock{mutex_};
  if (!ids_.insert(id).second) ++twice_;
  ++copies_[sum];
}

std::vector<std::string> DemoMixLedger::under_way() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> ids;
  for (const auto& [id, what] : under_way_) ids.push_back(id);
  return ids;
}

DemoMessage DemoMixLedger::settle(const std::string& id) {
  const std::lock_guard lock{mutex_};
  auto what = std::move(under_way_.at(id));
  under_way_.erase(id);
  return what;
}

std::size_t DemoMixLedger::sender(const std::string& id) const {
  const std::lock_guard lock{mutex_};
  return under_way_.at(id).from;
}

bool DemoMixLedger::has(const std::string& sum) const {
  const std::lock_guard lock{mutex_};
  return copies_.contains(sum);
}

void DemoMixLedger::forgive(const std::string& sum) {
  const std::lock_guard lock{mutex_};
  if (!copies_.contains(sum)) expected_.erase(sum);
}

void DemoMixLedger::complain(const std::string& problem) {
  const std::lock_guard lock{mutex_};
  if (problem_.empty()) problem_ = problem;
}

std::string DemoMixLedger::problem() const {
  const std::lock_guard lock{mutex_};
  return problem_;
}

std::size_t DemoMixLedger::expected() const {
  const std::lock_guard lock{mutex_};
  return expected_.size();
}

std::size_t DemoMixLedger::missing() const {
  const std::lock_guard lock{mutex_};
  return missing_here();
}

std::size_t DemoMixLedger::missing_here() const {
  std::size_t count = 0;
  for (const auto& sum : expected_) count += copies_.contains(sum) ? 0 : 1;
  return count;
}

std::uint64_t DemoMixLedger::bytes() const {
  const std::lock_guard lock{mutex_};
  return bytes_;
}

std::size_t DemoMixLedger::again() const {
  const std::lock_guard lock{mutex_};
  return again_;
}

std::string DemoMixLedger::verdict() const {
  const std::lock_guard lock{mutex_};
  if (!problem_.empty()) return problem_;
  if (twice_ != 0) return fmt::format("{} messages arrived twice", twice_);
  if (const auto gone = missing_here(); gone != 0)
    return fmt::format("{} of {} messages did not arrive", gone, expected_.size());
  std::size_t more = 0;
  for (const auto& [sum, copies] : copies_) {
    if (!expected_.contains(sum)) return "a message arrived that nobody sent";
    more += copies - 1;
  }
  return more > again_ ? "a message arrived more often than it was sent" : std::string{};
}

}  // namespace village::daemon
