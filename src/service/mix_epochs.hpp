#pragma once
// MixEpochs: the epoch clock of a node. Keys are made three epochs ahead and kept in files; those of this
// epoch and the next are handed to the workers with their memory of packets; expired ones are wiped
// everywhere.
//
// A key whose memory of packets cannot be trusted (a power cut, damage) opens nothing any more: who recorded
// its packets could send them again and see where they go. For an epoch that is under way there is no cure:
// senders take keys from the document, and that is signed. For the next epoch another key is made and
// announced at once; it is in force if the authorities still collect.
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "village/mix/clock_guard.hpp"
#include "village/mix/node_keys.hpp"
#include "village/mix/replay_shard.hpp"
#include "village/service/mix_key_store.hpp"
#include "village/service/mix_options.hpp"
#include "village/service/replay_log.hpp"

namespace village::service {

/// MixEpochs belongs to one thread. What it wants of the workers it says by `Workers`.
class MixEpochs {
 public:
  /// Workers is how keys get to the cores.
  class Workers {
   public:
    virtual void install(mix::EpochKeysPtr keys, std::vector<std::unique_ptr<mix::ReplayShard>> shards) = 0;
    virtual void remove(mix::Epoch epoch) = 0;

   protected:
    ~Workers() = default;
  };

  MixEpochs(const MixOptions& options, Workers& workers, std::size_t cores);

  /// open reads or makes folder and keys. Returns a sentence for the operator; empty = fine.
  std::string open(RandomSource& random, Instant now, WallTime wall);
  /// tick does what is due: keys made, installed, expired.
  void tick(RandomSource& random, Instant now, WallTime wall);

  struct Published {
    std::vector<std::pair<mix::Epoch, crypto::X25519Public>> keys;  ///< of this epoch and the two after it
    crypto::Ed25519Public vrf{};
    std::vector<mix::PublishedDelays> proofs;  ///< of epochs that are over, the last two
  };
  /// published is what others are told.
  Published published(WallTime wall) const;
  /// version changes with what published() says.
  std::uint64_t version() const { return version_; }
  const mix::NodeKeys& keys() const { return *keys_; }
  std::size_t keys_retired() const { return retired_.size(); }

 private:
  void make_keys(mix::Epoch epoch, RandomSource& random);
  void install(mix::Epoch epoch, mix::Epoch current, RandomSource& random);
  bool begin_anew(mix::Epoch epoch, RandomSource& random);
  mix::ReplaySizing sizing() const;

  const MixOptions& options_;
  Workers& workers_;
  std::size_t cores_;
  std::unique_ptr<MixKeyStore> store_;
  std::unique_ptr<mix::NodeKeys> keys_;
  ReplayKeeper keeper_;
  std::unique_ptr<ReplayFolder> logs_;
  mix::ClockGuard clock_;
  std::set<mix::Epoch> installed_, stored_, retired_;
  std::uint64_t version_ = 0;
};

}  // namespace village::service
