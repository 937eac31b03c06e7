#include "village/mix/outbox.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/mix/fragments.hpp"

namespace village::mix {
namespace {

constexpr std::uint16_t wake_timer = 0xffff, expiry_timer = 0xfffe;
static_assert(limits::fragments_max < expiry_timer);
constexpr Duration surplus_max = std::chrono::minutes{1};
constexpr Duration wait_least = std::chrono::milliseconds{1'500};

}  // namespace

std::string_view name(SendFailure failure) {
  switch (failure) {
    case SendFailure::unacknowledged:
      return "unacknowledged";
    case SendFailure::out_of_time:
      return "out_of_time";
    case SendFailure::no_reply_blocks:
      return "no_reply_blocks";
    case SendFailure::cancelled:
      return "cancelled";
  }
  return "unknown";
}

void SurplusTime::add(Duration sample) {
  sample = std::clamp<Duration>(sample, Duration{0}, surplus_max);
  const auto error = sample > mean_ ? sample - mean_ : mean_ - sample;
  deviation_ += (error - deviation_) / 4;
  mean_ += (sample - mean_) / 8;
}

Outbox::Outbox(std::size_t fragment_bytes, Duration surplus, ReplyBlocks& blocks)
    : fragment_bytes_{fragment_bytes}, surplus_{surplus}, blocks_{&blocks} {
  VG_CHECK(fragment_bytes > 0);
}

Result<void> Outbox::add(Message message, Instant now) {
  const auto count = fragment_count(message.sealed.size(), fragment_bytes_);
  if (message.sealed.empty() || count > limits::fragments_max) return fail(Errc::limit_exceeded);
  const auto size = message.sealed.size() + count * sizeof(Fragment);
  if (entries_.size() >= limits::outbox_messages_max || bytes_ + size > limits::outbox_bytes_max) {
    return fail(Errc::busy);
  }
  if (entries_.contains(message.id)) return fail(Errc::already_exists);
  message.expires = std::min<Instant>(message.expires, now + limits::send_time_max);
  timers_.insert({message.expires, message.id, expiry_timer});
  auto& entry = entries_[message.id];
  entry.message = std::move(message);
  entry.fragments.resize(count);
  bytes_ += size;
  const auto lane = lane_of(entry.message);
  lanes_[lane].waiting.push_back(entry.message.id);
  admit(lane);
  return ok();
}

Outbox::LaneKey Outbox::lane_of(const Message& message) {
  return {message.recipient, message.sealed.size() <= limits::small_message_bytes};
}

/// admit lets the first ones of a lane begin, as far as they fit.
void Outbox::admit(const LaneKey& key) {
  auto& lane = lanes_[key];
  const auto bytes_max = key.second ? limits::small_bytes_under_way_max : limits::large_bytes_under_way_max;
  while (!lane.waiting.empty()) {
    auto& entry = entries_.at(lane.waiting.front());
    if (lane.bytes_under_way + entry.message.sealed.size() > bytes_max) return;
    lane.bytes_under_way += entry.message.sealed.size();
    lane.waiting.pop_front();
    entry.active = true;
    give_turn(entry);
  }
}

void Outbox::leave_lane(const Entry& entry) {
  const auto key = lane_of(entry.message);
  auto& lane = lanes_[key];
  if (entry.active) {
    lane.bytes_under_way -= entry.message.sealed.size();
  } else {
    std::erase(lane.waiting, entry.message.id);
  }
  admit(key);
  if (lane.bytes_under_way == 0 && lane.waiting.empty()) lanes_.erase(key);
}

bool Outbox::ready(const Entry& entry) {
  if (!entry.active || entry.postponed) return false;
  return !entry.again.empty() || (entry.fresh < entry.fragments.size() && entry.under_way < entry.window);
}

void Outbox::give_turn(Entry& entry) {
  if (entry.has_turn || !ready(entry)) return;
  entry.has_turn = true;
  turns_.push_back(entry.message.id);
}

std::optional<Outbox::Pick> Outbox::next() {
  while (!turns_.empty()) {
    const auto at = entries_.find(turns_.front());
    if (at == entries_.end() || !ready(at->second)) {
      if (at != entries_.end()) at->second.has_turn = false;
      turns_.pop_front();
      continue;
    }
    const auto& entry = at->second;
    const bool first_time = entry.again.empty();
    const auto index = first_time ? static_cast<std::uint16_t>(entry.fresh) : entry.again.front();
    return Pick{at->first,  entry.message.type,
                index,      static_cast<std::uint16_t>(entry.fragments.size()),
                first_time, fragment_of(entry.message.sealed, index, fragment_bytes_)};
  }
  return std::nullopt;
}

void Outbox::sent(const Pick& pick, const sphinx::Identifier& identifier, Duration held, Instant now) {
  const auto at = entries_.find(pick.id);
  VG_CHECK(at != entries_.end());
  auto& entry = at->second;
  auto& fragment = entry.fragments.at(pick.index);
  VG_CHECK(fragment.transmissions < limits::transmissions_max);
  if (pick.first_time) {
    ++entry.fresh;
  } else {
    VG_CHECK(!entry.again.empty() && entry.again.front() == pick.index);
    entry.again.pop_front();
    ++retransmissions_;
  }
  fragment.identifiers[fragment.transmissions++] = identifier;
  fragment.state = Fragment::State::under_way;
  fragment.due = now + (held + surplus_.expected()) * 3 / 2 + wait_least;
  timers_.insert({fragment.due, pick.id, pick.index});
  ++entry.under_way;
  // The turn goes to the next message.
  if (!turns_.empty() && turns_.front() == pick.id) {
    turns_.pop_front();
    entry.has_turn = false;
    give_turn(entry);
  }
}

void Outbox::postpone(const MessageId& id, Instant until) {
  const auto at = entries_.find(id);
  if (at == entries_.end() || at->second.postponed) return;
  at->second.postponed = true;
  timers_.insert({until, id, wake_timer});
}

bool Outbox::acknowledge(const ReplyPurpose& purpose, ByteView proof, Instant now) {
  const auto at = entries_.find(purpose.answers.message);
  if (at == entries_.end() || purpose.index >= at->second.fragments.size()) return false;
  auto& entry = at->second;
  auto& fragment = entry.fragments[purpose.index];
  if (fragment.state == Fragment::State::acknowledged) return false;
  const bool last = purpose.index + 1U == entry.fragments.size();
  if (last && !crypto::equal(proof, entry.message.proof)) return false;
  // The last one of several waits for the others: that says nothing about the way.
  const bool waits = last && purpose.index > 0;
  if (!waits) surplus_.add(now - purpose.sent - purpose.held);
  if (fragment.state == Fragment::State::under_way) {
    timers_.erase({fragment.due, at->first, purpose.index});
    --entry.under_way;
  } else {
    std::erase(entry.again, purpose.index);
  }
  fragment.state = Fragment::State::acknowledged;
  forget_blocks(fragment);
  entry.window = std::min(entry.window + 1, limits::window_max);
  if (++entry.acknowledged == entry.fragments.size()) {
    finish(at, std::nullopt);
  } else {
    give_turn(entry);
  }
  return true;
}

bool Outbox::give_up(const MessageId& id, SendFailure failure) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return false;
  finish(at, failure);
  return true;
}

void Outbox::on_deadline(Instant now) {
  while (!timers_.empty() && timers_.begin()->at <= now) {
    const auto timer = *timers_.begin();
    timers_.erase(timers_.begin());
    const auto at = entries_.find(timer.id);
    if (!VG_EXPECT(at != entries_.end())) continue;
    if (timer.index == expiry_timer) {
      finish(at, SendFailure::out_of_time);
    } else if (timer.index == wake_timer) {
      at->second.postponed = false;
      give_turn(at->second);
    } else {
      time_out(at, timer.index);
    }
  }
}

void Outbox::time_out(Entries::iterator at, std::uint16_t index) {
  auto& entry = at->second;
  auto& fragment = entry.fragments[index];
  --entry.under_way;
  if (fragment.transmissions >= limits::transmissions_max) {
    finish(at, SendFailure::unacknowledged);
    return;
  }
  // The last one of several may just be waiting for the others.
  if (index == 0 || index + 1U < entry.fragments.size()) {
    unanswered_.push_back(fragment.identifiers[fragment.transmissions - 1U]);
  }
  fragment.state = Fragment::State::again;
  entry.again.push_back(index);
  entry.window = std::max(limits::window_start, entry.window - entry.window / 8);
  give_turn(entry);
}

std::optional<Instant> Outbox::next_deadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->at;
}

