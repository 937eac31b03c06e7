// One pump for each direction and one watch for idleness, children of the relay. A pump waits for bytes
// without holding memory, then moves what is there in turns; a read that fills its buffer means bulk, and
// between plain TCP sockets bulk is spliced by the kernel.
#include "village/net/relay.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "net/await.hpp"
#include "net/metrics.hpp"
#include "net/relay_memory.hpp"
#include "village/base/check.hpp"
#include "village/net/deadline.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"

namespace village::net {
namespace {

constexpr std::size_t rounds_per_turn = 16;  ///< reads of one socket before others get the core
constexpr std::size_t first_read_bytes = 1'024;

/// Direction is one way: from `source` to `target`.
struct Direction {
  Stream& source;
  Stream& target;
  bool from_a;
  SocketStream* source_socket = nullptr;  ///< when it is one: read without a coroutine
  SocketStream* target_socket = nullptr;
  std::uint64_t bytes = 0;
  std::uint64_t bytes_spliced = 0;
  bool may_splice = false;
  bool bulk = false;
  bool finished = false;
};

/// Progress is what a turn came to.
enum class Progress { idle, more, finished };

/// RelayGauge counts a relay under way.
struct RelayGauge {
  RelayGauge() { metric::relays_current.add(); }
  RelayGauge(const RelayGauge&) = delete;
  RelayGauge& operator=(const RelayGauge&) = delete;
  ~RelayGauge() { metric::relays_current.sub(); }
};

class Relaying {
 public:
  Relaying(Core& core, Stream& a, Stream& b, const RelayLimits& limits)
      : core_{core},
        limits_{limits},
        a_{a},
        b_{b},
        ab_{a, b, true},
        ba_{b, a, false},
        children_{core},
        last_{core.clock().now()} {
    limits_.buffer_bytes = std::clamp<std::size_t>(limits.buffer_bytes, 4 * 1024, 256 * 1024);
    const bool plain = limits.splice && a.native_tcp() >= 0 && b.native_tcp() >= 0;
    for (auto* way : {&ab_, &ba_}) {
      way->source_socket = dynamic_cast<SocketStream*>(&way->source);
      way->target_socket = dynamic_cast<SocketStream*>(&way->target);
      way->may_splice = plain && way->source_socket != nullptr && way->target_socket != nullptr;
    }
  }

  asio::awaitable<RelayStatistics> run() {
    const RelayGauge counted;
    children_.spawn([this] { return pump(ab_); });
    children_.spawn([this] { return pump(ba_); });
    children_.spawn([this] { return watch(); });
    co_await children_.join();
    if (!end_) end_ = ab_.finished && ba_.finished ? RelayEnd::finished : RelayEnd::cancelled;
    close_both();
    co_return statistics();
  }

 private:
  asio::awaitable<void> pump(Direction& way) {
    const auto moved = co_await move_all(way);
    if (moved.has_error()) {
      if (!end_ && moved.error().code != Errc::cancelled) {
        end_ = RelayEnd::failed;
        error_ = moved.error();
        error_from_a_ = failed_at_source_ == way.from_a;
      }
      children_.cancel();
      co_return;
    }
    way.finished = true;
    if (ab_.finished && ba_.finished) {
      if (!end_) end_ = RelayEnd::finished;
      children_.cancel();  // the watch
    }
  }

  Task<void> move_all(Direction& way) {
    for (;;) {
      auto progress = co_await turn(way);
      if (progress.has_error()) co_return progress.error();
      if (*progress == Progress::finished) break;
    }
    const auto ended = co_await way.target.shutdown_write();
    // A peer that reset after it had everything is no failure of this direction.
    if (ended.has_error() && ended.error().code != Errc::reset) co_return blame(false, ended.error());
    co_return ok();
  }

