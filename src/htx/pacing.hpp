#pragma once
// Pacing: when a shaped session says something by itself, and how much: PINGs, idle paddings, and what small
// writes are padded to. Without a shape it says nothing and pads nothing.
//
//   data --delay drawn--> padding --delay drawn--> padding ... as often as drawn --> silence until data
//                ^___ data: begins anew
#include <memory>
#include <optional>

#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/htx/shape.hpp"

namespace village::htx {

class Pacing {
 public:
  Pacing(std::shared_ptr<const Shape> shape, Role role, RandomSource& random, Instant now);

  bool shaped() const { return side_ != nullptr; }
  /// paces_pings: the shape says when PINGs go out.
  bool paces_pings() const { return side_ != nullptr && !side_->ping_interval.empty(); }
  Instant ping_due() const { return ping_due_; }
  void pinged(RandomSource& random, Instant now);

  /// moved tells that data went out or came in: an idle time begins here. What it draws replaces what was
  /// drawn before, or only long delays would ever come to pass.
  void moved(RandomSource& random, Instant now);
  std::optional<Instant> padding_due() const { return padding_due_; }
  /// on_padding_due makes a padding wait, or none if so drawn, and sets the time of the next.
  void on_padding_due(RandomSource& random, Instant now);
  /// waiting is the size of the idle padding that waits; 0 = none. It is dropped when data moves first.
  std::size_t waiting() const { return waiting_; }
  void sent_waiting() { waiting_ = 0; }

  /// padded is how large a write of `bytes` is to be: `bytes` where nothing is to be added, else at least 26
  /// more (room for a frame). `bytes` > 0.
  std::size_t padded(std::size_t bytes, RandomSource& random);

 private:
  std::shared_ptr<const Shape> shape_;
  const ShapeSide* side_ = nullptr;
  Instant ping_due_{};
  std::optional<Instant> padding_due_;
  std::uint64_t paddings_left_ = 0;
  bool paddings_drawn_ = false;
  bool first_write_ = false;  ///< the server's handshake padding is still to come
  std::size_t waiting_ = 0;
};

}  // namespace village::htx
