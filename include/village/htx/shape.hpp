#pragma once
// Shape: how the traffic of a session is to look from outside: when PINGs go out, what follows when data
// stops, how long the handshake's padding is, how bytes are cut into TLS records. Every time and size is
// drawn from the shape's distributions, none is a constant of this program. docs/shape.md has the file form.
//
// Shapes the times and sizes of what the session itself says. Not the volume and not the direction of what
// users send.
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/htx/distribution.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

/// ShapeSide is what one end does. Times are microseconds, sizes bytes. A part that is empty is not shaped,
/// as said behind each.
struct ShapeSide {
  Distribution ping_interval;       ///< from one PING to the next; empty: Settings::ping_interval of silence
  Distribution idle_padding_delay;  ///< from the last data, or padding, to a padding; empty: no padding
  Distribution idle_padding_count;  ///< paddings in one idle time; empty: one
  Distribution idle_padding_size;   ///< TLS plaintext of a padding; below 26: none goes out
  Distribution handshake_padding;   ///< zeros in the handshake (client), first PADDING (server); empty: none
  Distribution small_record;        ///< what a small write is padded to, as TLS plaintext; empty: not padded
  Distribution first_record;        ///< TLS plaintext at start and after an idle time; empty: as bulk
  Distribution first_bytes;         ///< how much goes out so; empty: nothing
  Distribution first_again;         ///< silence after which it begins anew; empty: never
  Distribution bulk_record;         ///< TLS plaintext of bulk; empty: 16,384

  friend bool operator==(const ShapeSide&, const ShapeSide&) = default;
};

enum class ShapeUnit : std::uint8_t { time, bytes, count };

/// ShapePart is one row of the table of parts: its name in files, where it is, what its values may be.
struct ShapePart {
  std::string_view name;
  Distribution ShapeSide::*member;
  ShapeUnit unit;
  std::uint64_t least, most;
  std::string_view doc;
};
/// shape_parts lists the parts of a side.
std::span<const ShapePart> shape_parts();
/// Bounds of Shape::Parts::websocket_idle_timeout, microseconds.
inline constexpr std::uint64_t websocket_timeout_us_min = 1'000'000;
inline constexpr std::uint64_t websocket_timeout_us_max = 3'600'000'000;

/// Shape is immutable and shared by all sessions and cores.
class Shape {
 public:
  struct Parts {
    std::string name;
    ShapeSide client, server;
    Distribution websocket_idle_timeout;  ///< after which a server hangs up on silence, microseconds
  };
  /// make checks every part against the table. Errors: bad_argument (detail: the part's row, the timeout
  /// behind them), when a value is out of range or the timeout is empty.
  static Result<std::shared_ptr<const Shape>> make(Parts parts);

  const std::string& name() const { return parts_.name; }
  const ShapeSide& side(Role role) const { return role == Role::client ? parts_.client : parts_.server; }
  const Distribution& websocket_idle_timeout() const { return parts_.websocket_idle_timeout; }
  /// draw_websocket_timeout is how long a silent WebSocket server waits before it closes.
  Duration draw_websocket_timeout(RandomSource& random) const;
  /// draw_handshake_padding is HandshakeSettings::padding_bytes of that role.
  std::size_t draw_handshake_padding(Role role, RandomSource& random) const;
  /// faster gives this shape with every time divided, below the bounds of files: for tests and simulation.
  std::shared_ptr<const Shape> faster(std::uint64_t divisor) const;

 private:
  explicit Shape(Parts parts) : parts_{std::move(parts)} {}
  Parts parts_;
};

/// draw_time draws from a distribution of microseconds.
Duration draw_time(const Distribution& times, RandomSource& random);

/// RecordSizes cuts what is written into TLS records as one side of a shape does. One for each connection.
class RecordSizes {
 public:
  RecordSizes(std::shared_ptr<const Shape> shape, Role role) : shape_{std::move(shape)}, role_{role} {}
  /// next is the plaintext size of the next record at `now`, at most 16,384; what is left of a write may be
  /// less. O(log buckets).
  std::size_t next(Instant now, RandomSource& random);
  /// wrote tells how large the record became.
  void wrote(std::size_t bytes) { first_left_ -= bytes < first_left_ ? bytes : first_left_; }

 private:
  std::shared_ptr<const Shape> shape_;
  Role role_;
  bool begun_ = false;
  Instant last_;                  ///< of the last record
  Duration again_{0};             ///< silence after which the first records begin anew
  std::uint64_t first_left_ = 0;  ///< bytes still to go out as first records
};

}  // namespace village::htx