  /// turn waits until the source has bytes and moves some of them.
  Task<Progress> turn(Direction& way) {
    auto ready = co_await way.source.wait_readable();
    if (ready.has_error() && ready.error().code == Errc::unsupported) {
      auto progress = co_await blind_turn(way);
      co_return progress;
    }
    if (ready.has_error()) co_return blame(true, ready.error());
    if (way.bulk && way.may_splice) {
      auto progress = co_await splice_turn(way);
      co_return progress;
    }
    if (way.source_socket != nullptr) {
      auto progress = co_await socket_turn(way);
      co_return progress;
    }
    auto progress = co_await stream_turn(way);
    co_return progress;
  }

  /// socket_turn reads a socket until it is empty.
  Task<Progress> socket_turn(Direction& way) {
    const auto buffer = RelayBuffer::take(limits_.buffer_bytes);
    for (std::size_t round = 0; round < rounds_per_turn; ++round) {
      const auto got = way.source_socket->try_read(buffer.span());
      if (got.has_error()) {
        if (got.error().code == Errc::busy) co_return Progress::idle;
        co_return blame(true, got.error());
      }
      if (*got == 0) co_return Progress::finished;
      const auto written = co_await write(way, buffer.span().first(*got));
      if (written.has_error()) co_return written.error();
      if (*got == limits_.buffer_bytes) way.bulk = true;
      if (way.bulk && way.may_splice) break;
    }
    co_return Progress::more;
  }

  /// stream_turn reads once from a stream that has said that it has bytes.
  Task<Progress> stream_turn(Direction& way) {
    const auto buffer = RelayBuffer::take(limits_.buffer_bytes);
    const auto got = co_await way.source.read_some(buffer.span());
    if (got.has_error()) co_return blame(true, got.error());
    if (*got == 0) co_return Progress::finished;
    const auto written = co_await write(way, buffer.span().first(*got));
    if (written.has_error()) co_return written.error();
    co_return Progress::more;
  }

  /// blind_turn serves a stream that cannot tell: it waits with 1 KiB, and with a whole buffer once that was
  /// filled.
  Task<Progress> blind_turn(Direction& way) {
    std::array<std::byte, first_read_bytes> small;
    const auto got = co_await way.source.read_some(small);
    if (got.has_error()) co_return blame(true, got.error());
    if (*got == 0) co_return Progress::finished;
    const auto written = co_await write(way, ByteView{small}.first(*got));
    if (written.has_error()) co_return written.error();
    bool full = *got == small.size();
    while (full) {
      auto progress = co_await blind_bulk(way, full);
      if (progress.has_error() || *progress == Progress::finished) co_return progress;
    }
    co_return Progress::more;
  }

  Task<Progress> blind_bulk(Direction& way, bool& full) {
    const auto buffer = RelayBuffer::take(limits_.buffer_bytes);
    const auto got = co_await way.source.read_some(buffer.span());
    if (got.has_error()) co_return blame(true, got.error());
    if (*got == 0) co_return Progress::finished;
    full = *got > first_read_bytes;
    const auto written = co_await write(way, buffer.span().first(*got));
    if (written.has_error()) co_return written.error();
    co_return Progress::more;
  }

  /// splice_turn lets the kernel move what is there through a borrowed pipe.
  Task<Progress> splice_turn(Direction& way) {
    auto pipe = SplicePipe::take();
    if (!pipe.valid()) {
      way.bulk = false;  // all pipes are in use: copy, and ask again at the next full buffer
      auto progress = co_await socket_turn(way);
      co_return progress;
    }
    for (std::size_t round = 0; round < rounds_per_turn; ++round) {
      const auto got = pipe.fill(way.source_socket->native());
      if (got == 0) co_return Progress::finished;
      if (got == -EAGAIN) co_return Progress::idle;
      if (got == -EINVAL || got == -ENOSYS) {
        way.may_splice = false;
        co_return Progress::more;
      }
      if (got < 0) co_return blame(true, errno_error(static_cast<int>(-got)));
      touch();
      while (pipe.filled() > 0) {
        const auto put = pipe.empty(way.target_socket->native());
        if (put > 0) {
          way.bytes += static_cast<std::uint64_t>(put);
          way.bytes_spliced += static_cast<std::uint64_t>(put);
          touch();
        } else if (put == -EAGAIN) {
          const auto waited = co_await way.target_socket->wait_writable();
          if (waited.has_error()) co_return blame(false, waited.error());
        } else if (put != -EINTR) {
          co_return blame(false, errno_error(put == 0 ? EPIPE : static_cast<int>(-put)));
        }
      }
    }
    co_return Progress::more;
  }

