#include "village/crypto/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "crypto/authority.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/secret.hpp"

namespace village::crypto {
namespace {

using test_authority::issue;
using test_authority::Issued;
using test_authority::Wanted;

constexpr Duration day = std::chrono::hours{24};
const WallTime now{std::chrono::hours{24 * 365 * 55}};

/// der_of decodes the first certificate of a PEM text.
Bytes der_of(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  const test_authority::X509Ptr certificate{PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)};
  BIO_free(bio);
  VG_CHECK(certificate != nullptr);
  unsigned char* out = nullptr;
  const int size = i2d_X509(certificate.get(), &out);
  auto bytes = to_bytes(as_bytes(out, static_cast<std::size_t>(size)));
  OPENSSL_free(out);
  return bytes;
}

/// outcome is "ok" or the code's name and detail: one string to compare.
std::string outcome(const Result<void>& result) {
  if (result) return "ok";
  return std::string{name(result.error().code)} + " " + std::to_string(result.error().detail);
}
std::string refused(int problem) { return "bad_certificate " + std::to_string(problem); }

class CertificateChain : public ::testing::Test {
 protected:
  Issued leaf(const std::string& names, const std::string& usage = "serverAuth") const {
    return issue({"leaf", names, false, usage, now - day, now + 90 * day}, &middle_);
  }
  std::vector<Bytes> chain(const Issued& end) const { return {end.der(), middle_.der()}; }
  Trust trust(std::string name) const { return {std::nullopt, std::move(name), root_.pem()}; }

