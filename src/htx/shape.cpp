#include "village/htx/shape.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

constexpr std::uint64_t ms = 1'000, s = 1'000'000, hour = 3'600 * s;

// The least times bound what a file can make a session say: a PING a second, and `idle_paddings_max` paddings
// of at most 4 KiB for each time that data stopped.
constexpr ShapePart parts[] = {
    {"ping_interval", &ShapeSide::ping_interval, ShapeUnit::time, s, hour,
     "Time from one PING to the next; none: the configuration's \"ping_interval\" of silence"},
    {"idle_padding_delay", &ShapeSide::idle_padding_delay, ShapeUnit::time, 50 * ms, hour,
     "Time from the last data, or the last padding, to a padding; none: no idle padding"},
    {"idle_padding_count", &ShapeSide::idle_padding_count, ShapeUnit::count, 0, limits::idle_paddings_max,
     "Paddings that follow one another until data flows again; none: one"},
    {"idle_padding_size", &ShapeSide::idle_padding_size, ShapeUnit::bytes, 0, limits::idle_padding_bytes_max,
     "Size of the TLS record that carries a padding; below 26: no padding this time"},
    {"handshake_padding", &ShapeSide::handshake_padding, ShapeUnit::bytes, 0,
     limits::handshake_padding_bytes_max,
     "Bytes that lengthen the handshake: zeros behind the client's proof of identity, a padding in front of "
     "the server's first frames"},
    {"small_record", &ShapeSide::small_record, ShapeUnit::bytes, 64, limits::small_record_bytes_max,
     "Size of the TLS record that a small write is padded to; none: small writes go as they are"},
    {"first_record", &ShapeSide::first_record, ShapeUnit::bytes, 256, limits::record_bytes_max,
     "Size of TLS records at the start and after an idle time; none: as bulk"},
    {"first_bytes", &ShapeSide::first_bytes, ShapeUnit::bytes, 0, limits::first_bytes_max,
     "Bytes that go out in such records; none: nothing does"},
    {"first_again", &ShapeSide::first_again, ShapeUnit::time, 10 * ms, hour,
     "Silence after which such records begin anew; none: they come at the start only"},
    {"bulk_record", &ShapeSide::bulk_record, ShapeUnit::bytes, 1'024, limits::record_bytes_max,
     "Size of TLS records of bulk; none: 16384"},
};

bool within(const Distribution& distribution, std::uint64_t least, std::uint64_t most) {
  return distribution.empty() || (distribution.lowest() >= least && distribution.highest() <= most);
}

}  // namespace

std::span<const ShapePart> shape_parts() { return parts; }

Result<std::shared_ptr<const Shape>> Shape::make(Parts given) {
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    const auto& row = parts[i];
    for (const auto* side : {&given.client, &given.server}) {
      if (!within(side->*row.member, row.least, row.most)) return fail(Errc::bad_argument, i);
    }
  }
  if (given.websocket_idle_timeout.empty() ||
      !within(given.websocket_idle_timeout, websocket_timeout_us_min, websocket_timeout_us_max)) {
    return fail(Errc::bad_argument, std::size(parts));
  }
  return std::shared_ptr<const Shape>{new Shape{std::move(given)}};
}

std::shared_ptr<const Shape> Shape::faster(std::uint64_t divisor) const {
  VG_CHECK(divisor > 0);
  auto quick = parts_;
  for (const auto& row : parts) {
    if (row.unit != ShapeUnit::time) continue;
    for (auto* side : {&quick.client, &quick.server})
      side->*row.member = (side->*row.member).divided(divisor);
  }
  quick.websocket_idle_timeout = quick.websocket_idle_timeout.divided(divisor);
  return std::shared_ptr<const Shape>{new Shape{std::move(quick)}};
}

Duration draw_time(const Distribution& times, RandomSource& random) {
  return std::chrono::microseconds{times.sample(random)};
}

Duration Shape::draw_websocket_timeout(RandomSource& random) const {
  return draw_time(parts_.websocket_idle_timeout, random);
}

std::size_t Shape::draw_handshake_padding(Role role, RandomSource& random) const {
  const auto& sizes = side(role).handshake_padding;
  return sizes.empty() ? 0 : static_cast<std::size_t>(sizes.sample(random));
}

std::size_t RecordSizes::next(Instant now, RandomSource& random) {
  const auto& side = shape_->side(role_);
  const bool shaped = !side.first_record.empty() && !side.first_bytes.empty();
  const bool anew = !begun_ || (!side.first_again.empty() && now >= last_ + again_);
  last_ = now;
  if (shaped && anew) {
    begun_ = true;
    first_left_ = side.first_bytes.sample(random);
    if (!side.first_again.empty()) again_ = draw_time(side.first_again, random);
  }
  if (first_left_ > 0) return side.first_record.sample(random);
  if (side.bulk_record.empty()) return limits::record_bytes_max;
  return side.bulk_record.sample(random);
}

}  // namespace village::htx
