#pragma once
// ReplyBlocks: the keys of reply blocks that this client gave away, until they were used or are too old.
#include <map>
#include <optional>
#include <unordered_map>

#include "village/base/time.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/message_limits.hpp"
#include "village/mix/path_health.hpp"
#include "village/mix/plain_payload.hpp"
#include "village/mix/reassembly.hpp"
#include "village/sphinx/surb.hpp"

namespace village::mix {

/// ReplyPurpose is what a reply block was made for.
struct ReplyPurpose {
  PayloadType type = PayloadType::acknowledgement;  ///< or reply
  Answers answers;                                  ///< the message, and who has the block
  std::uint16_t index = 0;                          ///< acknowledgement: of this fragment
  Instant sent{};                                   ///< acknowledgement: when the fragment left
  Duration held{};                                  ///< acknowledgement: what the nodes hold both packets for
  PathMarks path;                                   ///< the mixes of its way, and of the fragment\'s
};

/// ReplyBlocks finds keys by identifier. A block is good for one reply that opens, and until the end of its
/// epoch and the overlap. Identifiers are our own random ones. One thread. About 250 bytes each, at most
/// reply_keys_max.
class ReplyBlocks {
 public:
  struct Kept {
    sphinx::ReplyKeys keys;
    ReplyPurpose purpose;
  };

  explicit ReplyBlocks(std::size_t blocks_max = limits::reply_keys_max) : blocks_max_{blocks_max} {}

  bool full() const { return blocks_.size() >= blocks_max_; }
  /// keep remembers a block until `expires`. Errors: busy (full), already_exists.
  Result<void> keep(const sphinx::Identifier& identifier, sphinx::ReplyKeys keys, const ReplyPurpose& purpose,
                    WallTime expires);
  /// find looks one up; nullptr if it is unknown, used or expired. Valid until the next change.
  const Kept* find(const sphinx::Identifier& identifier, WallTime now) const;
  /// find, expired or not.
  const Kept* find(const sphinx::Identifier& identifier) const;
  /// forget drops one: it was used, or nobody waits for it any more.
  void forget(const sphinx::Identifier& identifier);
  /// expire drops the old ones; returns how many.
  std::size_t expire(WallTime now);
  std::size_t size() const { return blocks_.size(); }

  /// lives_until is when replies of an epoch end: its end and the overlap. Source: decisions/mix, SURB.
  static WallTime lives_until(const Epochs& epochs, Epoch epoch);

 private:
  struct Hash {
    std::size_t operator()(const sphinx::Identifier& identifier) const;
  };
  using Ages = std::multimap<WallTime, sphinx::Identifier>;
  struct Entry {
    Kept kept;
    Ages::iterator age;
  };
  std::size_t blocks_max_;
  std::unordered_map<sphinx::Identifier, Entry, Hash> blocks_;
  Ages ages_;
};

}  // namespace village::mix
