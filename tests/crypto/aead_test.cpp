// Aead: properties that no vector shows.
#include "village/crypto/aead.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::crypto {
namespace {

TEST(Smoke, Compiles) {
  SeededRandom random{1};
  Bytes key(32);
  random.fill(key);
  Sealer sealer{AeadAlgorithm::aes_256_gcm, key};
  Opener opener{AeadAlgorithm::aes_256_gcm, key};
  Bytes plain(100), sealed(116), opened(100);
  random.fill(plain);
  AeadNonce nonce{};
  sealer.seal(nonce, {}, plain, sealed);
  EXPECT_TRUE(opener.open(nonce, {}, sealed, opened));
  EXPECT_EQ(plain, opened);
}

}  // namespace
}  // namespace village::crypto
