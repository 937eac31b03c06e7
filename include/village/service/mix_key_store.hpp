#pragma once
// MixKeyStore: the files of a mix node's keys, 32 raw bytes each, mode 0600: vrf.key, and sphinx-<epoch>.key.
#include <string>
#include <vector>

#include "village/base/random.hpp"
#include "village/crypto/secret.hpp"
#include "village/crypto/vrf.hpp"
#include "village/crypto/x25519.hpp"
#include "village/mix/epoch.hpp"

namespace village::service {

class MixKeyStore {
 public:
  /// make_folder makes `folder` (0700) unless it is there. Errors: io.
  static Result<MixKeyStore> make_folder(std::string folder);

  struct EpochKey {
    mix::Epoch epoch = 0;
    crypto::X25519Private key;
  };
  /// vrf reads the VRF key, or makes it. Errors: io, malformed (size), denied (others can read it).
  Result<crypto::VrfKeyPair> vrf(RandomSource& random) const;
  /// load reads all mixing keys, oldest first; files that are damaged are left out and named in `damaged`.
  std::vector<EpochKey> load(std::vector<std::string>& damaged) const;
  /// store writes a key, synced and renamed. Errors: io.
  Result<void> store(mix::Epoch epoch, const crypto::X25519Private& key) const;
  /// remove overwrites and deletes a key's file.
  void remove(mix::Epoch epoch) const;
  /// epochs lists the epochs that have files, without reading them.
  std::vector<mix::Epoch> epochs() const;
  const std::string& folder() const { return folder_; }

 private:
  explicit MixKeyStore(std::string folder) : folder_{std::move(folder)} {}
  std::string path(mix::Epoch epoch) const;
  std::string folder_;
};

}  // namespace village::service
