#include "village/proxy/socks4.hpp"

#include <gtest/gtest.h>

#include "support/vectors.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {
namespace {

using test::hex;

TEST(Socks4Request, ReadsAnAddress) {
  const auto request =
      parse_socks4_request(hex("04010050"
                               "c0000201"
                               "6d6500"
                               "474554"));
  ASSERT_TRUE(request);
  EXPECT_EQ(to_text(request->target), "192.0.2.1:80");
  EXPECT_EQ(request->bytes, 11U);
}

TEST(Socks4Request, ReadsANameAs4a) {
  const auto request =
      parse_socks4_request(hex("04010050"
                               "00000001"
                               "00"
                               "612e6200"));
  ASSERT_TRUE(request);
  EXPECT_EQ(to_text(request->target), "a.b:80");
}

TEST(Socks4Request, EveryPrefixIsTruncated) {
  const auto whole =
      hex("04010050"
          "00000001"
          "6d6500"
          "612e6200");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto request = parse_socks4_request(ByteView{whole}.first(size));
    ASSERT_FALSE(request) << size;
    EXPECT_EQ(request.error().code, Errc::truncated) << size;
  }
}

TEST(Socks4Request, RefusesWhatItDoesNotServe) {
  EXPECT_EQ(parse_socks4_request(hex("04020050c000020100")).error().code, Errc::unsupported);
  EXPECT_EQ(parse_socks4_request(hex("04010000c000020100")).error().code, Errc::malformed);
  EXPECT_EQ(parse_socks4_request(hex("040100500000000000")).error().code, Errc::malformed);
  EXPECT_FALSE(parse_socks4_request(hex("04010050000000010000")));
}

TEST(Socks4Request, EndlessUserIdIsTooLong) {
  auto in = hex("04010050c0000201");
  in.resize(limits::socks4_request_bytes_max - 1, std::byte{'u'});
  EXPECT_EQ(parse_socks4_request(in).error().code, Errc::truncated);
  in.push_back(std::byte{'u'});
  EXPECT_EQ(parse_socks4_request(in).error().code, Errc::limit_exceeded);
}

TEST(Socks4Reply, GrantsOrRefuses) {
  EXPECT_EQ(to_hex(socks4_reply(true)), "005a000000000000");
  EXPECT_EQ(to_hex(socks4_reply(false)), "005b000000000000");
}

}  // namespace
}  // namespace village::proxy
