// The demonstration proves nothing if its own ends do not notice damage.
#include "daemon/demo_web.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "village/crypto/hash.hpp"

namespace village::daemon {
namespace {

Result<std::string> fetch_digest(std::uint16_t port, std::uint64_t& bytes) {
  VG_TRY(socket, connect_loopback(port));
  crypto::HashStream stream{crypto::HashAlgorithm::sha256};
  VG_TRY(reply, http_get(socket, "/random", [&](ByteView piece) { stream.update(piece); }));
  bytes = reply.bytes;
  return to_hex(stream.finish().view());
}

TEST(RandomFileServer, SendsTheFileItDigested) {
  for (const std::uint64_t size : {1u, 262'144u, 262'145u, 3'000'000u}) {
    auto server = RandomFileServer::start(size, 42);
    ASSERT_TRUE(server);
    std::uint64_t bytes = 0;
    const auto digest = fetch_digest((*server)->port(), bytes);
    ASSERT_TRUE(digest);
    EXPECT_EQ(bytes, size);
    EXPECT_EQ(*digest, (*server)->digest());
  }
}

TEST(RandomFileServer, OtherSeedIsAnotherFile) {
  auto one = RandomFileServer::start(1'000, 1);
  auto two = RandomFileServer::start(1'000, 2);
  ASSERT_TRUE(one && two);
  EXPECT_NE((*one)->digest(), (*two)->digest());
}

/// answered runs http_get against a peer that says `text` and hangs up.
Result<HttpReply> answered(std::string_view text) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const Socket ours{ends[0]};
  {
    const Socket theirs{ends[1]};
    EXPECT_EQ(::send(theirs.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    ::shutdown(theirs.get(), SHUT_WR);
    std::thread drain{[&] {
      std::array<char, 256> sink{};
      while (::recv(theirs.get(), sink.data(), sink.size(), 0) > 0) {
      }
    }};
    auto reply = http_get(ours, "/", [](ByteView) {});
    ::shutdown(ours.get(), SHUT_RDWR);
    drain.join();
    return reply;
  }
}

TEST(HttpGet, NoticesAShortBody) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc").error().code, Errc::truncated);
}
TEST(HttpGet, NoticesAMissingLengthAndAMissingHead) {
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\n\r\nabc").error().code, Errc::malformed);
  EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-").error().code, Errc::truncated);
}
TEST(HttpGet, HandsOnStatusAndBytes) {
  const auto reply = answered("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nabc");
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 404);
  EXPECT_EQ(reply->bytes, 3u);
}

}  // namespace
}  // namespace village::daemon
