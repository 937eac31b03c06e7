#include "village/proxy/credentials.hpp"

#include <gtest/gtest.h>

namespace village::proxy {
namespace {

Credentials two() {
  Credentials users;
  users.add("alice", "s3cret");
  users.add("bob", "");
  return users;
}

TEST(Credentials, AllowsEachPairAndNothingElse) {
  const auto users = two();
  EXPECT_TRUE(users.allows("alice", "s3cret"));
  EXPECT_TRUE(users.allows("bob", ""));
  EXPECT_FALSE(users.allows("alice", ""));
  EXPECT_FALSE(users.allows("bob", "s3cret"));
  EXPECT_FALSE(users.allows("alices", "3cret"));
  EXPECT_FALSE(users.allows("Alice", "s3cret"));
  EXPECT_FALSE(Credentials{}.allows("", ""));
}

TEST(Credentials, ReadsBasicOfRfc7617) {
  Credentials users;
  users.add("Aladdin", "open sesame");
  EXPECT_TRUE(users.allows_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));  // RFC 7617 section 2
  EXPECT_TRUE(users.allows_basic("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_FALSE(users.allows_basic("QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_FALSE(users.allows_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"));
  EXPECT_FALSE(users.allows_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="));
  EXPECT_FALSE(users.allows_basic("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
  EXPECT_FALSE(users.allows_basic("Basic"));
  EXPECT_FALSE(users.allows_basic("Basic "));
  EXPECT_FALSE(users.allows_basic(""));
  EXPECT_FALSE(users.allows_basic("Basic " + std::string(4'000, 'A')));
}

TEST(Credentials, PasswordMayHoldColons) {
  Credentials users;
  users.add("u", "a:b");
  EXPECT_TRUE(users.allows_basic("Basic dTphOmI="));
}

}  // namespace
}  // namespace village::proxy
