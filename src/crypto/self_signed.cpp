// Makes the self-signed certificate of `villaged init`: P-256, one subjectAltName, for a TLS server.
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <algorithm>

#include "crypto/x509_handle.hpp"
#include "village/base/check.hpp"
#include "village/crypto/random.hpp"

namespace village::crypto {
namespace {

using GeneralNames = OpensslHandle<GENERAL_NAMES, GENERAL_NAMES_free>;
using Number = OpensslHandle<BIGNUM, BN_free>;

constexpr int days_max = 36'500;
constexpr std::size_t name_bytes_max = 253;        // RFC 1035 2.3.4, as text
constexpr std::size_t common_name_bytes_max = 64;  // RFC 5280 ub-common-name

/// is_host_name: letters, digits, '-', '_' and dots; a wildcard may be the first label.
bool is_host_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > name_bytes_max || name.front() == '.' || name.find("..") != name.npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

/// alternative_name is an iPAddress for a literal, a dNSName for a host name, null for neither.
GENERAL_NAME* alternative_name(const std::string& name) {
  if (auto* const address = a2i_IPADDRESS(name.c_str())) {
    auto* const entry = GENERAL_NAME_new();
    VG_CHECK(entry != nullptr);
    GENERAL_NAME_set0_value(entry, GEN_IPADD, address);
    return entry;
  }
  if (!is_host_name(name)) return nullptr;
  auto* const entry = GENERAL_NAME_new();
  auto* const text = ASN1_IA5STRING_new();
  VG_CHECK(entry != nullptr && text != nullptr);
  VG_CHECK(ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) == 1);
  GENERAL_NAME_set0_value(entry, GEN_DNS, text);
  return entry;
}

void set_serial(X509* certificate) {
  ByteArray<20> serial;  // RFC 5280 4.1.2.2: at most 20 bytes, positive
  SystemRandom{}.fill(serial);
  serial[0] = (serial[0] & std::byte{0x7f}) | std::byte{0x40};
  const Number number{BN_bin2bn(octets(ByteView{serial}), static_cast<int>(serial.size()), nullptr)};
  VG_CHECK(number != nullptr &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void set_validity(X509* certificate, WallTime now, int days) {
  auto now_s =
      static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  VG_CHECK(X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, &now_s) != nullptr);
  VG_CHECK(X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, &now_s) != nullptr);
}

void set_names(X509* certificate, const std::string& name) {
  auto* const subject = X509_get_subject_name(certificate);
  const auto common_name = name.size() <= common_name_bytes_max ? name : std::string{"villaged"};
  VG_CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      reinterpret_cast<const unsigned char*>(common_name.data()),
                                      static_cast<int>(common_name.size()), -1, 0) == 1);
  VG_CHECK(X509_set_issuer_name(certificate, subject) == 1);
}

void add_extension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const OpensslHandle<X509_EXTENSION, X509_EXTENSION_free> extension{
      X509V3_EXT_conf_nid(nullptr, &context, kind, value)};
  VG_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

std::string drain(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  VG_CHECK(size > 0);
  return {text, static_cast<std::size_t>(size)};
}

std::string key_text(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_secmem())};  // wiped when freed
  VG_CHECK(bio != nullptr);
  VG_CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return drain(bio.get());
}

std::string certificate_text(X509* certificate) {
  const Bio bio{BIO_new(BIO_s_mem())};
  VG_CHECK(bio != nullptr && PEM_write_bio_X509(bio.get(), certificate) == 1);
  return drain(bio.get());
}

}  // namespace

Result<SelfSigned> make_self_signed(std::string_view dns_name, WallTime now, int days) {
  const QuietErrors quiet;
  const std::string name{dns_name};
  if (days < 1 || days > days_max || name.find('\0') != name.npos) return fail(Errc::bad_argument);
  const GeneralNames names{sk_GENERAL_NAME_new_null()};
  VG_CHECK(names != nullptr);
  auto* const entry = alternative_name(name);
  if (entry == nullptr) return fail(Errc::bad_argument);
  VG_CHECK(sk_GENERAL_NAME_push(names.get(), entry) > 0);

  const Pkey key{EVP_EC_gen("P-256")};
  const Certificate certificate{X509_new()};
  VG_CHECK(key != nullptr && certificate != nullptr);
  VG_CHECK(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  set_serial(certificate.get());
  set_validity(certificate.get(), now, days);
  set_names(certificate.get(), name);
  VG_CHECK(X509_set_pubkey(certificate.get(), key.get()) == 1);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), NID_subject_key_identifier, "hash");
  VG_CHECK(X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) ==
           1);
  VG_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);

  VG_TRY(pin, pin_of(certificate.get()));
  return SelfSigned{certificate_text(certificate.get()), key_text(key.get()), pin};
}

}  // namespace village::crypto
