#pragma once
// X.509 certificates: making a self-signed one, pinning, verifying a chain at a given time. Source: RFC 5280,
// RFC 9525.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/time.hpp"

namespace village::crypto {

using SpkiPin = ByteArray<32>;  ///< SHA-256 of the certificate's SubjectPublicKeyInfo (DER)

/// SelfSigned is a P-256 certificate and its key, both PEM. The key text is wiped by the caller after writing
/// (wipe()).
struct SelfSigned {
  std::string certificate_pem;
  std::string key_pem;
  SpkiPin pin;
};

/// make_self_signed makes one for `dns_name` (or an IP literal), valid from one day before `now` until `days`
/// after it. Errors: bad_argument if the name is no host name or days is not in 1..36500.
Result<SelfSigned> make_self_signed(std::string_view dns_name, WallTime now, int days);

/// spki_pin reads the pin of a DER certificate. Errors: malformed, limit_exceeded.
Result<SpkiPin> spki_pin(ByteView certificate_der);
/// spki_pin_pem reads the pin of the first certificate of a PEM text. Errors: malformed.
Result<SpkiPin> spki_pin_pem(std::string_view pem);

/// Trust says what a peer's chain must satisfy. With a pin, only the pin counts (design: peers pin); else the
/// chain must end in one of `ca_pem` (or the system's store if empty) and be valid for `name` at the time
/// given.
struct Trust {
  std::optional<SpkiPin> pin;
  std::string name;  ///< DNS name or IP literal to match; only subjectAltName counts
  std::string
      ca_pem;  ///< roots instead of the system's, PEM; a self-signed or intermediate certificate will do
};

/// pin_mismatch is the detail of bad_certificate when the leaf's key is not the pinned one
/// (X509_V_ERR_APPLICATION_VERIFICATION).
inline constexpr std::uint32_t pin_mismatch = 50;

/// verify_chain checks a DER chain, leaf first, as a TLS client does a server's.
/// Errors: bad_certificate with OpenSSL's X509_V_ERR_* as detail; malformed with the index of a certificate
/// that is none (an empty chain: 0); limit_exceeded; bad_argument if neither pin nor name is given, the name
/// starts with a dot, or ca_pem holds no certificate. The system's store is opened once for the process;
/// certificates added to its folder later are still found.
Result<void> verify_chain(const std::vector<Bytes>& chain_der, const Trust& trust, WallTime now);

/// certificate_problem puts the detail of bad_certificate into words: "certificate has expired".
std::string_view certificate_problem(std::uint32_t detail);

/// not_after is the expiry of the first certificate of a PEM text (metric, `villaged check`), at most what
/// WallTime holds (year 2262). Errors: malformed.
Result<WallTime> not_after(std::string_view pem);

}  // namespace village::crypto
