// OpenSSL's SHA-256 compression, for one lane. SHA256_Transform is its only public form; "deprecated" there
// means that hashing whole messages should go through EVP, which cannot continue from a cached state without
// copying a context.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>

#include "crypto/sha256_lanes.hpp"

namespace village::crypto {

void sha256_compress_openssl(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to) {
  SHA256_CTX context;
  std::copy_n(from, 8, context.h);
  std::uint8_t bytes[64];
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t j = 0; j < 4; ++j)
      bytes[4 * i + j] = static_cast<std::uint8_t>(block[i] >> (24 - 8 * j));
  }
  SHA256_Transform(&context, bytes);
  std::copy_n(context.h, 8, to);
  wipe(std::as_writable_bytes(std::span{bytes}));
}

}  // namespace village::crypto
