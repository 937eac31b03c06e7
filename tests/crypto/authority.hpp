#pragma once
// Authority is a small certificate authority for tests: issues certificates with the faults a test asks for.
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/base/time.hpp"

namespace village::crypto::test_authority {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using X509Ptr = std::unique_ptr<X509, FreeX509>;

/// Wanted describes a certificate to issue.
struct Wanted {
  std::string common_name = "test";
  std::string alternative_names;  ///< OpenSSL's config form: "DNS:a.example,IP:192.0.2.1"; empty: none
  bool is_authority = false;
  std::string usage;  ///< extendedKeyUsage; empty: none
  WallTime from, until;
};

class Issued {
 public:
  Issued(Key key, X509Ptr certificate) : key_{std::move(key)}, certificate_{std::move(certificate)} {}
  EVP_PKEY* key() const { return key_.get(); }
  X509* certificate() const { return certificate_.get(); }
  Bytes der() const {
    unsigned char* out = nullptr;
    const int size = i2d_X509(certificate(), &out);
    VG_CHECK(size > 0);
    auto bytes = to_bytes(as_bytes(out, static_cast<std::size_t>(size)));
    OPENSSL_free(out);
    return bytes;
  }
  std::string pem() const {
    BIO* bio = BIO_new(BIO_s_mem());
    VG_CHECK(PEM_write_bio_X509(bio, certificate()) == 1);
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio, &text);
    std::string out(text, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
  }

 private:
  Key key_;
  X509Ptr certificate_;
};

inline void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  VG_CHECK(extension != nullptr);
  VG_CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

inline void set_time(ASN1_TIME* field, WallTime at) {
  VG_CHECK(ASN1_TIME_set(field, std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count()) !=
           nullptr);
}

/// issue makes a key and a certificate signed by `issuer`, or by itself.
inline Issued issue(const Wanted& wanted, const Issued* issuer = nullptr) {
  Key key{EVP_EC_gen("P-256")};
  X509Ptr certificate{X509_new()};
  VG_CHECK(key && certificate);
  auto* const x = certificate.get();
  X509_set_version(x, X509_VERSION_3);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  set_time(X509_getm_notBefore(x), wanted.from);
  set_time(X509_getm_notAfter(x), wanted.until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1, -1, 0);
  auto* const parent = issuer != nullptr ? issuer->certificate() : x;
  X509_set_issuer_name(x, X509_get_subject_name(parent));
  X509_set_pubkey(x, key.get());
  add_extension(x, parent, NID_basic_constraints, wanted.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (wanted.is_authority) add_extension(x, parent, NID_key_usage, "critical,keyCertSign");
  if (!wanted.usage.empty()) add_extension(x, parent, NID_ext_key_usage, wanted.usage);
  if (!wanted.alternative_names.empty())
    add_extension(x, parent, NID_subject_alt_name, wanted.alternative_names);
  VG_CHECK(X509_sign(x, issuer != nullptr ? issuer->key() : key.get(), EVP_sha256()) > 0);
  return {std::move(key), std::move(certificate)};
}

}  // namespace village::crypto::test_authority
