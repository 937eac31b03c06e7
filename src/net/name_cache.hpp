#pragma once
// NameCache: answers of the name service until they expire, at most so many, the longest unused going first.
// One core.
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "village/base/error.hpp"
#include "village/base/time.hpp"
#include "village/net/address.hpp"

namespace village::net {

class NameCache {
 public:
  using Answer = Result<std::vector<Ip>>;
  explicit NameCache(std::size_t entries_max) : entries_max_{entries_max} {}

  const Answer* find(const std::string& name, Instant now) {
    const auto found = index_.find(name);
    if (found == index_.end()) return nullptr;
    if (found->second->expires <= now) {
      entries_.erase(found->second);
      index_.erase(found);
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->answer;
  }
  void put(const std::string& name, Answer answer, Instant expires) {
    if (entries_max_ == 0) return;
    if (const auto old = index_.find(name); old != index_.end()) {
      entries_.erase(old->second);
      index_.erase(old);
    } else if (entries_.size() == entries_max_) {
      index_.erase(entries_.back().name);
      entries_.pop_back();
    }
    entries_.push_front({name, std::move(answer), expires});
    index_.emplace(name, entries_.begin());
  }
  void clear() {
    index_.clear();
    entries_.clear();
  }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string name;
    Answer answer;
    Instant expires;
  };
  std::size_t entries_max_;
  std::list<Entry> entries_;  ///< the last used first
  std::map<std::string, std::list<Entry>::iterator>
      index_;  ///< ordered: peers choose the names, a hash could be flooded
};

}  // namespace village::net