std::optional<Outbox::Event> Outbox::poll_event() {
  if (events_.empty()) return std::nullopt;
  const auto event = events_.front();
  events_.pop_front();
  return event;
}

void Outbox::forget_blocks(const Fragment& fragment) {
  for (std::size_t i = 0; i < fragment.transmissions; ++i) blocks_->forget(fragment.identifiers[i]);
}

void Outbox::finish(Entries::iterator at, std::optional<SendFailure> failure) {
  const auto& id = at->first;
  auto& entry = at->second;
  for (std::size_t i = 0; i < entry.fragments.size(); ++i) {
    const auto& fragment = entry.fragments[i];
    if (fragment.state == Fragment::State::under_way) {
      timers_.erase({fragment.due, id, static_cast<std::uint16_t>(i)});
    }
    if (fragment.state != Fragment::State::acknowledged) forget_blocks(fragment);
  }
  timers_.erase({entry.message.expires, id, expiry_timer});
  if (entry.postponed) std::erase_if(timers_, [&](const Timer& timer) { return timer.id == id; });
  std::erase(turns_, id);
  leave_lane(entry);
  events_.push_back({id, failure});
  bytes_ -= entry.message.sealed.size() + entry.fragments.size() * sizeof(Fragment);
  entries_.erase(at);
}

}  // namespace village::mix
