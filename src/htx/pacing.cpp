#include "htx/pacing.hpp"

#include <algorithm>

#include "village/htx/frame.hpp"

namespace village::htx {

Pacing::Pacing(std::shared_ptr<const Shape> shape, Role role, RandomSource& random, Instant now)
    : shape_{std::move(shape)} {
  if (!shape_) return;
  side_ = &shape_->side(role);
  first_write_ = role == Role::server;
  pinged(random, now);
  moved(random, now);
}

void Pacing::pinged(RandomSource& random, Instant now) {
  if (paces_pings()) ping_due_ = now + draw_time(side_->ping_interval, random);
}

void Pacing::moved(RandomSource& random, Instant now) {
  if (side_ == nullptr || side_->idle_padding_delay.empty() || side_->idle_padding_size.empty()) return;
  waiting_ = 0;
  paddings_drawn_ = false;
  padding_due_ = now + draw_time(side_->idle_padding_delay, random);
}

void Pacing::on_padding_due(RandomSource& random, Instant now) {
  if (!padding_due_ || now < *padding_due_) return;
  padding_due_.reset();
  if (!paddings_drawn_) {
    paddings_left_ = side_->idle_padding_count.empty() ? 1 : side_->idle_padding_count.sample(random);
    paddings_drawn_ = true;
  }
  if (paddings_left_ == 0) return;
  const auto size = static_cast<std::size_t>(side_->idle_padding_size.sample(random));
  if (size >= frame_overhead_bytes) waiting_ = size;
  if (--paddings_left_ > 0) padding_due_ = now + draw_time(side_->idle_padding_delay, random);
}

std::size_t Pacing::padded(std::size_t bytes, RandomSource& random) {
  if (side_ == nullptr) return bytes;
  if (std::exchange(first_write_, false)) {
    const auto extra = shape_->draw_handshake_padding(Role::server, random);
    if (extra >= frame_overhead_bytes) return bytes + extra;
  }
  // Padding is a frame of at least 26 bytes. A write that is exactly of a size of the shape could stay as it
  // is, but then that size would come more often than the shape says.
  const auto& sizes = side_->small_record;
  if (sizes.empty() || bytes + frame_overhead_bytes > sizes.highest()) return bytes;
  return static_cast<std::size_t>(
      sizes.sample_at_least(bytes + frame_overhead_bytes, random).value_or(bytes));
}

}  // namespace village::htx
