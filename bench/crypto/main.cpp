// The kernels under mix.single_core: each against the library that one would use without it, interleaved in
// one thread. A result is compared before anything is timed. Clocks are the thread's own: others may share
// the core.
#include <openssl/evp.h>
#include <sodium.h>

#include <ctime>

#include "support/report.hpp"
#include "village/base/random.hpp"
#include "village/crypto/blake2b_batch.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/lioness.hpp"
#include "village/crypto/sha256_batch.hpp"
#include "village/crypto/vrf.hpp"
#include "village/crypto/x25519.hpp"
#include "village/crypto/x25519_batch.hpp"

namespace village::bench {
namespace {

using namespace village::crypto;

constexpr std::size_t rows = 64, slot = 2048, payload_at = 348, payload_bytes = 1700;
const std::string table = "mix.single_core";

double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// rate is items a second of `rounds` calls of `work`, each of `items`.
template <class Work>
double rate(std::uint64_t rounds, std::size_t items, Work work) {
  const auto start = thread_seconds();
  for (std::uint64_t i = 0; i < rounds; ++i) work();
  return static_cast<double>(rounds * items) / (thread_seconds() - start);
}

struct Batch {
  Bytes slots = Bytes(rows * slot), keys = Bytes(rows * lioness_key_bytes), out = Bytes(rows * 288);
  Batch() {
    SeededRandom random{1};
    random.fill(slots);
    random.fill(keys);
  }
  ConstRows scalars() const { return {keys, 32, lioness_key_bytes, rows}; }
  ConstRows points() const { return {slots, 32, slot, rows}; }
  Rows results(std::size_t bytes) { return {out, bytes, 288, rows}; }
};

/// OpensslKeys drives OpenSSL as it likes best: keys imported once, one context for each, derive alone timed.
struct OpensslKeys {
  EVP_PKEY_CTX* context;
  explicit OpensslKeys(const Batch& batch) {
    const auto raw = [](ByteView bytes, auto make) {
      return make(EVP_PKEY_X25519, nullptr, octets(bytes), 32);
    };
    auto* own = raw(batch.scalars()[0], EVP_PKEY_new_raw_private_key);
    auto* peer = raw(batch.points()[0], EVP_PKEY_new_raw_public_key);
    context = EVP_PKEY_CTX_new(own, nullptr);
    must(EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1, "openssl keys");
  }
  void derive(ByteSpan out) const {
    std::size_t size = 32;
    must(EVP_PKEY_derive(context, octets(out), &size) == 1, "openssl derive");
  }
};

void check_results(Batch& batch, CpuLevel level) {
  x25519_batch(level, batch.scalars(), batch.points(), batch.results(32));
  for (std::size_t i = 0; i < rows; ++i) {
    ByteArray<32> wanted;
    must(crypto_scalarmult_curve25519(octets(ByteSpan{wanted}), octets(batch.scalars()[i]),
                                      octets(batch.points()[i])) == 0,
         "libsodium");
    must(std::equal(wanted.begin(), wanted.end(), batch.results(32)[i].begin()),
         "a kernel's product is wrong");
  }
}

void x25519(const Options& options, Report& report) {
  Batch batch;
  const OpensslKeys openssl{batch};
  ByteArray<32> shared;
  const auto by_openssl = [&] { return rate(options.scaled(2000, 400), 1, [&] { openssl.derive(shared); }); };
  const auto by_sodium = [&] {
    return rate(options.scaled(2000, 400), 1, [&] {
      must(crypto_scalarmult_curve25519(octets(ByteSpan{shared}), octets(batch.scalars()[0]),
                                        octets(batch.points()[0])) == 0,
           "libsodium");
    });
  };
  for (const auto level : available_cpu_levels()) {
    check_results(batch, level);
    const auto kernel = [&] {
      return rate(options.scaled(level == CpuLevel::ifma ? 300 : 50, 10), rows,
                  [&] { x25519_batch(level, batch.scalars(), batch.points(), batch.results(32)); });
    };
    const std::string stem = "x25519_" + std::string{name(level)};
    const auto against = paired(9, kernel, by_openssl);
    const double target = level == CpuLevel::ifma ? 5 : level == CpuLevel::avx2 ? 2 : 1;
    report.at_least(
        table, stem + "_vs_openssl", against.ratio.median, "ratio", target,
        "64 rows a call against EVP_PKEY_derive with keys imported before, one thread; " + against.text());
    report.shown(table, stem + "_per_s", against.a, "1/s", "64 rows a call");
    if (level == CpuLevel::portable) {
      const auto sodium = paired(9, kernel, by_sodium);
      report.at_least(table, stem + "_vs_libsodium", sodium.ratio.median, "ratio", 1,
                      "against crypto_scalarmult_curve25519; " + sodium.text());
    }
  }
}

/// symmetric is what one unwrap does beside its two multiplications, for each level.
void symmetric(const Options& options, Report& report) {
  Batch batch;
  const auto rounds = options.scaled(200, 20);
  const HmacSha256Key salt{{}};
  const Bytes info(97, std::byte{'i'});
  const auto before = cpu_level();
  const auto shown = [&](const std::string& what, double per_second, const std::string& how) {
    report.shown(table, what + "_" + std::string{name(cpu_level())} + "_ns", 1e9 / per_second, "ns", how);
  };
  for (const auto level : available_cpu_levels()) {
    use_cpu_level(level);
    const std::string form{name(sha256_form())};
    std::vector<double> expand, mac, payload, digest;
    for (int i = 0; i < 9; ++i) {
      expand.push_back(
          rate(rounds, rows, [&] { hkdf_sha256_batch(salt, batch.points(), info, batch.results(288)); }));
      mac.push_back(rate(rounds, rows, [&] {
        hmac_sha256_batch({batch.keys, 16, lioness_key_bytes, rows},
                          {ByteView{batch.slots}.subspan(48), 300, slot, rows}, batch.results(16));
      }));
      digest.push_back(rate(rounds, rows, [&] {
        blake2b_batch({batch.keys, 64, lioness_key_bytes, rows},
                      {ByteView{batch.slots}.subspan(380), payload_bytes - 32, slot, rows},
                      batch.results(32));
      }));
      payload.push_back(rate(rounds, rows, [&] {
        lioness_decrypt({batch.keys, lioness_key_bytes, lioness_key_bytes, rows},
                        {ByteSpan{batch.slots}.subspan(payload_at), payload_bytes, slot, rows});
      }));
    }
    shown("hkdf_288", spread(expand).median, "HKDF-SHA-256, 97 bytes of info, to 288 bytes; " + form);
    shown("hmac_300", spread(mac).median, "HMAC-SHA-256 of a header; " + form);
    shown("blake2b_1668", spread(digest).median, "keyed BLAKE2b-256");
    shown("lioness_1700", spread(payload).median, "one payload decrypted");
  }
  use_cpu_level(before);
}

void vrf(const Options& options, Report& report) {
  SeededRandom random{3};
  const auto key = VrfKeyPair::generate(random);
  const ByteArray<29> input{};
  const auto proof = key.prove(input);
  must(vrf_verify(key.public_key, input, proof).has_value(), "a proof does not verify");
  const auto rounds = options.scaled(300, 30);
  std::vector<double> prove, verify;
  for (int i = 0; i < 9; ++i) {
    prove.push_back(rate(rounds, 1, [&] { keep(key.prove(input)); }));
    verify.push_back(
        rate(rounds, 1, [&] { must(vrf_verify(key.public_key, input, proof).has_value(), "verify"); }));
  }
  report.shown(table, "vrf_prove_us", 1e6 / spread(prove).median, "us", "ECVRF-EDWARDS25519-SHA512-ELL2");
  report.shown(table, "vrf_verify_us", 1e6 / spread(verify).median, "us", "ECVRF-EDWARDS25519-SHA512-ELL2");
}

}  // namespace
}  // namespace village::bench

int main(int argc, char** argv) {
  using namespace village::bench;
  const auto options = parse_options(argc, argv);
  Report report{"crypto"};
  must(sodium_init() >= 0, "sodium_init");
  if (!options.wants("mix.single_core")) return 0;
  x25519(options, report);
  symmetric(options, report);
  vrf(options, report);
}
