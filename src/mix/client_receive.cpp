// The receiving half of Client: deliveries into fragments, acknowledgements and messages.
#include <algorithm>

#include "village/mix/client.hpp"
#include "village/mix/fragments.hpp"
#include "village/sphinx/payload.hpp"
#include "village/sphinx/surb.hpp"

namespace village::mix {

void Client::on_delivery(std::uint64_t receipt, const sphinx::Identifier& identifier, ByteView payload,
                         Instant now, WallTime wall) {
  now_ = now;
  if (payload.size() != options_.payload_bytes) return refuse(receipt, counters_.refused_payload);
  if (const auto* kept = blocks_.find(identifier, wall)) {
    on_reply(receipt, identifier, *kept, payload, now, wall);
  } else {
    on_payload(receipt, payload, now, wall);
  }
}

/// refuse ends a delivery that came to nothing; the gateway need not keep it.
void Client::refuse(std::uint64_t receipt, std::uint64_t& counter) {
  ++counter;
  release(receipt);
}

void Client::on_payload(std::uint64_t receipt, ByteView payload, Instant now, WallTime wall) {
  const auto plain = sphinx::open_payload(payload);
  if (!plain) return refuse(receipt, counters_.refused_payload);
  const auto parsed = parse_plain_payload(*plain, capacity());
  if (!parsed) return refuse(receipt, counters_.refused_format);
  if (parsed->type == PayloadType::data) return on_fragment(receipt, *parsed, std::nullopt, now, wall);
  if (parsed->type == PayloadType::loop && loops_.returned(parsed->message_id, now)) {
    if (const auto path = loop_paths_.extract(parsed->message_id); !path.empty()) {
      health_.answered(path.mapped().path);
    }
    return release(receipt);
  }
  // Acknowledgements and replies come by our reply blocks, or anyone could make them.
  refuse(receipt, counters_.refused_format);
}

void Client::on_reply(std::uint64_t receipt, const sphinx::Identifier& identifier,
                      const ReplyBlocks::Kept& kept, ByteView payload, Instant now, WallTime wall) {
  auto spoilt = to_bytes(payload);
  const auto plain = sphinx::open_reply(kept.keys, spoilt);
  if (!plain) return refuse(receipt, counters_.refused_payload);
  const auto parsed = parse_plain_payload(*plain, capacity());
  const auto purpose = kept.purpose;
  health_.answered(purpose.path);
  blocks_.forget(identifier);  // used: nothing comes by it again
  if (!parsed || parsed->type != purpose.type) return refuse(receipt, counters_.refused_format);
  if (purpose.type == PayloadType::reply) return on_fragment(receipt, *parsed, purpose.answers, now, wall);
  release(receipt);
  if (parsed->message_id != purpose.answers.message || parsed->index != purpose.index) {
    ++counters_.refused_format;
  } else if (outbox_.acknowledge(purpose, parsed->data, now)) {
    ++counters_.acknowledged;
  }
}

bool Client::inbox_full() const {
  return inbox_bytes_ >= limits::reassembly_bytes_max || events_.size() >= limits::events_max;
}

bool Client::age_is_good(WallTime sealed, WallTime wall) const {
  return sealed >= wall - limits::message_age_max && sealed <= wall + limits::message_ahead_max &&
         !seen_.is_forgotten(sealed);
}

void Client::on_fragment(std::uint64_t receipt, const PlainPayload& fragment,
                         const std::optional<Answers>& answers, Instant now, WallTime wall) {
  ++counters_.fragments_received;
  if (seen_.contains(fragment.message_id)) {
    // The acknowledgement was lost, or a gateway hands it over again.
    owe(fragment, seen_.proof(fragment.message_id));
    ++counters_.repeated;
    const auto unconfirmed = unconfirmed_.find(fragment.message_id);
    const bool held = reassembly_.receipts() + unconfirmed_receipts_ < limits::receipts_held_max;
    if (receipt == 0 || unconfirmed == unconfirmed_.end() || !held) return release(receipt);
    unconfirmed->second.push_back(receipt);
    ++unconfirmed_receipts_;
    return;
  }
  if (inbox_full()) return refuse(receipt, counters_.refused_room);
  Arrival arrival{receipt, std::nullopt, answers};
  if (fragment.index == 0 && !reassembly_.has(fragment.message_id, 0)) {
    arrival.sender = sender_of(fragment, wall);
    if (!arrival.sender) return release(receipt);
  }
  if (reassembly_.receipts() + unconfirmed_receipts_ >= limits::receipts_held_max) arrival.receipt = 0;
  const auto taken = reassembly_.take(fragment, arrival, now);
  for (const auto& evicted : reassembly_.take_evicted()) {
    owed_at_end_.erase(evicted.id);
    release(evicted.receipts);
  }
  using enum Reassembly::Taken;
  if (taken == conflict) return refuse(receipt, counters_.refused_conflict);
  if (taken == full) return refuse(receipt, counters_.refused_room);
  if (arrival.receipt == 0 || taken == repeated) release(receipt);
  if (taken == repeated || taken == resumed) ++counters_.repeated;
  if (taken == complete) {
    auto waiting = owed_at_end_.extract(fragment.message_id);
    const auto proof = on_complete(reassembly_.finish(fragment.message_id), wall);
    if (!proof) return;
    owe(fragment, &*proof);
    if (!waiting.empty()) {
      waiting.mapped().proof = *proof;
      owe(std::move(waiting.mapped()));
    }
  } else if (fragment.index + 1 == fragment.count) {
    // The last one is acknowledged when all is there and opens: only then may the sender think that it
    // arrived.
    if (!fragment.reply_blocks.empty()) {
      owed_at_end_.insert_or_assign(fragment.message_id, owed_for(fragment));
    }
  } else {
    owe(fragment);
  }
}

/// sender_of opens the head in a first fragment; nullopt: not for us, too old, or not of so many fragments.
std::optional<crypto::Ed25519Public> Client::sender_of(const PlainPayload& fragment, WallTime wall) {
  const auto head = open_head(identity_, fragment.message_id, fragment.data);
  const auto piece = fragment_data_bytes(capacity());
  if (!head || fragment_count(head->sealed_bytes, piece) != fragment.count) {
    ++counters_.refused_seal;
    return std::nullopt;
  }
  if (!age_is_good(head->sealed, wall)) {
    ++counters_.refused_age;
    return std::nullopt;
  }
  return head->sender;
}

std::optional<DeliveryProof> Client::on_complete(Reassembly::Message message, WallTime wall) {
  auto opened = open_message(identity_, message.id, message.sealed);
  const bool may_reply = opened && (!message.answers || message.answers->peer == opened->head.sender);
  const bool good_age = opened && age_is_good(opened->head.sealed, wall);
  if (!may_reply || !good_age || !seen_.add(message.id, {wall, now_}, opened->proof)) {
    ++(opened && may_reply ? counters_.refused_age : counters_.refused_seal);
    release(message.receipts);
    return std::nullopt;
  }
  MessageReceived received;
  received.id = message.id;
  received.sender = opened->head.sender;
  received.sealed = opened->head.sealed;
  if (message.answers) received.in_reply = message.answers->message;
  received.replies = keep_blocks(message.id, received.sender, std::move(opened->reply_blocks), wall);
  received.seen_until = wall + limits::seen_time;
  received.bytes = std::move(opened->bytes);
  ++counters_.received;
  inbox_bytes_ += received.bytes.size();
  events_.emplace_back(std::move(received));
  if (options_.confirm) {
    unconfirmed_receipts_ += message.receipts.size();
    unconfirmed_.emplace(message.id, std::move(message.receipts));
  } else {
    release(message.receipts);
  }
  return opened->proof;
}

std::size_t Client::keep_blocks(const MessageId& id, const crypto::Ed25519Public& sender,
                                std::vector<OwnedEnvelope> blocks, WallTime wall) {
  Repliable repliable{sender, {}, wall};
  for (auto& block : blocks) {
    if (!may_use(block, wall) || repliable_blocks_ >= limits::received_blocks_max) continue;
    repliable.until = std::max(repliable.until, ReplyBlocks::lives_until(options_.epochs, block.epoch));
    repliable.blocks.push_back(std::move(block));
    ++repliable_blocks_;
  }
  const auto count = repliable.blocks.size();
  if (count > 0) repliable_.insert_or_assign(id, std::move(repliable));
  return count;
}

/// owe queues the acknowledgement of a fragment, by the first block that came with it. That of a last
/// fragment carries the proof that the message was opened.
void Client::owe(const PlainPayload& fragment, const DeliveryProof* proof) {
  if (fragment.reply_blocks.empty()) return;
  auto owed = owed_for(fragment);
  if (proof != nullptr && fragment.index + 1 == fragment.count) owed.proof = *proof;
  owe(std::move(owed));
}

void Client::owe(Owed owed) {
  if (owed_.size() >= limits::acknowledgements_max) {
    ++counters_.acknowledgements_dropped;
    return;
  }
  owed_.push_back(std::move(owed));
}

Client::Owed Client::owed_for(const PlainPayload& fragment) {
  const auto& block = fragment.reply_blocks[0];
  return {{block.epoch, block.form, to_bytes(block.bytes)},
          fragment.message_id,
          fragment.index,
          fragment.count,
          std::nullopt};
}

}  // namespace village::mix
