// OpenSSL's SHA-256 compression, for one lane. SHA256_Transform is its only public form; "deprecated" there
// means that hashing whole messages should go through EVP, which cannot continue from a cached state without
// copying a context.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <bit>

#include "crypto/sha256_lanes.hpp"

namespace village::crypto {

void sha256_compress_openssl(const std::uint32_t* from, const std::uint32_t* block, std::uint32_t* to) {
  SHA256_CTX context;
  std::copy_n(from, 8, context.h);
  std::uint32_t bytes[16];
  for (std::size_t i = 0; i < 16; ++i)
    bytes[i] = std::endian::native == std::endian::little ? __builtin_bswap32(block[i]) : block[i];
  SHA256_Transform(&context, reinterpret_cast<const unsigned char*>(bytes));
  std::copy_n(context.h, 8, to);
  std::fill_n(bytes, 16, 0U);
  asm volatile("" : : "r"(bytes), "r"(&context) : "memory");  // keeps the zeros: the block may be a key
}

}  // namespace village::crypto
