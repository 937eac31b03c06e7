#pragma once
// X.509 certificates: making a self-signed one, pinning, verifying a chain at a given time.
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

/// make_self_signed makes one for `dns_name`, valid from `now` minus one day for `days`.
Result<SelfSigned> make_self_signed(std::string_view dns_name, WallTime now, int days);

/// spki_pin reads the pin of a DER certificate.
Result<SpkiPin> spki_pin(ByteView certificate_der);
/// spki_pin_pem reads the pin of the first certificate of a PEM text.
Result<SpkiPin> spki_pin_pem(std::string_view pem);

/// Trust says what a peer's chain must satisfy. With a pin, only the pin counts (design: peers pin); else the
/// chain must end in one of `ca_pem` (or the system's store if empty) and be valid for `name` at the time
/// given.
struct Trust {
  std::optional<SpkiPin> pin;
  std::string name;    ///< DNS name or IP literal to match
  std::string ca_pem;  ///< extra roots instead of the system's, PEM
};

/// verify_chain checks a DER chain, leaf first. Errors: bad_certificate with OpenSSL's X509_V_ERR_* as
/// detail.
Result<void> verify_chain(const std::vector<Bytes>& chain_der, const Trust& trust, WallTime now);

/// not_after is the expiry of the first certificate of a PEM text (metric, `villaged check`).
Result<WallTime> not_after(std::string_view pem);

}  // namespace village::crypto
