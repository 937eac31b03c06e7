#include "village/crypto/sha1.hpp"

#include "crypto/openssl_handle.hpp"
#include "village/base/check.hpp"

namespace village::crypto {

ByteArray<20> sha1(std::initializer_list<ByteView> parts) {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  VG_CHECK(algorithm != nullptr);
  const DigestContext context{EVP_MD_CTX_new()};
  VG_CHECK(context != nullptr);
  VG_CHECK(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1);
  for (const auto part : parts) {
    if (!part.empty()) VG_CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  }
  ByteArray<20> digest;
  unsigned size = 0;
  VG_CHECK(EVP_DigestFinal_ex(context.get(), octets(ByteSpan{digest}), &size) == 1);
  VG_CHECK(size == digest.size());
  return digest;
}

}  // namespace village::crypto
