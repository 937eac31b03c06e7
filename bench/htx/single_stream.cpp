// htx.single_stream: one stream, messages of growing size, in memory: send on one session, frames opened by
// the other. The check memory_16k_vs_raw_aead sets it against the same bytes through EVP alone.
#include <openssl/evp.h>

#include <array>
#include <cstring>

#include "bench_htx.hpp"
#include "village/base/latency_histogram.hpp"

namespace village::bench {
namespace {

struct Rate {
  double bytes_per_s = 0;
  LatencyHistogram latency_ns;
};

/// stream_messages sends `count` messages of `size` bytes one after the other and waits for each at the other
/// end.
Rate stream_messages(JoinedSessions& pair, htx::StreamId stream, std::size_t size, std::uint64_t count) {
  Bytes message(size);
  SeededRandom{size}.fill(message);
  Rate rate;
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto sent_at = now_ns();
    std::size_t sent = 0, arrived = 0;
    bool equal = true;
    const auto check = [&](htx::StreamId, ByteView data) {
      equal = equal && data.front() == message[arrived] && data.back() == message[arrived + data.size() - 1];
      arrived += data.size();
    };
    while (arrived < size) {
      sent += pair.client().send(stream, ByteView{message}.subspan(sent), false);
      pair.pump(check);
    }
    must(equal && sent == size, "message arrived changed");
    rate.latency_ns.record(now_ns() - sent_at);
  }
  rate.bytes_per_s = static_cast<double>(size * count) * 1e9 / static_cast<double>(now_ns() - start);
  return rate;
}

/// raw_aead seals and opens blocks of 16,384 bytes in place: one context per direction, key set once, per
/// block a new IV, 10 bytes of AAD and the tag.
double raw_aead(const EVP_CIPHER* cipher, std::uint64_t blocks) {
  constexpr int size = 16384;
  const std::array<unsigned char, 32> key{7};
  auto* seal = EVP_CIPHER_CTX_new();
  auto* open = EVP_CIPHER_CTX_new();
  EVP_EncryptInit_ex(seal, cipher, nullptr, key.data(), nullptr);
  EVP_DecryptInit_ex(open, cipher, nullptr, key.data(), nullptr);
  std::vector<unsigned char> block(size + 16);
  std::array<unsigned char, 10> aad{};
  std::array<unsigned char, 12> iv{};
  int done = 0;
  const auto start = now_ns();
  for (std::uint64_t i = 0; i < blocks; ++i) {
    std::memcpy(iv.data(), &i, sizeof i);
    EVP_EncryptInit_ex(seal, nullptr, nullptr, nullptr, iv.data());
    EVP_EncryptUpdate(seal, nullptr, &done, aad.data(), aad.size());
    EVP_EncryptUpdate(seal, block.data(), &done, block.data(), size);
    EVP_EncryptFinal_ex(seal, block.data() + size, &done);
    EVP_CIPHER_CTX_ctrl(seal, EVP_CTRL_AEAD_GET_TAG, 16, block.data() + size);
    EVP_DecryptInit_ex(open, nullptr, nullptr, nullptr, iv.data());
    EVP_DecryptUpdate(open, nullptr, &done, aad.data(), aad.size());
    EVP_DecryptUpdate(open, block.data(), &done, block.data(), size);
    EVP_CIPHER_CTX_ctrl(open, EVP_CTRL_AEAD_SET_TAG, 16, block.data() + size);
    must(EVP_DecryptFinal_ex(open, block.data() + size, &done) == 1, "raw block does not open");
    keep(block[0]);
  }
  const auto taken = static_cast<double>(now_ns() - start);
  EVP_CIPHER_CTX_free(seal);
  EVP_CIPHER_CTX_free(open);
  return static_cast<double>(blocks) * size * 1e9 / taken;
}

void check_against_raw(const Options& options, Report& report, const std::string& name, htx::Suite suite,
                       const EVP_CIPHER* cipher) {
  JoinedSessions pair{suite, {}};
  const auto stream = pair.open();
  const auto blocks = options.scaled(20'000, 2'000);
  const auto ours = [&] { return stream_messages(pair, stream, 16384, blocks).bytes_per_s; };
  const auto raw = [&] { return raw_aead(cipher, blocks); };
  const auto outcome = paired(options.quick ? 5 : 11, ours, raw);
  report.at_least("htx.single_stream", name, outcome.ratio.median, "ratio", 0.85,
                  "seal + open + codec of one stream in memory, 16 KiB messages, over EVP seal + open of "
                  "16,384-byte blocks, one "
                  "thread; " +
                      outcome.text());
}

}  // namespace

void run_single_stream(const Options& options, Report& report) {
  for (const std::size_t size : {1024UL, 4096UL, 16384UL, 65536UL, 262144UL, 1048576UL, 4194304UL}) {
    JoinedSessions pair{htx::Suite::xk_aesgcm_sha256, {}};
    const auto stream = pair.open();
    const auto count = options.scaled(std::max<std::uint64_t>((std::uint64_t{256} << 20) / size, 20), 10);
    stream_messages(pair, stream, size, count / 10 + 1);  // warm-up
    const auto rate = stream_messages(pair, stream, size, count);
    report.row("htx.single_stream", std::to_string(size),
               {{"MB_per_s", rate.bytes_per_s * 1e-6},
                {"messages_per_s", rate.bytes_per_s / static_cast<double>(size)},
                {"latency_us", static_cast<double>(rate.latency_ns.percentile(50)) * 1e-3}},
               "in memory, AES-256-GCM, seal and open on one thread, MB = 1e6; " +
                   std::to_string(rate.bytes_per_s / static_cast<double>(1 << 30)) +
                   " GiB/s; latency is the median");
  }
  check_against_raw(options, report, "memory_16k_vs_raw_aead", htx::Suite::xk_aesgcm_sha256,
                    EVP_aes_256_gcm());
  check_against_raw(options, report, "memory_16k_vs_raw_aead_chacha", htx::Suite::xk_chacha_sha256,
                    EVP_chacha20_poly1305());
}

}  // namespace village::bench
