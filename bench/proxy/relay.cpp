// The check socks5_htx_relay_vs_raw_pipeline: a download that enters villaged by SOCKS5, crosses an HTX
// session (outer none, AES-256-GCM) and leaves by the exit, against a relay of the benchmark's own that does
// the least such a path can do: read, seal in 16 KiB blocks, write; read, open, write. Four processes on
// either side (source, two hops, client), the same congestion control, buffers of 256 KiB.
#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "bench_proxy.hpp"
#include "support/node_pair.hpp"
#include "support/sockets.hpp"

namespace village::bench {
namespace {

constexpr std::size_t block_bytes = 16384;
constexpr std::size_t tag_bytes = 16;
constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t head_bytes = 4;

/// RawAead is one EVP context, key set once, a new IV for each block.
class RawAead {
 public:
  explicit RawAead(bool sealing) : sealing_{sealing}, context_{EVP_CIPHER_CTX_new()} {
    const std::array<unsigned char, 32> key{1, 2, 3};
    must(EVP_CipherInit_ex(context_, EVP_aes_256_gcm(), nullptr, key.data(), nullptr, sealing) == 1,
         "EVP init");
  }
  RawAead(const RawAead&) = delete;
  RawAead& operator=(const RawAead&) = delete;
  ~RawAead() { EVP_CIPHER_CTX_free(context_); }
  void run(unsigned char* data, std::size_t size) {
    std::array<unsigned char, 12> iv{};
    std::memcpy(iv.data(), &counter_, sizeof counter_);
    ++counter_;
    int done = 0;
    EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, iv.data(), sealing_);
    if (!sealing_) EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, tag_bytes, data + size);
    EVP_CipherUpdate(context_, data, &done, data, static_cast<int>(size));
    must(EVP_CipherFinal_ex(context_, data + done, &done) == 1, "block does not open");
    if (sealing_) EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, tag_bytes, data + size);
  }

 private:
  bool sealing_;
  EVP_CIPHER_CTX* context_;
  std::uint64_t counter_ = 0;
};

/// seal_hop copies `from` to `to` as `u32 size | sealed block` until the end of the stream.
void seal_hop(const Socket& from, const Socket& to) {
  RawAead aead{true};
  std::vector<unsigned char> in(buffer_bytes),
      out(buffer_bytes + (buffer_bytes / block_bytes) * (head_bytes + tag_bytes));
  while (const auto got = from.read_some(in.data(), in.size())) {
    std::size_t used = 0;
    for (std::size_t at = 0; at < got; at += block_bytes) {
      const auto size = std::min(block_bytes, got - at);
      const auto head = static_cast<std::uint32_t>(size);
      std::memcpy(out.data() + used, &head, head_bytes);
      std::memcpy(out.data() + used + head_bytes, in.data() + at, size);
      aead.run(out.data() + used + head_bytes, size);
      used += head_bytes + size + tag_bytes;
    }
    to.write_all(out.data(), used);
  }
  to.shut_write();
}

/// open_hop undoes seal_hop.
void open_hop(const Socket& from, const Socket& to) {
  RawAead aead{false};
  std::vector<unsigned char> in(buffer_bytes + block_bytes), out(buffer_bytes + block_bytes);
  std::size_t held = 0;
  while (const auto got = from.read_some(in.data() + held, buffer_bytes - held)) {
    held += got;
    std::size_t at = 0, used = 0;
    while (held - at >= head_bytes) {
      std::uint32_t size = 0;
      std::memcpy(&size, in.data() + at, head_bytes);
      if (held - at < head_bytes + size + tag_bytes) break;
      aead.run(in.data() + at + head_bytes, size);
      std::memcpy(out.data() + used, in.data() + at + head_bytes, size);
      used += size;
      at += head_bytes + size + tag_bytes;
    }
    to.write_all(out.data(), used);
    std::memmove(in.data(), in.data() + at, held - at);
    held -= at;
  }
  to.shut_write();
}

