#include "village/mix/node_keys.hpp"

#include <algorithm>

#include "village/mix/limits.hpp"

namespace village::mix {

NodeKeys::NodeKeys(Epochs epochs, crypto::VrfKeyPair vrf)
    : epochs_{epochs}, vrf_{std::move(vrf)}, clock_{clock_patience} {}

EpochKeysPtr NodeKeys::generate(Epoch epoch, RandomSource& random) {
  if (auto found = find(epoch)) return found;
  return store(epoch, crypto::X25519KeyPair::generate(random));
}

EpochKeysPtr NodeKeys::replace(Epoch epoch, RandomSource& random) {
  return store(epoch, crypto::X25519KeyPair::generate(random));
}

EpochKeysPtr NodeKeys::add(Epoch epoch, crypto::X25519Private key) {
  return store(epoch, crypto::X25519KeyPair::from_private(std::move(key)));
}

EpochKeysPtr NodeKeys::store(Epoch epoch, crypto::X25519KeyPair pair) {
  auto keys = std::make_shared<EpochKeys>();
  keys->epoch = epoch;
  keys->sphinx_private = std::move(pair.private_key);
  keys->sphinx_public = pair.public_key;
  const auto proof = vrf_.prove(vrf_input(epoch));
  auto output = crypto::vrf_output(proof).value();  // a proof of our own is well formed
  std::copy_n(output.begin(), keys->delay_key.size, keys->delay_key.fill().begin());
  crypto::wipe(output);
  proofs_[epoch] = proof;
  while (proofs_.size() > limits::published_epochs_max) proofs_.erase(proofs_.begin());
  return keys_[epoch] = std::move(keys);
}

EpochKeysPtr NodeKeys::find(Epoch epoch) const {
  const auto found = keys_.find(epoch);
  return found == keys_.end() ? nullptr : found->second;
}

std::vector<Epoch> NodeKeys::epochs() const {
  std::vector<Epoch> result;
  for (const auto& [epoch, keys] : keys_) result.push_back(epoch);
  return result;
}

std::vector<Epoch> NodeKeys::expire(Instant now, WallTime wall) {
  const auto settled = clock_.settled(now, wall);
  std::vector<Epoch> gone;
  while (!keys_.empty() && settled >= epochs_.end(keys_.begin()->first) + epochs_.overlap) {
    gone.push_back(keys_.begin()->first);
    keys_.erase(keys_.begin());
  }
  return gone;
}

std::optional<PublishedDelays> NodeKeys::publishable(Epoch epoch, WallTime now, Duration delay_max) const {
  const auto found = proofs_.find(epoch);
  // Whoever knows the output before the last packet left could tell when it will leave.
  if (found == proofs_.end() || keys_.contains(epoch)) return std::nullopt;
  if (now < epochs_.end(epoch) + epochs_.overlap + delay_max) return std::nullopt;
  return PublishedDelays{epoch, found->second};
}

}  // namespace village::mix
