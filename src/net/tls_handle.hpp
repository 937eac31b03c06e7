#pragma once
// OpenSSL objects that free themselves, and the state of the contexts.
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "village/net/tls.hpp"

namespace village::net {

template <auto free_function>
struct TlsFree {
  template <class T>
  void operator()(T* object) const {
    free_function(object);
  }
};
template <class T, auto free_function>
using TlsHandle = std::unique_ptr<T, TlsFree<free_function>>;

using SslHandle = TlsHandle<SSL, SSL_free>;
using SslContextHandle = TlsHandle<SSL_CTX, SSL_CTX_free>;
using BioHandle = TlsHandle<BIO, BIO_free_all>;
using X509Handle = TlsHandle<X509, X509_free>;
using PkeyHandle = TlsHandle<EVP_PKEY, EVP_PKEY_free>;

/// to_der gives a certificate's DER form; empty if OpenSSL fails.
Bytes to_der(X509* certificate);

struct TlsServerContext::State {
  TlsServerOptions options;  ///< without the key
  Bytes alpn;                ///< as on the wire: each name after its length
  std::mutex mutex;          ///< guards `context`: taken once for a handshake, and by reload
  std::shared_ptr<SSL_CTX> context;

  std::shared_ptr<SSL_CTX> get() {
    const std::lock_guard lock{mutex};
    return context;
  }
};

struct TlsClientContext::State {
  std::shared_ptr<SSL_CTX> context;
};

/// TlsVerifier decides on a server's chain for one handshake; hung on the SSL object as its application data.
class TlsVerifier {
 public:
  virtual ~TlsVerifier() = default;
  virtual Result<void> verify(const std::vector<Bytes>& chain_der) = 0;
};

}  // namespace village::net
