// The header that says how tickets travel.
#include "village/htx/ticket_policy.hpp"

#include <gtest/gtest.h>

namespace village::htx {
namespace {

TEST(TicketPolicy, DefaultReadsAsTheHeaderOfBetanet) {
  EXPECT_EQ(to_text(TicketPolicy{}), "v1; carriers=cookie:0.5,query:0.5; len=24..64");
}

TEST(TicketPolicy, ReadsBetanetsExample) {
  const auto policy =
      parse_ticket_policy("BN-Ticket: v1; carriers=cookie:0.5,query:0.3,body:0.2; len=24..64");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->cookie, 5'000);
  EXPECT_EQ(policy->query, 3'000);
  EXPECT_EQ(policy->body, 2'000);
  EXPECT_EQ(policy->padding, (TicketPadding{24, 64}));
}

TEST(TicketPolicy, WhatItWritesItReads) {
  SeededRandom random{1};
  for (int i = 0; i < 2'000; ++i) {
    TicketPolicy policy;
    policy.cookie = static_cast<std::uint16_t>(random.below(10'001));
    policy.query = static_cast<std::uint16_t>(random.below(10'001));
    policy.body = static_cast<std::uint16_t>(random.below(2) * random.below(10'001));
    policy.padding.bytes_min = 24 + random.below(41);
    policy.padding.bytes_max = policy.padding.bytes_min + random.below(65 - policy.padding.bytes_min);
    if (policy.cookie + policy.query + policy.body == 0) continue;
    const auto text = to_text(policy);
    EXPECT_LE(text.size(), ticket_policy_text_max);
    const auto read = parse_ticket_policy(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, policy) << text;
  }
}

TEST(TicketPolicy, TakesWhatItMayAndDefaultsTheRest) {
  EXPECT_EQ(parse_ticket_policy("v1").value(), TicketPolicy{});
  EXPECT_EQ(parse_ticket_policy("v1;carriers= cookie:1 , query:0;color=blue ;len=30..30").value(),
            (TicketPolicy{10'000, 0, 0, {30, 30}}));
  EXPECT_EQ(parse_ticket_policy("v1; carriers=query:0.0625").value(), (TicketPolicy{0, 625, 0, {}}));
}

TEST(TicketPolicy, RefusesEverythingElse) {
  for (const auto* text : {"",
                           "v2",
                           "v1;",
                           "v1; ",
                           "v1; carriers=",
                           "v1; carriers=cookie",
                           "v1; carriers=cookie:",
                           "v1; carriers=cookie:1.1",
                           "v1; carriers=cookie:2",
                           "v1; carriers=cookie:-1",
                           "v1; carriers=cookie:.5",
                           "v1; carriers=cookie:0.",
                           "v1; carriers=cookie:0.12345",
                           "v1; carriers=cookie:0,query:0",
                           "v1; carriers=cookie:1,cookie:1",
                           "v1; carriers=cookie:1,",
                           "v1; carriers=cloud:1",
                           "v1; carriers=cookie:1; carriers=query:1",
                           "v1; len=23..64",
                           "v1; len=24..65",
                           "v1; len=40..30",
                           "v1; len=24",
                           "v1; len=24..",
                           "v1; len=24...64",
                           "v1; len=24..64x",
                           "v1 carriers=cookie:1",
                           "v1; len=24..64; len=24..64",
                           "v1;;"}) {
    EXPECT_FALSE(parse_ticket_policy(text)) << text;
  }
  EXPECT_EQ(parse_ticket_policy("v2").error().code, Errc::version);
  EXPECT_EQ(parse_ticket_policy("v1; x=" + std::string(300, 'y')).error().code, Errc::limit_exceeded);
}

TEST(TicketPolicy, DrawsByWeight) {
  SeededRandom random{2};
  const auto cookies = [&random](const TicketPolicy& policy) {
    int count = 0;
    for (int i = 0; i < 10'000; ++i) count += policy.draw(random) == TicketCarrier::cookie ? 1 : 0;
    return count;
  };
  EXPECT_EQ(cookies({10'000, 0, 0, {}}), 10'000);
  EXPECT_EQ(cookies({0, 1, 0, {}}), 0);
  EXPECT_NEAR(cookies({2'500, 7'500, 0, {}}), 2'500, 200);
  EXPECT_EQ(cookies({0, 0, 10'000, {}}), 10'000) << "no body in a GET";
}

}  // namespace
}  // namespace village::htx