  Issued root_ = issue({"root", "", true, "", now - 10 * day, now + 3650 * day});
  Issued middle_ = issue({"middle", "", true, "", now - 10 * day, now + 365 * day}, &root_);
  Issued server_ = leaf("DNS:server.example,DNS:*.wild.example,IP:192.0.2.7,IP:2001:db8::7");
};

TEST_F(CertificateChain, VerifiesByNameAndByAddress) {
  for (const char* name : {"server.example", "SERVER.example", "server.example.", "a.wild.example",
                           "192.0.2.7", "2001:db8::7"}) {
    EXPECT_EQ(outcome(verify_chain(chain(server_), trust(name), now)), "ok") << name;
  }
}

TEST_F(CertificateChain, WrongNamesAreRefused) {
  for (const char* name :
       {"other.example", "example", "wild.example", "a.b.wild.example", "leaf", "*.wild.example.org"}) {
    EXPECT_EQ(outcome(verify_chain(chain(server_), trust(name), now)), refused(X509_V_ERR_HOSTNAME_MISMATCH))
        << name;
  }
  for (const char* name : {"192.0.2.8", "2001:db8::8"}) {
    EXPECT_EQ(outcome(verify_chain(chain(server_), trust(name), now)),
              refused(X509_V_ERR_IP_ADDRESS_MISMATCH))
        << name;
  }
}

TEST_F(CertificateChain, TheCommonNameIsNoName) {
  const auto nameless = issue({"server.example", "", false, "", now - day, now + day}, &middle_);
  EXPECT_EQ(outcome(verify_chain(chain(nameless), trust("server.example"), now)),
            refused(X509_V_ERR_HOSTNAME_MISMATCH));
}

TEST_F(CertificateChain, TimeIsTheArgument) {
  const auto at = [&](WallTime time) {
    return outcome(verify_chain(chain(server_), trust("server.example"), time));
  };
  EXPECT_EQ(at(now - day), "ok");
  EXPECT_EQ(at(now - day - 1s), refused(X509_V_ERR_CERT_NOT_YET_VALID));
  EXPECT_EQ(at(now + 90 * day - 1s), "ok");  // OpenSSL counts the last second as expired
  EXPECT_EQ(at(now + 90 * day + 1s), refused(X509_V_ERR_CERT_HAS_EXPIRED));
}

TEST_F(CertificateChain, UnknownAuthorityMissingLinkAndForgedSignatureAreRefused) {
  const auto stranger = issue({"root", "", true, "", now - day, now + day});
  EXPECT_EQ(outcome(verify_chain(chain(server_), {std::nullopt, "server.example", stranger.pem()}, now))
                .substr(0, 15),
            "bad_certificate");
  EXPECT_EQ(outcome(verify_chain({server_.der()}, trust("server.example"), now)),
            refused(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY));
  auto forged = chain(server_);
  forged[0].back() ^= std::byte{1};
  EXPECT_NE(outcome(verify_chain(forged, trust("server.example"), now)), "ok");
  EXPECT_NE(outcome(verify_chain(chain(server_), {std::nullopt, "server.example", ""}, now)),
            "ok");  // system's roots
}

TEST_F(CertificateChain, ALeafCannotIssueAndAClientCannotServe) {
  const auto child = issue({"child", "DNS:server.example", false, "", now - day, now + day}, &server_);
  EXPECT_NE(outcome(verify_chain({child.der(), server_.der(), middle_.der()}, trust("server.example"), now)),
            "ok");
  const auto client = leaf("DNS:server.example", "clientAuth");
  EXPECT_EQ(outcome(verify_chain(chain(client), trust("server.example"), now)),
            refused(X509_V_ERR_INVALID_PURPOSE));
}

TEST_F(CertificateChain, AnyNamedCertificateIsARoot) {
  EXPECT_EQ(outcome(verify_chain({server_.der()}, {std::nullopt, "server.example", middle_.pem()}, now)),
            "ok");
  EXPECT_EQ(outcome(verify_chain({server_.der()}, {std::nullopt, "server.example", server_.pem()}, now)),
            "ok");
  const auto two = issue({"else", "", true, "", now - day, now + day}).pem() + root_.pem();
  EXPECT_EQ(outcome(verify_chain(chain(server_), {std::nullopt, "server.example", two}, now)), "ok");
}

TEST_F(CertificateChain, WithAPinOnlyThePinCounts) {
  const auto pin = spki_pin(server_.der());
  ASSERT_TRUE(pin);
  const Trust pinned{*pin, "other.example", ""};
  EXPECT_EQ(outcome(verify_chain({server_.der()}, pinned, now + 9999 * day)), "ok");
  EXPECT_EQ(outcome(verify_chain(chain(leaf("DNS:server.example")), pinned, now)), refused(pin_mismatch));
  EXPECT_EQ(outcome(verify_chain({middle_.der(), server_.der()}, pinned, now)),
            refused(pin_mismatch));  // leaf only
  EXPECT_EQ(certificate_problem(pin_mismatch), "key is not the pinned one");
  EXPECT_EQ(certificate_problem(X509_V_ERR_CERT_HAS_EXPIRED), "certificate has expired");
}

TEST_F(CertificateChain, BadInputIsNamedAndLeavesNoErrorBehind) {
  const auto good = trust("server.example");
  EXPECT_EQ(outcome(verify_chain({}, good, now)), "malformed 0");
  EXPECT_EQ(outcome(verify_chain({server_.der(), Bytes(10)}, good, now)), "malformed 1");
  auto longer = server_.der();
  longer.push_back(std::byte{0});
  EXPECT_EQ(outcome(verify_chain({longer}, good, now)), "malformed 0");
  EXPECT_EQ(outcome(verify_chain({Bytes(limits::certificate_bytes_max + 1)}, good, now)), "limit_exceeded 0");
  const std::vector<Bytes> many(limits::chain_certificates_max + 1, server_.der());
  EXPECT_EQ(outcome(verify_chain(many, good, now)), "limit_exceeded 11");
  EXPECT_EQ(outcome(verify_chain(chain(server_), trust(""), now)), "bad_argument 0");
  EXPECT_EQ(outcome(verify_chain(chain(server_), trust(std::string("server.example\0x", 16)), now)),
            "bad_argument 0");
  EXPECT_EQ(outcome(verify_chain(chain(server_), trust(".example"), now)), "bad_argument 0");  // all below it
  const std::string no_pem = "nonsense";
  const std::string no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const auto& roots : {no_pem, no_certificate, root_.pem() + no_certificate}) {
    EXPECT_EQ(outcome(verify_chain(chain(server_), {std::nullopt, "server.example", roots}, now)),
              "bad_argument 0");
  }
  for (const auto& text : {no_pem, no_certificate}) {
    EXPECT_FALSE(spki_pin_pem(text));
    EXPECT_FALSE(not_after(text));
  }
  EXPECT_FALSE(spki_pin_pem({}));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_F(CertificateChain, NoTruncationOrFlippedByteVerifiesOrCrashes) {
  const auto whole = server_.der();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(outcome(verify_chain({to_bytes(ByteView{whole}.first(size)), middle_.der()},
                                   trust("server.example"), now)),
              "ok");
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto flipped = whole;
    flipped[i] ^= std::byte{0x20};
    EXPECT_NE(outcome(verify_chain({flipped, middle_.der()}, trust("server.example"), now)), "ok") << i;
    (void)spki_pin(flipped);
  }
}

