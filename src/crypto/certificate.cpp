// Pins and chain verification over OpenSSL's X509, with time as an argument and no word left in its error
// queue.
#include "village/crypto/certificate.hpp"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <climits>
#include <ctime>

#include "crypto/x509_handle.hpp"
#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/limits.hpp"

namespace village::crypto {
namespace {

using Store = OpensslHandle<X509_STORE, X509_STORE_free>;
using Verification = OpensslHandle<X509_STORE_CTX, X509_STORE_CTX_free>;

struct FreeCertificates {
  void operator()(STACK_OF(X509) * list) const { sk_X509_pop_free(list, X509_free); }
};
using Certificates = std::unique_ptr<STACK_OF(X509), FreeCertificates>;

static_assert(pin_mismatch == X509_V_ERR_APPLICATION_VERIFICATION);

/// no_password answers for encrypted PEM: OpenSSL's default would ask on the terminal.
int no_password(char*, int, int, void*) { return -1; }

Result<Certificate> parse_der(ByteView der, std::size_t index) {
  if (der.size() > limits::certificate_bytes_max) return fail(Errc::limit_exceeded, index);
  const auto* at = octets(der);
  Certificate certificate{d2i_X509(nullptr, &at, static_cast<long>(der.size()))};
  if (certificate == nullptr || at != octets(der) + der.size()) return fail(Errc::malformed, index);
  return certificate;
}

Result<Certificate> first_of_pem(std::string_view pem) {
  VG_TRY(bio, bio_over(pem));
  Certificate certificate{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)};
  if (certificate == nullptr) return fail(Errc::malformed);
  return certificate;
}

Result<Certificates> parse_chain(const std::vector<Bytes>& chain_der) {
  Certificates chain{sk_X509_new_null()};
  VG_CHECK(chain != nullptr);
  for (std::size_t i = 0; i < chain_der.size(); ++i) {
    VG_TRY(certificate, parse_der(chain_der[i], i));
    VG_CHECK(sk_X509_push(chain.get(), certificate.get()) > 0);
    (void)certificate.release();
  }
  return chain;
}

/// system_store is shared by all threads; OpenSSL locks it.
X509_STORE* system_store() {
  static const Store store = [] {
    Store fresh{X509_STORE_new()};
    VG_CHECK(fresh != nullptr);
    X509_STORE_set_default_paths(fresh.get());  // without a store every chain fails: unable to get issuer
    return fresh;
  }();
  return store.get();
}

Result<Store> store_of_pem(const std::string& ca_pem) {
  VG_TRY(bio, bio_over(ca_pem));
  Store store{X509_STORE_new()};
  VG_CHECK(store != nullptr);
  std::size_t count = 0;
  for (;; ++count) {
    const Certificate root{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)};
    if (root == nullptr) break;
    VG_CHECK(X509_STORE_add_cert(store.get(), root.get()) == 1);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (count == 0 || !at_end) return fail(Errc::bad_argument);
  return store;
}

/// set_demands tells OpenSSL what a server's chain must satisfy, beyond the signatures.
Result<void> set_demands(X509_VERIFY_PARAM* demands, const Trust& trust, WallTime now) {
  std::string_view name = trust.name;
  if (name.ends_with('.')) name.remove_suffix(1);
  // OpenSSL takes a name that starts with a dot for all names below it.
  if (name.empty() || name.front() == '.' || name.find('\0') != name.npos) return fail(Errc::bad_argument);
  const std::string text{name};
  if (X509_VERIFY_PARAM_set1_ip_asc(demands, text.c_str()) != 1) {
    X509_VERIFY_PARAM_set_hostflags(
        demands, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(demands, text.c_str(), text.size()) != 1) return fail(Errc::bad_argument);
  }
  X509_VERIFY_PARAM_set_time(demands,
                             std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  X509_VERIFY_PARAM_set_purpose(demands, X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_auth_level(demands, 2);  // 112 bits: RSA 2048, no SHA-1
  X509_VERIFY_PARAM_set_depth(demands, static_cast<int>(limits::chain_certificates_max));
  // Roots that the operator names are roots, even when they are intermediates or the leaf itself.
  if (!trust.ca_pem.empty()) X509_VERIFY_PARAM_set_flags(demands, X509_V_FLAG_PARTIAL_CHAIN);
  return ok();
}

Result<void> verify_pin(X509* leaf, const SpkiPin& pin) {
  VG_TRY(found, pin_of(leaf));
  if (!equal(found, pin)) return fail(Errc::bad_certificate, pin_mismatch);
  return ok();
}

Result<void> verify_roots(STACK_OF(X509) * chain, const Trust& trust, WallTime now) {
  Store own_store;
  X509_STORE* store = nullptr;
  if (trust.ca_pem.empty()) {
    store = system_store();
  } else {
    VG_TRY(roots, store_of_pem(trust.ca_pem));
    own_store = std::move(roots);
    store = own_store.get();
  }
  const Verification verification{X509_STORE_CTX_new()};
  VG_CHECK(verification != nullptr);
  VG_CHECK(X509_STORE_CTX_init(verification.get(), store, sk_X509_value(chain, 0), chain) == 1);
  VG_TRY_VOID(set_demands(X509_STORE_CTX_get0_param(verification.get()), trust, now));
  if (X509_verify_cert(verification.get()) == 1) return ok();
  const int problem = X509_STORE_CTX_get_error(verification.get());
  return fail(Errc::bad_certificate,
              static_cast<std::uint32_t>(problem == X509_V_OK ? X509_V_ERR_UNSPECIFIED : problem));
}

/// to_wall converts, saturated at the ends of WallTime: certificates "without end" say the year 9999.
Result<WallTime> to_wall(const ASN1_TIME* time) {
  using namespace std::chrono;
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return fail(Errc::malformed);
  const auto date = year{parts.tm_year + 1900} / (parts.tm_mon + 1) / parts.tm_mday;
  const auto since_1970 = sys_days{date}.time_since_epoch() + hours{parts.tm_hour} + minutes{parts.tm_min} +
                          seconds{parts.tm_sec};
  const auto bounded =
      std::clamp<seconds>(since_1970, ceil<seconds>(Duration::min()), floor<seconds>(Duration::max()));
  return WallTime{bounded};
}

}  // namespace

Result<SpkiPin> pin_of(X509* certificate) {
  std::uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return fail(Errc::malformed);
  const auto pin = sha256(as_bytes(der, static_cast<std::size_t>(size)));
  OPENSSL_free(der);
  return pin;
}

Result<Bio> bio_over(std::string_view text) {
  if (text.size() > INT_MAX) return fail(Errc::limit_exceeded);
  Bio bio{BIO_new_mem_buf(text.data() == nullptr ? "" : text.data(), static_cast<int>(text.size()))};
  VG_CHECK(bio != nullptr);
  return bio;
}

Result<SpkiPin> spki_pin(ByteView certificate_der) {
  const QuietErrors quiet;
  VG_TRY(certificate, parse_der(certificate_der, 0));
  return pin_of(certificate.get());
}

Result<SpkiPin> spki_pin_pem(std::string_view pem) {
  const QuietErrors quiet;
  VG_TRY(certificate, first_of_pem(pem));
  return pin_of(certificate.get());
}

Result<void> verify_chain(const std::vector<Bytes>& chain_der, const Trust& trust, WallTime now) {
  const QuietErrors quiet;
  if (chain_der.empty()) return fail(Errc::malformed);
  if (chain_der.size() > limits::chain_certificates_max) return fail(Errc::limit_exceeded, chain_der.size());
  VG_TRY(chain, parse_chain(chain_der));
  if (trust.pin) return verify_pin(sk_X509_value(chain.get(), 0), *trust.pin);
  return verify_roots(chain.get(), trust, now);
}

std::string_view certificate_problem(std::uint32_t detail) {
  if (detail == pin_mismatch) return "key is not the pinned one";
  // X509_verify_cert_error_string answers codes it does not know from a table of constants too.
  return X509_verify_cert_error_string(static_cast<long>(detail));
}

Result<WallTime> not_after(std::string_view pem) {
  const QuietErrors quiet;
  VG_TRY(certificate, first_of_pem(pem));
  return to_wall(X509_get0_notAfter(certificate.get()));
}

}  // namespace village::crypto
