// The sending half of Client: messages into the outbox, packets out of it.
#include <algorithm>

#include "village/base/check.hpp"
#include "village/mix/client.hpp"
#include "village/mix/fragments.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"
#include "village/sphinx/surb.hpp"

namespace village::mix {
namespace {

constexpr Duration retry_time = std::chrono::seconds{2};
constexpr int draws_max = 32;                  // of a path without suspected mixes
constexpr int picks_max = 8;                   // messages without a way that one slot looks at
constexpr unsigned acknowledgement_turns = 4;  // of so many slots one is for data, when both wait

/// loop_share is the part of cover that returns to its sender.
double loop_share(const Parameters& parameters) {
  const auto rate = [](Duration mean) {
    return mean > Duration{0} ? 1 / static_cast<double>(mean.count()) : 0;
  };
  const auto loops = rate(parameters.loop_mean), drops = rate(parameters.drop_mean);
  return loops + drops > 0 ? loops / (loops + drops) : 0.5;
}

}  // namespace

Result<Way> Client::draw_good_way(const MixView& view, const wire::NodeId& recipient,
                                  const std::optional<wire::NodeId>& from, PathMarks& marks, Instant now) {
  health_.use(view);
  auto path = options_.path;
  path.apart_from = from;
  for (int tries = 1;; ++tries) {
    auto way = draw_way(view, recipient, path, *random_);
    if (!way && way.error().code == Errc::denied && path.apart_from) {
      path.apart_from.reset();  // the document is too small for that
      continue;
    }
    if (!way) return way;
    auto all = marks;
    health_.add(all, way->hops);
    if (tries < draws_max && !health_.good(all, now)) continue;
    marks = all;
    return way;
  }
}

Result<Client::NewBlock> Client::make_block(const MixView& view, ReplyPurpose purpose,
                                            const std::optional<wire::NodeId>& from, Instant now) {
  if (blocks_.full()) return fail(Errc::busy);
  VG_TRY(way, draw_good_way(view, options_.gateway, from, purpose.path, now));
  NewBlock block;
  random_->fill(block.identifier);
  VG_TRY(created, sphinx::create_reply_block(way.hops, destination_of(id_), block.identifier, *random_));
  purpose.held += way.held;
  block.held = purpose.held;
  block.envelope = {view.epoch(), ReplyForm::last_seed, to_bytes(created.block.bytes)};
  VG_TRY_VOID(blocks_.keep(block.identifier, std::move(created.keys), purpose,
                           ReplyBlocks::lives_until(options_.epochs, view.epoch())));
  return block;
}

Result<std::vector<Client::NewBlock>> Client::make_reply_blocks(const Answers& answers,
                                                                const wire::NodeId& from, std::size_t count,
                                                                Instant now, WallTime wall) {
  std::vector<NewBlock> blocks;
  if (count == 0) return blocks;
  if (count > limits::reply_blocks_max) return fail(Errc::limit_exceeded);
  const auto* view = view_at(wall);
  if (view == nullptr) return fail(Errc::net_unreachable);
  for (std::size_t i = 0; i < count; ++i) {
    ReplyPurpose purpose;
    purpose.type = PayloadType::reply;
    purpose.answers = answers;
    auto block = make_block(*view, purpose, from, now);
    if (!block) {
      forget_blocks(blocks);
      return block.error();
    }
    blocks.push_back(*std::move(block));
  }
  return blocks;
}

void Client::forget_blocks(const std::vector<NewBlock>& blocks) {
  for (const auto& block : blocks) blocks_.forget(block.identifier);
}

Result<void> Client::enqueue(Outbox::Message message, Route route, Instant now) {
  const auto id = message.id;
  VG_TRY_VOID(outbox_.add(std::move(message), now));
  routes_.insert_or_assign(id, std::move(route));
  return ok();
}

Result<MessageId> Client::send(const Recipient& recipient, ByteView message, const SendOptions& options,
                               Instant now, WallTime wall) {
  if (message.size() > limits::message_bytes_max) return fail(Errc::limit_exceeded);
  if (outbox_.messages() >= limits::outbox_messages_max) return fail(Errc::busy);
  const auto id = random_id();
  VG_TRY(blocks, make_reply_blocks({id, recipient.key}, recipient.gateway, options.replies, now, wall));
  std::vector<OwnedEnvelope> envelopes;
  for (auto& block : blocks) envelopes.push_back(std::move(block.envelope));
  const auto taken = [&]() -> Result<void> {
    VG_TRY(sealed, seal_message(identity_, recipient.key, id, envelopes, message, wall, *random_));
    return enqueue(
        {id, PayloadType::data, std::move(sealed.bytes), now + options.time_max, recipient.key, sealed.proof},
        {wire::NodeId::of(recipient.key), recipient.gateway, recipient.key, std::nullopt}, now);
  }();
  if (taken) return id;
  forget_blocks(blocks);
  return taken.error();
}

Result<MessageId> Client::reply(const MessageId& to, ByteView message, Duration time_max, Instant now,
                                WallTime wall) {
  const auto found = repliable_.find(to);
  if (found == repliable_.end() || found->second.blocks.empty()) return fail(Errc::not_found);
  const auto& [sender, blocks, until] = found->second;
  if (wall >= until) return fail(Errc::timed_out);
  const auto id = random_id();
  VG_TRY(sealed, seal_message(identity_, sender, id, {}, message, wall, *random_));
  if (fragment_count(sealed.bytes.size(), fragment_data_bytes(capacity())) > blocks.size()) {
    return fail(Errc::limit_exceeded, blocks.size());
  }
  VG_TRY_VOID(enqueue({id, PayloadType::reply, std::move(sealed.bytes), now + time_max, sender, sealed.proof},
                      {wire::NodeId::of(sender), options_.gateway, sender, to}, now));
  return id;
}

std::optional<ClientPacket> Client::write_real(const MixView& view, ByteSpan packet, Instant now,
                                               WallTime wall) {
  const bool acknowledge = !owed_.empty() && ++turn_ % acknowledgement_turns != 0;
  if (acknowledge) {
    if (const auto written = write_acknowledgement(packet, wall)) return written;
  }
  if (const auto written = write_fragment(view, packet, now, wall)) return written;
  return write_acknowledgement(packet, wall);
}

std::optional<ClientPacket> Client::write_acknowledgement(ByteSpan packet, WallTime wall) {
  while (!owed_.empty()) {
    const auto owed = std::move(owed_.front());
    owed_.pop_front();
    if (may_use(owed.block, wall)) {
      PlainPayload payload;
      payload.type = PayloadType::acknowledgement;
      payload.message_id = owed.id;
      payload.index = owed.index;
      payload.count = owed.count;
      if (owed.proof) payload.data = *owed.proof;
      Bytes plain(capacity());
      VG_CHECK(write_plain_payload(payload, plain).has_value());
      if (const auto written = write_block_packet(owed.block, plain, packet)) {
        ++counters_.acknowledgements_sent;
        return *written;
      }
    }
    ++counters_.acknowledgements_dropped;
  }
  return std::nullopt;
}

std::optional<ClientPacket> Client::write_fragment(const MixView& view, ByteSpan packet, Instant now,
                                                   WallTime wall) {
  for (int i = 0; i < picks_max; ++i) {
    const auto pick = outbox_.next();
    if (!pick) return std::nullopt;
    const auto& route = routes_.at(pick->id);
    const auto written = route.reply_to ? write_reply(view, *pick, route, packet, now, wall)
                                        : write_data(view, *pick, route, packet, now);
    if (written) {
      ++counters_.fragments_sent;
      return *written;
    }
    if (written.error().code == Errc::exhausted && route.reply_to) {
      const auto id = pick->id;
      outbox_.give_up(id, SendFailure::no_reply_blocks);
    } else {
      outbox_.postpone(pick->id, now + retry_time);
    }
  }
  return std::nullopt;
}

Bytes Client::fragment_payload(const Outbox::Pick& pick, const OwnedEnvelope& acknowledgement) const {
  PlainPayload payload;
  payload.type = pick.type;
  payload.message_id = pick.id;
  payload.index = pick.index;
  payload.count = pick.count;
  payload.reply_blocks.push_back(acknowledgement.view());
  payload.data = pick.data;
  Bytes plain(capacity());
  VG_CHECK(write_plain_payload(payload, plain).has_value());
  return plain;
}

Result<ClientPacket> Client::write_data(const MixView& view, const Outbox::Pick& pick, const Route& route,
                                        ByteSpan packet, Instant now) {
  ReplyPurpose purpose;
  VG_TRY(way, draw_good_way(view, route.gateway, options_.gateway, purpose.path, now));
  purpose.answers = {pick.id, route.key};
  purpose.index = pick.index;
  purpose.sent = now;
  purpose.held = way.held;
  VG_TRY(block, make_block(view, purpose, route.gateway, now));
  const auto plain = fragment_payload(pick, block.envelope);
  sphinx::Identifier unused;
  random_->fill(unused);
  const auto created =
      sphinx::create_packet(way.hops, destination_of(route.recipient), unused, plain, packet, *random_);
  if (!created) {
    blocks_.forget(block.identifier);
    return created.error();
  }
  outbox_.sent(pick, block.identifier, block.held, now);
  return ClientPacket{way.hops.front().address, Epochs::rotation(view.epoch())};
}

Result<ClientPacket> Client::write_reply(const MixView& view, const Outbox::Pick& pick, const Route& route,
                                         ByteSpan packet, Instant now, WallTime wall) {
  ReplyPurpose purpose;
  purpose.answers = {pick.id, route.key};
  purpose.index = pick.index;
  purpose.sent = now;
  // The creator of the block drew the delays: the mean stands for them.
  const auto& parameters = view.parameters();
  purpose.held =
      parameters.delay_mean * static_cast<Duration::rep>(std::max<std::size_t>(parameters.hops, 1) - 1);
  VG_TRY(acknowledgement, make_block(view, purpose, std::nullopt, now));
  const auto plain = fragment_payload(pick, acknowledgement.envelope);
  while (const auto block = take_block(*route.reply_to, wall)) {
    const auto written = write_block_packet(*block, plain, packet);
    if (!written) continue;
    outbox_.sent(pick, acknowledgement.identifier, acknowledgement.held, now);
    return *written;
  }
  blocks_.forget(acknowledgement.identifier);
  return fail(Errc::exhausted);
}

std::optional<OwnedEnvelope> Client::take_block(const MessageId& reply_to, WallTime wall) {
  const auto found = repliable_.find(reply_to);
  if (found == repliable_.end()) return std::nullopt;
  auto& blocks = found->second.blocks;
  while (!blocks.empty()) {
    auto block = std::move(blocks.front());
    blocks.pop_front();
    --repliable_blocks_;
    if (may_use(block, wall)) return block;
  }
  return std::nullopt;
}

/// may_use holds a block against the clock: replies after its epoch and overlap never use it.
bool Client::may_use(const OwnedEnvelope& block, WallTime wall) const {
  if (block.form == ReplyForm::all_keys && !options_.surb_compat) return false;
  if (block.epoch > options_.epochs.at(wall) + 1) return false;
  return wall < ReplyBlocks::lives_until(options_.epochs, block.epoch);
}

Result<ClientPacket> Client::write_block_packet(const OwnedEnvelope& block, ByteView message,
                                                ByteSpan packet) const {
  const auto rotation = Epochs::rotation(block.epoch);
  if (block.form == ReplyForm::all_keys) {
    VG_TRY(first, sphinx::use_surb(block.bytes, message, packet));
    return ClientPacket{first, rotation};
  }
  sphinx::ReplyBlock own;
  VG_CHECK(block.bytes.size() == own.bytes.size());
  std::ranges::copy(block.bytes, own.bytes.begin());
  VG_TRY(first, sphinx::use_reply_block(own, message, packet));
  return ClientPacket{first, rotation};
}

std::optional<ClientPacket> Client::write_cover(const MixView& view, ByteSpan packet, Instant now) {
  const bool loop = random_->unit() < loop_share(view.parameters());
  if (!loop && view.gateways().empty()) return std::nullopt;
  const auto to = loop ? options_.gateway : view.draw(0, *random_).id;
  PathMarks path;
  const auto way = draw_good_way(view, to, options_.gateway, path, now);
  if (!way) return std::nullopt;
  PlainPayload payload;
  payload.type = loop ? PayloadType::loop : PayloadType::drop;
  payload.message_id = random_id();
  Bytes plain(capacity());
  VG_CHECK(write_plain_payload(payload, plain).has_value());
  sphinx::Identifier unused;
  random_->fill(unused);
  const auto destination = loop ? destination_of(id_) : sphinx::Destination{};
  if (!sphinx::create_packet(way->hops, destination, unused, plain, packet, *random_)) return std::nullopt;
  if (loop) {
    const auto late = now + (way->held + outbox_.surplus().expected()) * 3 / 2 + 1500ms;
    loops_.sent(payload.message_id, late);
    if (loop_paths_.size() < limits::loops_max) loop_paths_[payload.message_id] = {late, path};
    ++counters_.loops_sent;
  } else {
    ++counters_.drops_sent;
  }
  return ClientPacket{way->hops.front().address, Epochs::rotation(view.epoch())};
}

}  // namespace village::mix
