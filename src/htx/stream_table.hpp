#pragma once
// StreamTable: the streams of a session by id, and the rules of ids: odd ones are the client's, even ones the
// server's, each side's grow and are never used again.
#include <boost/unordered/unordered_flat_map.hpp>
#include <memory>
#include <vector>

#include "htx/fetch_ahead.hpp"
#include "htx/stream.hpp"
#include "village/base/error.hpp"

namespace village::htx {

/// Standing of an id that is not in the table.
enum class IdStanding : std::uint8_t {
  fresh,         ///< of the peer's parity, above all seen: a frame opens it
  spent,         ///< was open once, or was skipped: frames are ignored
  never_opened,  ///< of our parity, and we have not opened it: a violation
};

/// IdHash spreads stream ids by a secret number: the peer chooses its ids, and 4,096 that collide made a
/// look-up take 5 us instead of 2 ns.
struct IdHash {
  std::uint64_t salt;  ///< odd
  std::size_t operator()(StreamId id) const { return static_cast<std::size_t>(id * salt); }
};

/// StreamTable owns the streams; addresses are stable until erase(). Memory of erased streams is used again;
/// shrink() frees it when no stream is left.
class StreamTable {
 public:
  /// `salt` is random and not known to the peer.
  StreamTable(Role role, std::uint64_t salt)
      : streams_{0, IdHash{salt | 1}}, role_{role}, next_own_{role == Role::client ? 3U : 2U} {
    if (role == Role::server) highest_peer_ = 1;  // stream 1 is there from the start
  }
  StreamTable(const StreamTable&) = delete;
  StreamTable& operator=(const StreamTable&) = delete;
  ~StreamTable();

  bool is_own(StreamId id) const { return (id % 2 == 1) == (role_ == Role::client); }
  /// find is O(1); the stream asked for last, or looked ahead for, costs a comparison.
  Stream* find(StreamId id) {
    if (recent_ != nullptr && recent_->id == id) return recent_;
    if (ahead_ != nullptr && ahead_->id == id) return recent_ = ahead_;
    const auto found = streams_.find(id);
    if (found == streams_.end()) return nullptr;
    return recent_ = found->second;
  }
  const Stream* find(StreamId id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
  }
  /// look_ahead finds the stream that will be asked for next, if there is one, and asks for its memory: of
  /// 100,000 streams in turn each has left the caches since its last turn.
  void look_ahead(StreamId id) {
    if (recent_ != nullptr && recent_->id == id) return;
    const auto found = streams_.find(id);
    ahead_ = found == streams_.end() ? nullptr : found->second;
    if (ahead_ != nullptr) fetch_ahead(ahead_, stream_frame_bytes);
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
    for (auto& entry : streams_) visit(*entry.second);
  }

 private:
  union Slot {
    Slot() : next{nullptr} {}
    ~Slot() {}
    Slot* next;
    Stream stream;
  };
  Stream& add(StreamId id, Priority priority, Instant now);

  boost::unordered_flat_map<StreamId, Stream*, IdHash> streams_;
  std::vector<std::unique_ptr<Slot[]>> slabs_;
  Slot* free_ = nullptr;
  std::size_t slab_slots_ = 4;  ///< of the next slab
  Stream* recent_ = nullptr;
  Stream* ahead_ = nullptr;
  Role role_;
  StreamId next_own_;
  StreamId highest_peer_ = 0;
};

}  // namespace village::htx
