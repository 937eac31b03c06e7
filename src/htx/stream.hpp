#pragma once
// Stream: the state of one stream, and the intrusive lists that streams stand in. At most 256 bytes when
// idle.
#include <cstdint>

#include "htx/credit.hpp"
#include "htx/fetch_ahead.hpp"
#include "htx/send_queue.hpp"
#include "village/base/check.hpp"
#include "village/htx/limits.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

struct Stream;

/// Link is a stream's place in a circular list; next == nullptr: in none.
struct Link {
  Stream* next = nullptr;
  Stream* previous = nullptr;
};

inline constexpr std::size_t priorities = 3;
/// Streams with only a FIN to send stand in a ring of their own, served before data: FIN needs no credit.
inline constexpr std::uint8_t ring_fin = priorities;
inline constexpr std::uint8_t ring_none = ring_fin + 1;

inline constexpr std::uint32_t no_timer = 0xFFFF'FFFF;

/// Stream is laid out by lines of the cache, for sessions with more streams than fit any cache: what a frame
/// that is sent needs is in the first line and the counts of the second, what one that is received needs in
/// the second and the flags of the first.
struct alignas(cache_line_bytes) Stream {
  Stream(StreamId id_, Priority priority_, Instant now)
      : priority{priority_},
        window{limits::stream_credit_start, now},
        waiting_since{now},
        id{id_},
        opened_at{now} {}

  // Sending.
  SendQueue queue;
  std::uint64_t sent = 0;  ///< offset of the next byte to send
  SendCredit credit{limits::stream_credit_start};
  std::uint32_t deficit = 0;
  Link ring;  ///< streams of one class that have something to send and credit for it
  Priority priority;
  std::uint8_t ring_number = ring_none;
  bool announced = false;   ///< a frame of it was sent or received: the peer knows it
  bool fin_queued = false;  ///< the sending side ends behind `queue`
  bool fin_sent = false;
  bool fin_received = false;
  bool wants_room = false;  ///< send() took less than offered
  bool internal = false;    ///< stream 1, not the application's

  // Receiving, and what both count.
  ReceiveWindow window;
  Instant waiting_since;  ///< when unread data began to wait, or was read last
  std::uint32_t credit_to_tell = 0;
  StreamId id;
  std::uint32_t frames_in = 0, frames_out = 0;

  // Seldom.
  Link wait;  ///< own streams the peer does not know yet; later, streams with credit to tell
  Instant opened_at;
  Instant send_deadline = Instant::max();  ///< what is not sent then resets the stream
  Instant blocked_since = Instant::max();  ///< the peer gives no credit to speak of
  std::uint32_t timer = no_timer;          ///< place in StreamTimers
  std::uint32_t datagram_bytes = 0;        ///< in the session's DatagramQueue

  /// ended: both sides are done; nothing but unread data keeps the state.
  bool ended() const { return fin_sent && fin_received; }
};
inline constexpr std::size_t stream_frame_bytes = 2 * cache_line_bytes;  ///< of a Stream, for each frame
static_assert(sizeof(Stream) == 3 * cache_line_bytes);

/// StreamList is a circular list through one of the links. All operations O(1).
template <Link Stream::*link>
class StreamList {
 public:
  bool empty() const { return front_ == nullptr; }
  Stream* front() const { return front_; }
  static bool contains(const Stream& stream) { return (stream.*link).next != nullptr; }

  void push_back(Stream& stream) {
    VG_CHECK(!contains(stream));
    if (front_ == nullptr) {
      stream.*link = {&stream, &stream};
      front_ = &stream;
      return;
    }
    Stream* const last = (front_->*link).previous;
    stream.*link = {front_, last};
    (last->*link).next = &stream;
    (front_->*link).previous = &stream;
  }
  void remove(Stream& stream) {
    VG_CHECK(contains(stream));
    const Link old = stream.*link;
    stream.*link = {};
    if (old.next == &stream) {
      front_ = nullptr;
      return;
    }
    (old.previous->*link).next = old.next;
    (old.next->*link).previous = old.previous;
    if (front_ == &stream) front_ = old.next;
  }
  /// rotate sends the front to the back.
  void rotate() { front_ = (front_->*link).next; }

 private:
  Stream* front_ = nullptr;
};

using StreamRing = StreamList<&Stream::ring>;
using StreamWaitList = StreamList<&Stream::wait>;

}  // namespace village::htx
