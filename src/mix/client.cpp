#include "village/mix/client.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/mix/fragments.hpp"
#include "village/sphinx/payload.hpp"

namespace village::mix {
namespace {

constexpr village::limits::Row rows[] = {
    {"mix", "message_bytes_max", limits::message_bytes_max, 1, "one message of a user"},
    {"mix", "reply_blocks_max", limits::reply_blocks_max, limits::reply_block_bytes,
     "handed out with one message"},
    {"mix", "reassembly_bytes_max", limits::reassembly_bytes_max, 1, "unfinished messages of a client"},
    {"mix", "sender_bytes_max", limits::sender_bytes_max, 1, "of those one sender's, or all unknown ones'"},
    {"mix", "partial_messages_max", limits::partial_messages_max, limits::partial_message_bytes,
     "unfinished messages of a client"},
    {"mix", "seen_messages_max", limits::seen_messages_max, 110, "delivered within 26 hours"},
    {"mix", "receipts_held_max", limits::receipts_held_max, 8,
     "deliveries that the gateway keeps until their message is complete"},
    {"mix", "receipts_waiting_max", limits::receipts_waiting_max, 8, "receipts on their way to the gateway"},
    {"mix", "received_blocks_max", limits::received_blocks_max, 440, "reply blocks of others"},
    {"mix", "outbox_bytes_max", limits::outbox_bytes_max, 1, "messages that wait for acknowledgements"},
    {"mix", "outbox_messages_max", limits::outbox_messages_max, 0, "messages that wait for acknowledgements"},
    {"mix", "reply_keys_max", limits::reply_keys_max, 250, "reply blocks of ours that others hold"},
    {"mix", "acknowledgements_max", limits::acknowledgements_max, 440, "owed by a client, more are dropped"},
    {"mix", "loops_max", limits::loops_max, 128, "loop packets under way"},
};
const bool declared [[maybe_unused]] = village::limits::declare(rows);

constexpr Duration surplus_start = std::chrono::milliseconds{200};
constexpr Duration housekeeping_time = std::chrono::minutes{1};

}  // namespace

Client::Client(const crypto::Ed25519KeyPair& node, const ClientOptions& options, RandomSource& random,
               Instant now)
    : identity_{node},
      id_{wire::NodeId::of(node.public_key)},
      options_{options},
      random_{&random},
      outbox_{fragment_data_bytes(sphinx::message_bytes_max(options.payload_bytes)), surplus_start, blocks_},
      reassembly_{fragment_data_bytes(sphinx::message_bytes_max(options.payload_bytes))},
      seen_{random},
      stream_{options.stream_mean.value_or(Duration{0}), random, now},
      loops_{options.loops},
      health_{random},
      now_{now},
      housekeeping_at_{now + housekeeping_time} {
  VG_CHECK(fragment_data_bytes(capacity()) >= sealed_head_bytes);
  VG_CHECK(fragment_count(limits::sealed_bytes_max, fragment_data_bytes(capacity())) <=
               limits::fragments_max ||
           options.payload_bytes < 1'700);
}

std::size_t Client::capacity() const { return sphinx::message_bytes_max(options_.payload_bytes); }

MessageId Client::random_id() {
  MessageId id;
  random_->fill(id);
  return id;
}

void Client::set_view(std::shared_ptr<const MixView> view, Instant now) {
  VG_CHECK(view != nullptr);
  std::erase_if(views_, [&](const auto& known) { return known->epoch() == view->epoch(); });
  if (views_.size() >= 2) {
    views_.erase(std::min_element(views_.begin(), views_.end(),
                                  [](const auto& a, const auto& b) { return a->epoch() < b->epoch(); }));
  }
  stream_.set_mean(options_.stream_mean.value_or(view->parameters().client_mean), now);
  views_.push_back(std::move(view));
}

const MixView* Client::view_at(WallTime wall) const {
  const MixView* best = nullptr;
  for (const auto& view : views_) {
    if (wall < view->valid_from() || wall >= view->valid_until()) continue;
    if (best == nullptr || view->epoch() > best->epoch()) best = view.get();
  }
  return best;
}

std::optional<ClientPacket> Client::poll_packet(ByteSpan packet, Instant now, WallTime wall) {
  VG_CHECK(packet.size() == sphinx::limits::header_bytes + options_.payload_bytes);
  now_ = now;
  const auto* view = view_at(wall);
  if (view == nullptr) {
    if (stream_.enabled() && *stream_.next_deadline() <= now) stream_.restart(now);
    return std::nullopt;
  }
  if (stream_.enabled() && !stream_.take(now)) return std::nullopt;
  auto written = write_real(*view, packet, now, wall);
  if (!written && stream_.enabled()) written = write_cover(*view, packet, now);
  receipts_may_leave_ = receipts_may_leave_ || written;
  return written;
}

std::optional<ClientEvent> Client::poll_event() {
  take_outbox_events();
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  if (const auto* received = std::get_if<MessageReceived>(&event)) inbox_bytes_ -= received->bytes.size();
  return event;
}

void Client::take_outbox_events() {
  while (const auto event = outbox_.poll_event()) {
    routes_.erase(event->id);
    if (event->failure) {
      events_.emplace_back(MessageFailed{event->id, *event->failure});
    } else {
      events_.emplace_back(MessageDelivered{event->id});
    }
  }
}

void Client::on_deadline(Instant now, WallTime wall) {
  now_ = now;
  outbox_.on_deadline(now);
  judge_paths(now);
  const auto expired = reassembly_.expired();
  release(reassembly_.expire(now));
  if (reassembly_.expired() != expired) {
    std::erase_if(owed_at_end_, [&](const auto& entry) { return !reassembly_.has(entry.first); });
  }
  if (now < housekeeping_at_) return;
  housekeeping_at_ = now + housekeeping_time;
  blocks_.expire(wall);
  seen_.expire({wall, now});
  std::erase_if(repliable_, [&](const auto& entry) {
    if (wall < entry.second.until) return false;
    repliable_blocks_ -= entry.second.blocks.size();
    return true;
  });
}

/// judge_paths tells the health of paths what was not answered: fragments sent again, and loops.
void Client::judge_paths(Instant now) {
  for (const auto& identifier : outbox_.take_unanswered()) {
    if (const auto* kept = blocks_.find(identifier)) health_.unanswered(kept->purpose.path, now);
  }
  const auto missing = loops_.missing_total();
  loops_.on_deadline(now);
  if (loops_.missing_total() == missing) return;
  std::erase_if(loop_paths_, [&](const auto& entry) {
    if (entry.second.late > now) return false;
    health_.unanswered(entry.second.path, now);
    return true;
  });
}

std::optional<Instant> Client::next_deadline() const {
  auto earliest = housekeeping_at_;
  for (const auto& deadline : {outbox_.next_deadline(), loops_.next_deadline(), reassembly_.next_deadline(),
                               views_.empty() ? std::nullopt : stream_.next_deadline()}) {
    if (deadline) earliest = std::min(earliest, *deadline);
  }
  return earliest;
}

void Client::on_session(Instant now) {
  now_ = now;
  reassembly_.forget_receipts();
  for (auto& [id, receipts] : unconfirmed_) receipts.clear();
  unconfirmed_receipts_ = 0;
  receipts_.clear();
}

void Client::confirm(const MessageId& id) {
  const auto found = unconfirmed_.find(id);
  if (found == unconfirmed_.end()) return;
  unconfirmed_receipts_ -= found->second.size();
  release(found->second);
  unconfirmed_.erase(found);
}

std::size_t Client::poll_receipts(std::span<std::uint64_t> out) {
  if (stream_.enabled() && !receipts_may_leave_) return 0;
  receipts_may_leave_ = false;
  const auto count = std::min(out.size(), receipts_.size());
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = receipts_.front();
    receipts_.pop_front();
  }
  return count;
}

void Client::release(std::uint64_t receipt) {
  // A gateway within its bounds has not so many deliveries out; what is left out it hands over again.
  if (receipt != 0 && receipts_.size() < limits::receipts_waiting_max) receipts_.push_back(receipt);
}

void Client::release(const std::vector<std::uint64_t>& receipts) {
  for (const auto receipt : receipts) release(receipt);
}

std::size_t Client::replies_left(const MessageId& to) const {
  const auto found = repliable_.find(to);
  return found == repliable_.end() ? 0 : found->second.blocks.size();
}

}  // namespace village::mix
