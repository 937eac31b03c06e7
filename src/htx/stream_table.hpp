#pragma once
// StreamTable: the streams of a session by id, and the rules of ids: odd ones are the client's, even ones the
// server's, each side's grow and are never used again.
#include <memory>
#include <vector>

#include "htx/fetch_ahead.hpp"
#include "htx/stream.hpp"
#include "htx/stream_index.hpp"
#include "village/base/error.hpp"

namespace village::htx {

/// Standing of an id that is not in the table.
enum class IdStanding : std::uint8_t {
  fresh,         ///< of the peer's parity, above all seen: a frame opens it
  spent,         ///< was open once, or was skipped: frames are ignored
  never_opened,  ///< of our parity, and we have not opened it: a violation
};

/// StreamTable owns the streams; addresses are stable until erase(). Memory of erased streams is used again;
/// shrink() frees it when no stream is left.
class StreamTable {
 public:
  /// `salt` is random and not known to the peer.
  StreamTable(Role role, std::uint64_t salt)
      : streams_{salt}, role_{role}, next_own_{role == Role::client ? 3U : 2U} {
    if (role == Role::server) highest_peer_ = 1;  // stream 1 is there from the start
  }
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;
  ~StreamTable();

  bool is_own(StreamId id) const { return (id % 2 == 1) == (role_ == Role::client); }
  Stream* find(StreamId id) { return streams_.find(id); }
  const Stream* find(StreamId id) const { return streams_.find(id); }
  /// look_ahead asks for the memory of a stream that find() will be asked for soon: of 100,000 streams in
  /// turn each has left the caches since its last turn.
  void look_ahead(StreamId id) {
    if (const Stream* const stream = streams_.find(id)) fetch_ahead(stream, stream_frame_bytes);
  }
  IdStanding standing(StreamId id) const {
    if (is_own(id)) return id < next_own_ ? IdStanding::spent : IdStanding::never_opened;
    return id > highest_peer_ ? IdStanding::fresh : IdStanding::spent;
  }

  /// open_own takes the next own id. Errors: exhausted.
  Result<Stream*> open_own(Priority priority, Instant now);
  /// accept marks a fresh id as seen and adds its stream.
  Stream& accept(StreamId id, Instant now);
  /// skip marks a fresh id as seen without a stream.
  void skip(StreamId id) { highest_peer_ = id; }
  /// add_internal adds stream 1.
  Stream& add_internal(Instant now);
  void erase(Stream& stream);
  void shrink();

  std::size_t size() const { return streams_.size(); }
  template <class Visit>
  void for_each(Visit visit) const {
    streams_.for_each(visit);
  }

 private:
  union Slot {
    Slot() : next{nullptr} {}
    ~Slot() {}
    Slot* next;
    Stream stream;
  };
  Stream& add(StreamId id, Priority priority, Instant now);

  StreamIndex streams_;
  std::vector<std::unique_ptr<Slot[]>> slabs_;
  Slot* free_ = nullptr;
  std::size_t slab_slots_ = 4;  ///< of the next slab
  Role role_;
  StreamId next_own_;
  StreamId highest_peer_ = 0;
};

}  // namespace village::htx
