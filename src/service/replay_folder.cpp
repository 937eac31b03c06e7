#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

#include "village/crypto/random.hpp"
#include "village/service/replay_log.hpp"

namespace village::service {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "replay-", suffix = ".log";

/// Journal closes its log in order when its shard goes.
class Journal final : public mix::ReplayJournal {
 public:
  explicit Journal(std::shared_ptr<ReplayLogFile> log) : log_{std::move(log)} {}
  ~Journal() override { (void)log_->close(); }
  bool append(std::span<const mix::Fingerprint> tags) override { return log_->append(tags); }

 private:
  std::shared_ptr<ReplayLogFile> log_;
};

/// take_number reads digits and what must stand behind them.
template <class T>
bool take_number(std::string_view& text, T& value, std::string_view behind) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (failed != std::errc{} || !text.starts_with(behind)) return false;
  text.remove_prefix(behind.size());
  return true;
}

std::optional<ReplayLogName> parse_name(std::string_view text) {
  ReplayLogName name;
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (!take_number(text, name.epoch, "-") || !take_number(text, name.shard, "of") ||
      !take_number(text, name.shards, suffix) || !text.empty() || name.shard >= name.shards)
    return std::nullopt;
  return name;
}

}  // namespace

std::string ReplayFolder::path_of(const ReplayLogName& name) const {
  return folder_ + "/" + std::string{prefix} + std::to_string(name.epoch) + "-" + std::to_string(name.shard) +
         "of" + std::to_string(name.shards) + std::string{suffix};
}

std::vector<ReplayFolder::Found> ReplayFolder::list() const {
  std::vector<Found> found;
  std::error_code error;
  for (fs::directory_iterator at{folder_, error}, end; !error && at != end; at.increment(error)) {
    if (const auto name = parse_name(at->path().filename().string())) found.push_back({at->path(), *name});
  }
  return found;
}

Result<std::shared_ptr<ReplayLogFile>> ReplayFolder::open_one(const std::string& path,
                                                              const ReplayLogName& name,
                                                              std::vector<mix::ReplayFilter>& filters) {
  bool full = false;
  const auto restored = [&](std::span<const mix::Fingerprint> tags) {
    const auto workers = static_cast<std::uint32_t>(filters.size());
    for (const auto tag : tags) full |= !filters[mix::owner_of(tag, workers)].restore(tag);
  };
  VG_TRY(log, ReplayLogFile::open(path, name, boot_, restored));
  if (full) return Error{Errc::limit_exceeded};
  return log;
}

Result<std::vector<std::unique_ptr<mix::ReplayShard>>> ReplayFolder::open(mix::Epoch epoch,
                                                                          const ByteArray<32>& key,
                                                                          std::uint32_t workers,
                                                                          const mix::ReplaySizing& sizing) {
  auto found = list();
  std::erase_if(found, [&](const Found& log) { return log.name.epoch != epoch; });
  std::vector<Found> former;  // written by other numbers of workers
  for (const auto& log : found)
    if (log.name.shards != workers) former.push_back(log);
  const auto current = found.size() - former.size();
  crypto::SystemRandom random;
  std::vector<mix::ReplayFilter> filters;
  for (std::uint32_t i = 0; i < workers; ++i) filters.emplace_back(sizing, random.u64());
  std::vector<std::shared_ptr<ReplayLogFile>> logs;
  std::uint64_t tags = 0;
  for (std::uint32_t i = 0; i < workers; ++i) {
    const ReplayLogName name{epoch, key, i, workers};
    VG_TRY(log, open_one(path_of(name), name, filters));
    tags += log->size();
    logs.push_back(log);
  }
  // Shards are made together: one that is missing beside others with tags was lost.
  if (current != 0 && current != workers && former.empty() && tags != 0) return Error{Errc::malformed};
  for (const auto& old : former) {
    const auto same = [&](const Found& other) { return other.name.shards == old.name.shards; };
    if (std::ranges::count_if(former, same) != old.name.shards) return Error{Errc::malformed};
  }
  bool moved_all = true;
  for (auto& old : former) {
    old.name.key = key;
    const auto move = [&](std::span<const mix::Fingerprint> moved) {
      for (const auto tag : moved) {
        const auto owner = mix::owner_of(tag, workers);
        moved_all &= filters[owner].restore(tag) && logs[owner]->append({&tag, 1});
      }
    };
    const auto log = ReplayLogFile::open(old.path, old.name, boot_, move);
    if (!log) return log.error();
  }
  if (!moved_all) return Error{Errc::limit_exceeded};
  for (auto& log : logs) VG_TRY_VOID(log->maintain());
  for (const auto& old : former) fs::remove(old.path);
  std::vector<std::unique_ptr<mix::ReplayShard>> shards;
  for (std::uint32_t i = 0; i < workers; ++i) {
    if (keeper_ != nullptr) keeper_->add(logs[i]);
    shards.push_back(
        std::make_unique<mix::ReplayShard>(std::move(filters[i]), std::make_unique<Journal>(logs[i])));
  }
  return shards;
}

void ReplayFolder::remove(mix::Epoch epoch) {
  for (const auto& log : list())
    if (log.name.epoch == epoch) {
      std::error_code ignored;
      fs::remove(log.path, ignored);
    }
}

void ReplayFolder::remove_before(mix::Epoch epoch) {
  for (const auto& log : list())
    if (log.name.epoch < epoch) remove(log.name.epoch);
}

}  // namespace village::service
