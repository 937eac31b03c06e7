#pragma once
// DemoMixLedger: what the mixnet's demonstration sent and what arrived, over all its threads.
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "village/base/bytes.hpp"

namespace village::daemon {

/// DemoMessage is a message under way; it is kept until its sender's node knows that it arrived.
struct DemoMessage {
  std::size_t from = 0;  ///< client
  std::string to;        ///< address; empty: a reply
  std::string sum;       ///< SHA-256, by which contents are told apart
  Bytes message;
  std::uint32_t blocks = 0;
};

class DemoMixLedger {
 public:
  /// sent notes a message under the id it got; `again`: it was given up before.
  void sent(const std::string& id, DemoMessage what, bool again);
  void arrived(const std::string& id, const std::string& sum);
  /// under_way lists ids whose fate is open; settle takes one out.
  std::vector<std::string> under_way() const;
  DemoMessage settle(const std::string& id);
  std::size_t sender(const std::string& id) const;
  bool has(const std::string& sum) const;
  /// forgive gives a reply up whose block was lost: it cannot be sent again.
  void forgive(const std::string& sum);
  /// complain notes the first thing that went wrong.
  void complain(const std::string& problem);
  std::string problem() const;

  std::size_t expected() const;
  std::size_t missing() const;
  std::uint64_t bytes() const;
  std::size_t again() const;  ///< messages given up and sent anew
  /// verdict compares everything; empty = each content arrived as it was sent, each id once.
  std::string verdict() const;

 private:
  std::size_t missing_here() const;
  mutable std::mutex mutex_;
  std::map<std::string, DemoMessage> under_way_;
  std::set<std::string> expected_, ids_;
  std::map<std::string, std::size_t> copies_;  ///< arrivals by content
  std::uint64_t bytes_ = 0;
  std::size_t twice_ = 0, again_ = 0;
  std::string problem_;
};

}  // namespace village::daemon
