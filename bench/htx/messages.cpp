// messages_1k_vs_yamux: 1 KiB messages over one stream and loopback, each cut out by its own boundary and
// checked by SHA-256, against hashicorp/yamux without encryption (bench/peers/yamux).
#include "village/htx/messages.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "link_pair.hpp"
#include "support/sockets.hpp"
#include "village/crypto/hash.hpp"

namespace village::bench {
namespace {

constexpr std::size_t message_bytes = 1024, sha_at = 984, words_at = 1016;
constexpr std::uint64_t different = 1024, check_sha = std::uint64_t{1} << 63;
constexpr std::size_t framed_bytes = htx::message_prefix_bytes + message_bytes;

std::uint64_t word(ByteView from, std::size_t at) {
  std::uint64_t value = 0;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

/// words digests a message but for its last eight bytes: four lanes of multiplications, as the peer does.
std::uint64_t words(ByteView message) {
  constexpr std::uint64_t k = 0x9e3779b97f4a7c15;
  std::uint64_t a = 1, b = 2, c = 3, d = 4;
  std::size_t at = 0;
  const auto mixed = [&](std::uint64_t lane, std::uint64_t value) {
    const auto product = (lane ^ value) * k;
    return product ^ product >> 29;
  };
  for (; at + 32 <= words_at; at += 32) {
    a = mixed(a, word(message, at));
    b = mixed(b, word(message, at + 8));
    c = mixed(c, word(message, at + 16));
    d = mixed(d, word(message, at + 24));
  }
  for (; at < words_at; at += 8) a = mixed(a, word(message, at));
  return ((((a * k) ^ b) * k ^ c) * k) ^ d;
}

/// framed_messages is `different` messages as the peer's: number, random bytes, SHA-256; each behind its
/// length.
Bytes framed_messages() {
  Bytes all(different * framed_bytes);
  SeededRandom{21}.fill(all);
  for (std::size_t i = 0; i < different; ++i) {
    const auto framed = ByteSpan{all}.subspan(i * framed_bytes, framed_bytes);
    htx::encode_message_prefix(message_bytes, framed.first<htx::message_prefix_bytes>());
    const auto message = framed.subspan(htx::message_prefix_bytes);
    const std::uint64_t number = i;
    std::memcpy(message.data(), &number, sizeof number);
    const auto digest = crypto::sha256(message.first(sha_at));
    std::memcpy(message.data() + sha_at, digest.data(), digest.size());
    const auto short_digest = words(message);
    std::memcpy(message.data() + words_at, &short_digest, sizeof short_digest);
  }
  return all;
}

void check_message(ByteView message, std::uint64_t index, bool sha) {
  must(message.size() == message_bytes && word(message, 0) == index % different, "another message");
  if (!sha) return must(words(message) == word(message, words_at), "message arrived changed");
  const auto digest = crypto::sha256(message.first(sha_at));
  must(std::memcmp(digest.data(), message.data() + sha_at, digest.size()) == 0, "message arrived changed");
}

boost::asio::awaitable<void> receive_messages(net::Core&, LinkPair::Stream stream) {
  Bytes buffer(262'144);
  htx::MessageReader reader{message_bytes};
  std::uint64_t count = 0, seen = 0;
  bool counting = false, sha = false;
  for (;;) {
    const auto got = co_await stream->read_some(buffer);
    if (!got || *got == 0) co_return;
    ByteView data = ByteView{buffer}.first(*got);
    for (;;) {
      const auto message = reader.next(data);
      must(message.has_value(), "no message");
      if (!*message) break;
      if (!std::exchange(counting, true)) {
        must((*message)->size() == sizeof count, "no count");
        std::memcpy(&count, (*message)->data(), sizeof count);
        sha = (count & check_sha) != 0;
        count &= ~check_sha;
        seen = 0;
        continue;
      }
      check_message(**message, seen++, sha);
      if (seen < count) continue;
      counting = false;
      const std::byte done{1};
      const auto said = co_await stream->write_all(ByteView{&done, 1});
      if (!said) co_return;
    }
  }
}

boost::asio::awaitable<double> send_messages(LinkPair::Stream stream, const Bytes& framed,
                                             std::uint64_t count, bool sha) {
  const auto asked = count | (sha ? check_sha : 0);
  ByteArray<htx::message_prefix_bytes + sizeof count> head;
  htx::encode_message_prefix(sizeof count, std::span{head}.first<htx::message_prefix_bytes>());
  std::memcpy(head.data() + htx::message_prefix_bytes, &asked, sizeof asked);
  const auto start = now_ns();
  const auto begun = co_await stream->write_all(head);
  must(begun.has_value(), "session lost");
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto sent =
        co_await stream->write_all(ByteView{framed}.subspan(i % different * framed_bytes, framed_bytes));
    must(sent.has_value(), "session lost");
  }
  std::byte done{0};
  const auto answer = co_await stream->read_some(ByteSpan{&done, 1});
  must(answer.has_value() && *answer == 1 && done == std::byte{1}, "no answer");
  co_return static_cast<double>(count) * 1e9 / static_cast<double>(now_ns() - start);
}

/// Yamux is the receiving peer, and a sender for each run.
class Yamux {
 public:
  explicit Yamux(const std::string& program) : program_{program} {
    int ends[2];
    must(::pipe(ends) == 0, "no pipe");
    receiver_.emplace([&program, &ends] {
      ::dup2(ends[1], 1);
      ::execl(program.c_str(), program.c_str(), "receive", nullptr);
    });
    ::close(ends[1]);
    char text[16] = {};
    must(::read(ends[0], text, sizeof text - 1) > 0, "the yamux peer does not start");
    ::close(ends[0]);
    port_ = std::to_string(std::atoi(text));
  }
  /// rate sends `count` messages and returns messages per second.
  double rate(std::uint64_t count, const std::string& how) const {
    FILE* sender =
        ::popen((program_ + " send " + port_ + " " + std::to_string(count) + " " + how).c_str(), "r");
    char text[64] = {};
    must(sender != nullptr && std::fgets(text, sizeof text, sender) != nullptr && ::pclose(sender) == 0,
         "the yamux sender failed");
    return static_cast<double>(count) / std::strtod(text, nullptr);
  }

 private:
  std::string program_, port_;
  std::optional<Child> receiver_;
};

}  // namespace

void run_messages(const Options& options, Report& report) {
  const std::string name = "messages_1k_vs_yamux";
  const auto peer = options.peers + "/yamux-peer";
  if (::access(peer.c_str(), X_OK) != 0) {
    return report.check_not_run(
        "htx.single_stream", name, "ratio", ">=4",
        "the yamux peer is not built (Go and golang-github-hashicorp-yamux-dev: install-deps.sh "
        "--bench)");
  }
  // The child forks before there are threads.
  const Yamux yamux{peer};
  LinkPair pair{
      {}, [](net::Core& core, LinkPair::Stream stream) { return receive_messages(core, std::move(stream)); }};
  const auto stream = pair.open();
  const auto framed = framed_messages();
  const auto count = options.scaled(400'000, 40'000);
  const auto against = [&](const char* peer_writes, std::uint64_t peer_count, bool sha) {
    return paired(
        options.quick ? 3 : 9,
        [&] { return pair.run([&](net::Core&) { return send_messages(stream, framed, count, sha); }); },
        [&] { return yamux.rate(peer_count, std::string{peer_writes} + (sha ? " sha256" : " words")); });
  };
  const auto text = [&](const Paired& outcome) {
    char figures[80];
    std::snprintf(figures, sizeof figures, "%.0f against %.0f messages/s; ", outcome.a, outcome.b);
    return figures + outcome.text();
  };
  const std::string how =
      "1 KiB messages, one write each, over loopback, each cut out by its length and checked by a digest of "
      "its "
      "own, outer none, AES-256-GCM, over hashicorp/yamux (Debian) without encryption, window 16 MiB, same "
      "messages and digests, ";
  const auto each = against("each", count / 4, false);
  report.at_least("htx.single_stream", name, each.ratio.median, "ratio", 4.0,
                  how + "one Write each, bufio.Reader, 64-bit digests; " + loopback_congestion() +
                      " on both sides; " + text(each));
  const auto sha = against("each", count / 4, true);
  report.shown("htx.single_stream", name + "_sha256", sha.ratio.median, "ratio",
               how + "with SHA-256, the larger part of our receiver's time; " + text(sha));
  const auto buffered = against("buffered", count, false);
  report.shown(
      "htx.single_stream", name + "_buffered", buffered.ratio.median, "ratio",
      how + "the caller of yamux gathering 64 KiB in a bufio.Writer (messages wait there; ours do not); " +
          text(buffered));
}

}  // namespace village::bench