TEST(SelfSignedCertificate, PinNameAndDatesAreThoseAskedFor) {
  const auto made = make_self_signed("node.example", now, 30);
  ASSERT_TRUE(made);
  const auto der = der_of(made->certificate_pem);
  EXPECT_EQ(spki_pin(der).value(), made->pin);
  EXPECT_EQ(spki_pin_pem(made->certificate_pem).value(), made->pin);
  EXPECT_EQ(not_after(made->certificate_pem).value(), now + 30 * day);
  const Trust trust{std::nullopt, "node.example", made->certificate_pem};
  EXPECT_EQ(outcome(verify_chain({der}, trust, now - day)), "ok");
  EXPECT_EQ(outcome(verify_chain({der}, trust, now - day - 1s)), refused(X509_V_ERR_CERT_NOT_YET_VALID));
  EXPECT_EQ(outcome(verify_chain({der}, trust, now + 30 * day + 1s)), refused(X509_V_ERR_CERT_HAS_EXPIRED));
  EXPECT_EQ(outcome(verify_chain({der}, {made->pin, "", ""}, now)), "ok");
}

TEST(SelfSignedCertificate, KeyBelongsToCertificateAndPinIsThePublicKeysDigest) {
  const auto made = make_self_signed("192.0.2.1", now, 1);
  ASSERT_TRUE(made);
  BIO* bio = BIO_new_mem_buf(made->key_pem.data(), static_cast<int>(made->key_pem.size()));
  const test_authority::Key key{PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr)};
  BIO_free(bio);
  ASSERT_TRUE(key);
  unsigned char* spki = nullptr;
  const int size = i2d_PUBKEY(key.get(), &spki);
  EXPECT_EQ(sha256(as_bytes(spki, static_cast<std::size_t>(size))), made->pin);
  OPENSSL_free(spki);
  const auto der = der_of(made->certificate_pem);
  EXPECT_EQ(outcome(verify_chain({der}, {std::nullopt, "192.0.2.1", made->certificate_pem}, now)), "ok");
  EXPECT_NE(make_self_signed("192.0.2.1", now, 1)->pin, made->pin);
}

TEST(SelfSignedCertificate, BadNamesAndDaysAreRefused) {
  for (const auto& name : {std::string{}, std::string{"a b"}, std::string{"a,DNS:b"}, std::string{"a\0b", 3},
                           std::string{".a"}, std::string{"a..b"}, std::string(254, 'a'), std::string{"*"}}) {
    EXPECT_FALSE(make_self_signed(name, now, 1)) << name;
  }
  EXPECT_FALSE(make_self_signed("a", now, 0));
  EXPECT_FALSE(make_self_signed("a", now, 36'501));
  EXPECT_TRUE(make_self_signed(std::string(100, 'a'), now, 36'500));  // longer than a common name may be
  EXPECT_TRUE(make_self_signed("*.example", now, 1));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(SelfSignedCertificate, EndsBeyondWallTimeAreSaturated) {
  const auto forever = issue({"x", "DNS:x", false, "", now, now + day});
  ASN1_TIME_set_string(X509_getm_notAfter(forever.certificate()), "99991231235959Z");
  X509_sign(forever.certificate(), forever.key(), EVP_sha256());
  const auto end = not_after(forever.pem());
  ASSERT_TRUE(end);
  EXPECT_GT(*end, WallTime::max() - 1s);
}

}  // namespace
}  // namespace village::crypto
