#pragma once
// StreamIndex finds streams by id: pages of sixteen ids of one parity that follow one another, and a hash
// table of the pages. Ids are given out in order and streams are served in turn, so most look-ups need only
// the page of the one before. A page costs 8 bytes for each stream, or 136 for a peer that skips ids on
// purpose.
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "htx/stream.hpp"

namespace village::htx {

/// IdHash spreads page numbers by a secret number: the peer chooses its ids, and 4,096 that collide made a
/// look-up take 5 us instead of 2 ns.
struct IdHash {
  std::uint64_t salt;  ///< odd
  std::size_t operator()(std::uint32_t number) const { return static_cast<std::size_t>(number * salt); }
};

class StreamIndex {
 public:
  /// `salt` is random and not known to the peer.
  explicit StreamIndex(std::uint64_t salt) : pages_{0, IdHash{salt | 1}} {}
  StreamIndex(const StreamIndex&) = delete;
  StreamIndex& operator=(const StreamIndex&) = delete;

  /// find is O(1); nullptr = no such stream.
  Stream* find(StreamId id) {
    const auto number = page_of(id);
    if (number != recent_number_ && !turn_to(number)) return nullptr;
    return recent_->streams[slot_of(id)];
  }
  const Stream* find(StreamId id) const {
    const auto page = pages_.find(page_of(id));
    return page == pages_.end() ? nullptr : page->second->streams[slot_of(id)];
  }
  /// add enters a stream whose id is not there; erase takes one out that is.
  void add(Stream& stream);
  void erase(StreamId id);
  std::size_t size() const { return size_; }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& entry : pages_) {
      for (Stream* const stream : entry.second->streams) {
        if (stream != nullptr) visit(*stream);
      }
    }
  }
  /// shrink frees the memory of an empty index.
  void shrink();

 private:
  static constexpr std::uint32_t page_streams = 16;
  struct Page {
    Stream* streams[page_streams] = {};
    std::uint32_t used = 0;
  };
  static constexpr std::uint32_t no_page = 0xFFFF'FFFF;  ///< page numbers are smaller
  static std::uint32_t page_of(StreamId id) { return id / (2 * page_streams) * 2 + id % 2; }
  static std::size_t slot_of(StreamId id) { return id / 2 % page_streams; }
  bool turn_to(std::uint32_t number) {
    const auto page = pages_.find(number);
    if (page == pages_.end()) return false;
    recent_number_ = number;
    recent_ = page->second.get();
    return true;
  }

  boost::unordered_flat_map<std::uint32_t, std::unique_ptr<Page>, IdHash> pages_;
  std::vector<std::unique_ptr<Page>>
      spare_;  ///< empty pages for the next ids; one that comes and goes is free
  std::uint32_t recent_number_ = no_page;
  Page* recent_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace village::htx
