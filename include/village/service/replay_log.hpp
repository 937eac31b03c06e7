#pragma once
// Replay tags on disk, so that no packet passes twice across a restart. Source: decisions/mix, Replay.
//
// One file for each key and worker, mapped shared: a tag is written by a store to the page cache before its
// packet is released, so that kill -9 loses nothing and no packet waits for a disk. A power cut may lose what
// was not synced yet; therefore the file names the boot it belongs to, and after another boot it is good only
// if it was closed in order. Else the key must be retired.
//
//   0     "villaged replay log 1", zeros up to 32 | epoch u64 | key 32 | shard u32 | shards u32
//   80    first 16 bytes of SHA-256 of the above
//   96    boot id, text, zeros up to 48 | u64 pieces | u64 closed (1 = in order)
//   4096  pieces of 2^20 fingerprints, 8 bytes each in the order of the machine; 0 = free
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/replay_shard.hpp"

namespace village::service {

/// ReplayLogName says what a log is for.
struct ReplayLogName {
  mix::Epoch epoch = 0;
  ByteArray<32> key{};  ///< public half of the Sphinx key
  std::uint32_t shard = 0, shards = 1;
};

/// boot_id is this boot's name (Linux); empty if the system does not say: then only an orderly close counts.
std::string boot_id();

/// ReplayLogFile is an open log. append belongs to one thread, everything else may run on another one.
class alignas(village::limits::cache_line_bytes) ReplayLogFile {
 public:
  /// open makes a log, or reads one that is there: `restored` then gets every tag in it. Room for
  /// `piece_tags` tags is allocated on disk (posix_fallocate), now and for each further piece: a store to the
  /// map never meets a full disk. Errors, each of which means that the key must be retired: malformed (not
  /// a log, damaged, cut short, or of another key), auth_failed (of another boot and not closed in order), io
  /// (detail = errno; ENOSPC: no room).
  static Result<std::shared_ptr<ReplayLogFile>> open(
      const std::string& path, const ReplayLogName& name, const std::string& boot,
      const std::function<void(std::span<const mix::Fingerprint>)>& restored,
      std::size_t piece_tags = mix::limits::replay_segment_tags);
  ~ReplayLogFile();
  ReplayLogFile(const ReplayLogFile&) = delete;
  ReplayLogFile& operator=(const ReplayLogFile&) = delete;

  /// append stores tags. Takes a lock and the disk's time only when a piece ends and maintain() has not
  /// prepared the next. false: there is no room.
  bool append(std::span<const mix::Fingerprint> tags);
  /// maintain prepares the next piece when this one is half full, and syncs (fdatasync). Once a second, off
  /// the packet path. Errors: io; the log remains usable.
  Result<void> maintain();
  /// close marks the end in order, synced. Nothing may be appended behind it.
  Result<void> close();
  std::uint64_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  ReplayLogFile(int file, std::size_t piece_tags);
  Result<void> begin(const ReplayLogName& name, const std::string& boot);
  Result<void> restore(const ReplayLogName& name, const std::string& boot,
                       const std::function<void(std::span<const mix::Fingerprint>)>& restored);
  Result<void> extend();
  Result<std::uint64_t*> map_piece(std::size_t number);
  std::size_t piece_bytes() const { return piece_tags_ * sizeof(mix::Fingerprint); }

  int file_;
  std::size_t piece_tags_;
  std::byte* head_ = nullptr;
  std::mutex extending_;
  std::vector<std::uint64_t*> pieces_;             ///< mapped; under extending_
  std::atomic<std::uint64_t*> prepared_{nullptr};  ///< the piece behind the current one
  std::uint64_t* current_ = nullptr;
  std::size_t in_current_ = 0;
  std::atomic<std::uint64_t> size_{0};
  bool closed_ = false;
};

/// ReplayKeeper maintains logs once a second on a thread of its own.
class ReplayKeeper {
 public:
  ReplayKeeper();
  ~ReplayKeeper();
  void add(std::weak_ptr<ReplayLogFile> log);
  /// failures counts maintain() calls that failed since start.
  std::uint64_t failures() const { return failures_.load(std::memory_order_relaxed); }

 private:
  void work(std::stop_token stop);
  std::mutex mutex_;
  std::vector<std::weak_ptr<ReplayLogFile>> logs_;
  std::atomic<std::uint64_t> failures_{0};
  std::jthread thread_;
};

/// ReplayFolder holds the logs of a node's keys.
class ReplayFolder {
 public:
  /// `folder` must exist (0700). `keeper` may be null (tests).
  ReplayFolder(std::string folder, std::string boot, ReplayKeeper* keeper)
      : folder_{std::move(folder)}, boot_{std::move(boot)}, keeper_{keeper} {}

  /// open gives a shard to each of `workers` workers, with the tags of former processes in it, however many
  /// workers these had. `sizing` is of each worker's filter. The logs are closed in order when the shards are
  /// destroyed. Errors: as ReplayLogFile::open: retire the key.
  Result<std::vector<std::unique_ptr<mix::ReplayShard>>> open(mix::Epoch epoch, const ByteArray<32>& key,
                                                              std::uint32_t workers,
                                                              const mix::ReplaySizing& sizing);
  Result<std::vector<std::unique_ptr<mix::ReplayShard>>> open(mix::Epoch epoch, const ByteArray<32>& key,
                                                              std::uint32_t workers,
                                                              std::size_t segments_max) {
    return open(epoch, key, workers, mix::ReplaySizing{segments_max});
  }
  /// remove deletes the logs of an epoch: its key is gone.
  void remove(mix::Epoch epoch);
  /// remove_before deletes those of all epochs before `epoch`.
  void remove_before(mix::Epoch epoch);

 private:
  struct Found {
    std::string path;
    ReplayLogName name;
  };
  std::vector<Found> list() const;
  std::string path_of(const ReplayLogName& name) const;
  Result<std::shared_ptr<ReplayLogFile>> open_one(const std::string& path, const ReplayLogName& name,
                                                  std::vector<mix::ReplayFilter>& filters);

  std::string folder_, boot_;
  ReplayKeeper* keeper_;
};

}  // namespace village::service
