#pragma once
// What certificate.cpp and self_signed.cpp share: X.509 objects that free themselves, PEM in memory, the pin.
#include <openssl/bio.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string_view>

#include "crypto/openssl_handle.hpp"
#include "village/crypto/certificate.hpp"

namespace village::crypto {

using Certificate = OpensslHandle<X509, X509_free>;
using Bio = OpensslHandle<BIO, BIO_free_all>;

/// pin_of is SHA-256 of the certificate's SubjectPublicKeyInfo.
Result<SpkiPin> pin_of(X509* certificate);

/// bio_over reads `text` in place; the text must outlive it. Errors: limit_exceeded.
Result<Bio> bio_over(std::string_view text);

}  // namespace village::crypto
