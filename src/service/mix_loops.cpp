#include "service/mix_loops.hpp"

#include <algorithm>

#include "service/mix_metrics.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/plain_payload.hpp"
#include "village/mix/way.hpp"
#include "village/service/mix_limits.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"

namespace village::service {

MixLoops::MixLoops(const wire::NodeId& self, mix::Profile profile, RandomSource& random, Instant now)
    : self_{self}, profile_{profile}, random_{&random}, times_{Duration{0}, random, now} {}

void MixLoops::set_view(std::shared_ptr<const mix::MixView> view, Duration mean, Instant now) {
  view_ = std::move(view);
  times_.set_mean(view_ ? mean : Duration{0}, now);
}

void MixLoops::tick(Instant now, const Out& out) {
  while (times_.enabled() && times_.take(now)) send(now, out);
  const auto lost = monitor_.missing_total();
  monitor_.on_deadline(now);
  mix_metrics::loops_lost.add(monitor_.missing_total() - lost);
}

// Once around: the layers behind ours, a gateway, the layers before ours, and home. So a loop takes the links
// that other packets take, and needs no second node of our layer.
std::optional<MixLoops::Drawn> MixLoops::draw() {
  const auto* self = view_->find(self_);
  if (self == nullptr) return std::nullopt;
  const auto& parameters = view_->parameters();
  Drawn drawn;
  auto& way = drawn.way;
  for (std::size_t step = 1; step <= mix::mix_layers; ++step) {
    const auto group = (self->layer + step) % (mix::mix_layers + 1);
    if ((group == 0 ? view_->gateways() : view_->layer(group)).empty()) return std::nullopt;
    const auto& node = view_->draw(group, *random_);
    if (node.id == self_) continue;  // a gateway that is in a layer too
    const auto delay =
        std::min(mix::CoverStream::draw(parameters.delay_mean, *random_), parameters.delay_max);
    way.hops.push_back({node.sphinx_key, node.mix_address, static_cast<std::uint64_t>(delay.count())});
    way.held += delay;
    drawn.nodes.push_back(node.id);
  }
  way.hops.push_back({self->sphinx_key, self->mix_address, 0});
  drawn.nodes.push_back(self_);
  return drawn;
}

void MixLoops::send(Instant now, const Out& out) {
  const auto drawn = draw();
  if (!drawn) return;
  const auto* const way = &drawn->way;
  mix::PlainPayload loop;
  loop.type = mix::PayloadType::loop;
  random_->fill(loop.message_id);
  Bytes packet(mix::packet_bytes(profile_));
  Bytes message(sphinx::message_bytes_max(packet.size() - sphinx::limits::header_bytes));
  sphinx::Identifier identifier{};
  random_->fill(identifier);
  if (!mix::write_plain_payload(loop, message)) return;
  const auto payload = ByteSpan{packet}.subspan(sphinx::limits::header_bytes);
  if (!sphinx::write_payload(message, payload)) return;
  const auto keys = sphinx::create_header(way->hops, mix::destination_of(self_), identifier,
                                          ByteSpan{packet}.first<sphinx::limits::header_bytes>(), *random_);
  if (!keys) return;
  keys->add_all(payload);
  if (observe_) watch(loop.message_id, *drawn, *keys, now);
  monitor_.sent(loop.message_id, now + way->held + limits::mix_loop_late);
  mix_metrics::loops_sent.add();
  out(way->hops.front().address, mix::Epochs::rotation(view_->epoch()), std::move(packet));
}

void MixLoops::watch(const mix::MessageId& id, const Drawn& drawn, const sphinx::PayloadKeys& keys,
                     Instant now) {
  if (under_way_.size() >= limits::mix_observed_max) {
    const auto late = now - limits::mix_observed_age_max;
    std::erase_if(under_way_, [&](const auto& each) { return each.second.sent < late; });
    if (under_way_.size() >= limits::mix_observed_max) return;
  }
  auto& loop = under_way_[id];
  loop.sent = now;
  loop.observed.epoch = view_->epoch();
  for (std::size_t i = 0; i + 1 < drawn.nodes.size(); ++i)
    loop.observed.hops.push_back({drawn.nodes[i], keys.tag(i), drawn.way.hops[i].delay_ns});
}

bool MixLoops::returned(ByteView message, Instant now) {
  const auto plain = mix::parse_plain_payload(message, message.size());
  if (!plain || plain->type != mix::PayloadType::loop) return false;
  if (monitor_.returned(plain->message_id, now)) mix_metrics::loops_back.add();
  if (auto watched = under_way_.extract(plain->message_id); !watched.empty()) {
    auto& loop = watched.mapped();
    loop.observed.total = now - loop.sent;
    if (observe_) observe_(loop.observed);
  }
  return true;
}

std::optional<Instant> MixLoops::next_deadline() const {
  auto due = times_.next_deadline();
  if (const auto late = monitor_.next_deadline(); late && (!due || *late < *due)) due = late;
  return due;
}

}  // namespace village::service
