#include "service/mix_epochs.hpp"

#include <algorithm>
#include <utility>

#include "village/base/log.hpp"

namespace village::service {
namespace {

constexpr mix::Epoch epochs_ahead = 2;
constexpr std::size_t proofs_max = 2;

}  // namespace

MixEpochs::MixEpochs(const MixOptions& options, Workers& workers, std::size_t cores)
    : options_{options}, workers_{workers}, cores_{cores}, clock_{options.epochs.length} {}

std::string MixEpochs::open(RandomSource& random, Instant now, WallTime wall) {
  auto store = MixKeyStore::make_folder(options_.keys_path);
  if (!store) return options_.keys_path + ": cannot make this folder for mixing keys";
  store_ = std::make_unique<MixKeyStore>(*std::move(store));
  auto vrf = store_->vrf(random);
  if (!vrf)
    return options_.keys_path + "/vrf.key: " +
           (vrf.error().code == Errc::denied ? "others than its owner can read it; chmod 600 it"
                                             : "cannot be read or made");
  keys_ = std::make_unique<mix::NodeKeys>(options_.epochs, *std::move(vrf));
  logs_ = std::make_unique<ReplayFolder>(options_.keys_path, boot_id(), &keeper_);
  const auto current = options_.epochs.at(wall);
  std::vector<std::string> damaged;
  for (auto& key : store_->load(damaged)) {
    const bool useful = key.epoch + 1 >= current && key.epoch <= current + epochs_ahead;
    if (!useful) {
      if (key.epoch < current) store_->remove(key.epoch);
      continue;
    }
    (void)keys_->add(key.epoch, std::move(key.key));
    stored_.insert(key.epoch);
  }
  for (const auto& path : damaged) VG_LOG(warn, "mix", "key unusable path={}", path);
  if (current > 1) logs_->remove_before(current - 1);
  tick(random, now, wall);
  return {};
}

void MixEpochs::make_keys(mix::Epoch epoch, RandomSource& random) {
  const auto keys = keys_->generate(epoch, random);
  if (!keys || stored_.contains(epoch)) return;
  // A key that a restart loses would make the node deaf for its epoch, but no less safe.
  if (const auto written = store_->store(epoch, keys->sphinx_private); !written)
    VG_LOG(error, "mix", "key not written epoch={} reason={} detail={}", epoch, name(written.error().code),
           written.error().detail);
  stored_.insert(epoch);
  ++version_;
}

mix::ReplaySizing MixEpochs::sizing() const {
  const auto life = options_.epochs.length + options_.epochs.overlap;
  const auto seconds = static_cast<std::uint64_t>(life / std::chrono::seconds{1}) + 1;
  return mix::replay_sizing(seconds * options_.replay.capacity_pps / cores_);
}

void MixEpochs::install(mix::Epoch epoch, mix::Epoch current, RandomSource& random) {
  const auto keys = keys_->find(epoch);
  if (!keys || installed_.contains(epoch) || retired_.contains(epoch)) return;
  auto shards = logs_->open(epoch, keys->sphinx_public, static_cast<std::uint32_t>(cores_), sizing());
  if (!shards) {
    VG_LOG(
        error, "mix",
        "key retired epoch={} reason={}: its memory of packets cannot be trusted; this node mixes again with "
        "the next key",
        epoch, name(shards.error().code));
    store_->remove(epoch);
    ++version_;
    if (epoch <= current || !begin_anew(epoch, random)) retired_.insert(epoch);
    return;
  }
  installed_.insert(epoch);
  workers_.install(keys, *std::move(shards));
}

/// begin_anew gives an epoch that has not begun another key.
bool MixEpochs::begin_anew(mix::Epoch epoch, RandomSource& random) {
  logs_->remove(epoch);
  stored_.erase(epoch);
  const auto keys = keys_->replace(epoch, random);
  make_keys(epoch, random);  // writes it
  auto shards = logs_->open(epoch, keys->sphinx_public, static_cast<std::uint32_t>(cores_), sizing());
  if (!shards) return false;
  installed_.insert(epoch);
  workers_.install(keys, *std::move(shards));
  return true;
}

void MixEpochs::tick(RandomSource& random, Instant now, WallTime wall) {
  const auto settled = clock_.settled(now, wall);
  const auto current = options_.epochs.at(settled);
  for (mix::Epoch epoch = current; epoch <= current + epochs_ahead; ++epoch) make_keys(epoch, random);
  if (current > 0 && keys_->find(current - 1) &&
      settled < options_.epochs.start(current) + options_.epochs.overlap)
    install(current - 1, current, random);
  install(current, current, random);
  install(current + 1, current, random);
  for (const auto epoch : keys_->expire(now, wall)) {
    workers_.remove(epoch);
    store_->remove(epoch);
    logs_->remove(epoch);
    installed_.erase(epoch);
    stored_.erase(epoch);
    retired_.erase(epoch);
    ++version_;
    VG_LOG(info, "mix", "key wiped epoch={}", epoch);
  }
}

MixEpochs::Published MixEpochs::published(WallTime wall) const {
  Published out;
  out.vrf = keys_->vrf_public();
  const auto current = options_.epochs.at(wall);
  for (mix::Epoch epoch = current; epoch <= current + epochs_ahead; ++epoch) {
    if (retired_.contains(epoch)) {
      out.keys
          .clear();  // a descriptor's epochs are consecutive; without a key for one nobody sends us packets
    } else if (const auto keys = keys_->find(epoch)) {
      out.keys.emplace_back(epoch, keys->sphinx_public);
    }
  }
  for (mix::Epoch back = 1; back <= 4 && back <= current && out.proofs.size() < proofs_max; ++back) {
    if (auto proof = keys_->publishable(current - back, wall, options_.delay.max))
      out.proofs.push_back(*proof);
  }
  std::reverse(out.proofs.begin(), out.proofs.end());
  return out;
}

}  // namespace village::service