  /// write counts a slow reader's progress as activity where it can see it.
  Task<void> write(Direction& way, ByteView bytes) {
    touch();
    if (way.target_socket == nullptr) {
      const auto written = co_await way.target.write_all(bytes);
      if (written.has_error()) co_return blame(false, written.error());
      way.bytes += bytes.size();
      touch();
      co_return ok();
    }
    for (;;) {
      const auto written = way.target_socket->try_write(bytes);
      if (written.has_value()) {
        way.bytes += *written;
        bytes = bytes.subspan(*written);
        touch();
      } else if (written.error().code != Errc::busy) {
        co_return blame(false, written.error());
      }
      if (bytes.empty()) co_return ok();
      const auto waited = co_await way.target_socket->wait_writable();
      if (waited.has_error()) co_return blame(false, waited.error());
    }
  }

  /// watch ends the relay when nothing has moved for too long.
  asio::awaitable<void> watch() {
    for (;;) {
      const bool half_closed = ab_.finished || ba_.finished;
      const auto limit = half_closed ? limits_.half_closed_idle : limits_.idle;
      const auto now = core_.clock().now();
      if (limit > Duration{0} && now - last_ >= limit) {
        end_ = half_closed ? RelayEnd::half_closed_idle : RelayEnd::idle;
        children_.cancel();
        co_return;
      }
      // Half-closing may shorten the limit: look again after the shorter one.
      auto look = Duration{1h};
      for (const auto each : {limits_.idle, limits_.half_closed_idle}) {
        if (each > Duration{0}) look = std::min(look, each);
      }
      const auto slept = co_await sleep_until(core_, std::max(last_ + look, now + 1ms));
      if (slept.has_error()) co_return;
    }
  }

  Error blame(bool source, Error error) {
    if (!end_) failed_at_source_ = source;
    return error;
  }
  void touch() { last_ = core_.clock().now(); }

  void close_both() noexcept {
    // A broken stream must not look like an ended one to the other side.
    if (end_ == RelayEnd::failed) {
      for (auto* stream : {&a_, &b_}) {
        if (auto* socket = dynamic_cast<SocketStream*>(stream)) socket->reset();
      }
    }
    a_.close();
    b_.close();
  }

  RelayStatistics statistics() const {
    const auto spliced = ab_.bytes_spliced + ba_.bytes_spliced;
    metric::relay_spliced_bytes.add(spliced);
    metric::relay_copied_bytes.add(ab_.bytes + ba_.bytes - spliced);
    return {ab_.bytes, ba_.bytes, spliced, *end_, error_, error_from_a_};
  }

  Core& core_;
  RelayLimits limits_;
  Stream& a_;
  Stream& b_;
  Direction ab_;
  Direction ba_;
  Nursery children_;
  Instant last_;
  std::optional<RelayEnd> end_;
  std::optional<Error> error_;
  bool failed_at_source_ = false;
  bool error_from_a_ = false;
};

}  // namespace

std::string_view name(RelayEnd end) {
  switch (end) {
    case RelayEnd::finished:
      return "finished";
    case RelayEnd::idle:
      return "idle";
    case RelayEnd::half_closed_idle:
      return "half_closed_idle";
    case RelayEnd::failed:
      return "failed";
    case RelayEnd::cancelled:
      return "cancelled";
  }
  return "unknown";
}

asio::awaitable<RelayStatistics> relay(Core& core, Stream& a, Stream& b, RelayLimits limits) {
  Relaying relaying{core, a, b, limits};
  co_return co_await relaying.run();
}

}  // namespace village::net