/// Source sends `bytes` to each client that connects: a fixed pattern whose sum the client checks.
class Source {
 public:
  Source(std::uint64_t bytes, const TcpOptions& tcp) {
    std::tie(listener_, port_) = listen_tcp(tcp);
    child_.emplace([this, bytes] {
      std::vector<unsigned char> block(buffer_bytes);
      for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<unsigned char>(i * 7 + (i >> 8));
      for (;;) {
        const auto client = accept_tcp(listener_);
        for (std::uint64_t left = bytes; left > 0; left -= std::min<std::uint64_t>(left, block.size())) {
          client.write_all(block.data(), std::min<std::uint64_t>(left, block.size()));
        }
        client.shut_write();
        client.read_some(block.data(), 1);
        for (std::size_t i = 0; i < block.size(); ++i)
          block[i] = static_cast<unsigned char>(i * 7 + (i >> 8));
      }
    });
  }
  std::uint16_t port() const { return port_; }

 private:
  Socket listener_;
  std::uint16_t port_ = 0;
  std::optional<Child> child_;
};

/// download reads to the end, checks size and pattern, and returns bytes per second.
double download(const Socket& socket, std::uint64_t bytes) {
  std::vector<unsigned char> buffer(buffer_bytes);
  const auto start = now_ns();
  std::uint64_t total = 0;
  while (const auto got = socket.read_some(buffer.data(), buffer.size())) {
    const auto i = total % buffer_bytes;
    must(buffer[0] == static_cast<unsigned char>(i * 7 + (i >> 8)), "downloaded bytes differ");
    total += got;
  }
  must(total == bytes, "download is incomplete");
  return static_cast<double>(total) * 1e9 / static_cast<double>(now_ns() - start);
}

/// RawPipeline is the two hops as processes; each serves one connection after the other.
class RawPipeline {
 public:
  RawPipeline(std::uint16_t source, const TcpOptions& tcp) {
    std::tie(near_, near_port_) = listen_tcp(tcp);
    std::tie(far_, far_port_) = listen_tcp(tcp);
    far_child_.emplace([this, source, tcp] {
      for (;;) {
        const auto client = accept_tcp(far_);
        seal_hop(dial_tcp(source, tcp), client);
      }
    });
    near_child_.emplace([this, tcp] {
      for (;;) {
        const auto client = accept_tcp(near_);
        open_hop(dial_tcp(far_port_, tcp), client);
      }
    });
  }
  std::uint16_t port() const { return near_port_; }

 private:
  Socket near_, far_;
  std::uint16_t near_port_ = 0, far_port_ = 0;
  std::optional<Child> far_child_, near_child_;
};

}  // namespace

void run_relay(const Options& options, Report& report) {
  if (options.villaged.empty()) {
    report.not_run("proxy.baseline", "relay", "no --villaged given");
    return;
  }
  const TcpOptions tcp{"cubic"};
  const std::uint64_t bytes = options.scaled(std::uint64_t{1} << 30, std::uint64_t{128} << 20);
  const Source source{bytes, tcp};
  const RawPipeline raw{source.port(), tcp};
  const NodePair nodes{options.villaged, {}};
  const auto ours = [&] { return download(dial_socks5(nodes.socks_port(), source.port(), tcp), bytes); };
  const auto theirs = [&] { return download(dial_tcp(raw.port(), tcp), bytes); };
  const auto direct = [&] { return download(dial_tcp(source.port(), tcp), bytes); };
  const auto against_raw = paired(options.quick ? 5 : 9, ours, theirs);
  report.at_least(
      "proxy.baseline", "socks5_htx_relay_vs_raw_pipeline", against_raw.ratio.median, "ratio", 0.6,
      "download of " + std::to_string(bytes >> 20) +
          " MiB by SOCKS5 -> HTX none AES-256-GCM -> direct over own " +
          "read/seal/open/write relay, 4 processes each, cubic, 256 KiB buffers; " + against_raw.text());
  const auto against_direct = paired(5, ours, direct);
  report.shown("proxy.baseline", "socks5_htx_relay_vs_direct", against_direct.ratio.median, "ratio",
               "same download over one direct TCP connection, cubic; " + against_direct.text());
  report.row("proxy.baseline", "throughput_Gbps socks5_htx", {{"value", against_raw.a * 8e-9}},
             "one-way download by SOCKS5 -> HTX -> direct, two daemons; raw pipeline " +
                 std::to_string(against_raw.b * 8e-9) + " Gbit/s");
}

}  // namespace village::bench
