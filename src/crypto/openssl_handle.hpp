#pragma once
// OpenSSL objects that free themselves, and its error queue kept as we found it.
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

namespace village::crypto {

template <auto free_function>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
template <class T, auto free_function>
using OpensslHandle = std::unique_ptr<T, OpensslFree<free_function>>;

using CipherContext = OpensslHandle<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;
using DigestContext = OpensslHandle<EVP_MD_CTX, EVP_MD_CTX_free>;
using PkeyContext = OpensslHandle<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Pkey = OpensslHandle<EVP_PKEY, EVP_PKEY_free>;

/// QuietErrors drops what its scope adds to this thread's error queue: SSL_get_error misreads stale entries.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { ERR_pop_to_mark(); }
};

}  // namespace village::crypto
