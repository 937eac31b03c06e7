// The gate for access tickets: every verdict, replays at hour edges, and what buckets bear.
#include "village/htx/ticket_gate.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <set>

#include "village/htx/limits.hpp"
#include "village/wire/base64.hpp"

namespace village::htx {
namespace {

constexpr std::uint64_t hour = 490'000;
constexpr Instant noon{std::chrono::hours{5}};

constexpr WallTime at_hour(std::uint64_t number, std::chrono::seconds into = std::chrono::seconds{0}) {
  return WallTime{std::chrono::hours{static_cast<std::int64_t>(number)} + into};
}

SourcePrefix source(std::uint32_t number) {
  return source_prefix(Ipv4Address{static_cast<std::byte>(number >> 16), static_cast<std::byte>(number >> 8),
                                   static_cast<std::byte>(number), std::byte{9}});
}

class TicketGateTest : public testing::Test {
 protected:
  SeededRandom random{11};
  TicketKeys keys = [this] {
    TicketKeys made;
    made.secrets.push_back(TicketSecret::generate(random));
    made.secrets.push_back(TicketSecret::generate(random));
    return made;
  }();
  TicketRules rules;
  TicketGate gate{rules, random};

  std::string fresh(std::uint64_t at = hour, std::size_t key = 0) {
    const auto text = make_ticket(keys.secrets[key].open, at_hour(at), random);
    return text.value();
  }
  TicketVerdict admit(std::string_view text, std::uint64_t at = hour, std::uint32_t from = 1,
                      Instant now = noon) {
    return gate.admit(text, keys, source(from), at_hour(at), now);
  }
  /// changed decodes, lets `edit` work on the bytes and encodes again.
  template <class Edit>
  static std::string changed(const std::string& text, Edit edit) {
    auto bytes = wire::from_base64url(text, ticket_bytes_max).value();
    edit(bytes);
    return wire::base64url(bytes);
  }
  /// forged has a right pre-tag and a wrong tag.
  std::string forged() {
    return changed(fresh(), [](Bytes& bytes) { bytes[80] ^= std::byte{1}; });
  }
};

TEST_F(TicketGateTest, AcceptsEachTicketOnce) {
  const auto text = fresh();
  EXPECT_EQ(admit(text), TicketVerdict::accepted);
  EXPECT_EQ(admit(text), TicketVerdict::replayed);
  EXPECT_EQ(admit(text, hour, 2), TicketVerdict::replayed);
  EXPECT_EQ(admit(fresh()), TicketVerdict::accepted);
}

TEST_F(TicketGateTest, EveryAcceptedKeyWorks) {
  EXPECT_EQ(admit(fresh(hour, 0)), TicketVerdict::accepted);
  EXPECT_EQ(admit(fresh(hour, 1)), TicketVerdict::accepted);
}

TEST_F(TicketGateTest, NamesEveryVerdictOnce) {
  std::set<std::string_view> names;
  for (int i = 0; i < static_cast<int>(TicketVerdict::count); ++i)
    names.insert(name(static_cast<TicketVerdict>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(TicketVerdict::count));
}

TEST_F(TicketGateTest, RefusesWithTheVerdictOfTheFirstStepThatFails) {
  EXPECT_EQ(admit("rubbish"), TicketVerdict::malformed);
  EXPECT_EQ(admit(changed(fresh(), [](Bytes& b) { b[0] = std::byte{2}; })), TicketVerdict::malformed);
  EXPECT_EQ(admit(changed(fresh(), [](Bytes& b) { b[33] ^= std::byte{1}; })), TicketVerdict::unknown_key);
  EXPECT_EQ(admit(changed(fresh(), [](Bytes& b) { b[60] ^= std::byte{1}; })), TicketVerdict::no_pretag);
  EXPECT_EQ(admit(forged()), TicketVerdict::wrong_tag);
  EXPECT_EQ(admit(fresh(hour - 2)), TicketVerdict::wrong_tag);
  EXPECT_EQ(admit(fresh(hour + 2)), TicketVerdict::wrong_tag);
}

TEST_F(TicketGateTest, ClientKeyOfLowOrderIsNamed) {
  rules.pretag_required = false;
  gate.set_rules(rules);
  const auto zero = changed(fresh(), [](Bytes& b) { std::fill_n(b.begin() + 1, 32, std::byte{0}); });
  EXPECT_EQ(admit(zero), TicketVerdict::low_order);
}

TEST_F(TicketGateTest, PretagCanBeIgnored) {
  const auto without = changed(fresh(), [](Bytes& b) { b[60] ^= std::byte{1}; });
  EXPECT_EQ(admit(without), TicketVerdict::no_pretag);
  rules.pretag_required = false;
  gate.set_rules(rules);
  EXPECT_EQ(admit(without), TicketVerdict::accepted);
}

TEST_F(TicketGateTest, AnyBitFlippedInTheTextIsRefusedOrTheSameTicket) {
  const auto whole = fresh();
  ASSERT_EQ(admit(whole), TicketVerdict::accepted);
  rules.bucket.capacity = 10'000;
  gate.set_rules(rules);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    auto text = whole;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(admit(text), TicketVerdict::accepted) << bit;
  }
}

TEST_F(TicketGateTest, RandomTextNeverComesIn) {
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random.below(200));
    random.fill(bytes);
    if (!bytes.empty() && i % 2 == 0) bytes[0] = std::byte{1};
    if (bytes.size() > 41 && i % 4 == 0)
      std::copy(keys.secrets[0].open.id.begin(), keys.secrets[0].open.id.end(), bytes.begin() + 33);
    EXPECT_NE(admit(wire::base64url(bytes)), TicketVerdict::accepted);
  }
}

// --- replays

TEST_F(TicketGateTest, TicketAcceptedAtAnEdgeIsRefusedAtAllOthers) {
  for (const auto first : {hour - 1, hour, hour + 1}) {
    const auto text = fresh(hour);
    ASSERT_EQ(admit(text, first), TicketVerdict::accepted);
    EXPECT_EQ(gate.replays().entries().back().hour, hour) << "the matched hour, not the clock's";
    for (auto at = first; at <= hour + 1; ++at) EXPECT_EQ(admit(text, at), TicketVerdict::replayed) << at;
    // Outside the window the entry may be gone, the ticket is worthless all the same.
    EXPECT_EQ(admit(text, hour + 2), TicketVerdict::wrong_tag);
    EXPECT_EQ(admit(text, hour - 1), TicketVerdict::stale) << "and the clock set back";
    gate = TicketGate{rules, random};
  }
}

TEST_F(TicketGateTest, TwoHoursWouldNotBeEnough) {
  // Taken in the first second of hour h - 1 by a slow clock: good for three hours.
  const auto text = fresh(hour);
  ASSERT_EQ(gate.admit(text, keys, source(1), at_hour(hour - 1), noon), TicketVerdict::accepted);
  const auto later = at_hour(hour + 1, std::chrono::seconds{3'599});
  EXPECT_EQ(gate.admit(text, keys, source(1), later, noon), TicketVerdict::replayed);
}

TEST_F(TicketGateTest, MemoryComesBackWhenTheHoursArePast) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(admit(fresh()), TicketVerdict::accepted);
  EXPECT_EQ(gate.replays().entries().size(), 100U);
  EXPECT_EQ(admit(fresh(hour + 1), hour + 1), TicketVerdict::accepted);
  EXPECT_EQ(gate.replays().entries().size(), 101U);
  EXPECT_EQ(admit(fresh(hour + 2), hour + 2), TicketVerdict::accepted);
  EXPECT_EQ(gate.replays().entries().size(), 2U);
  EXPECT_EQ(gate.replays().stale_hour(), hour);
}

TEST_F(TicketGateTest, FullMemoryRefusesTheNewAndForgetsNothing) {
  rules.replays_max = 3;
  gate = TicketGate{rules, random};
  std::vector<std::string> used;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(admit(used.emplace_back(fresh())), TicketVerdict::accepted);
  EXPECT_EQ(admit(fresh()), TicketVerdict::full);
  for (const auto& text : used) EXPECT_EQ(admit(text), TicketVerdict::replayed);
  EXPECT_EQ(admit(fresh(hour + 2), hour + 2), TicketVerdict::accepted);
}

TEST_F(TicketGateTest, ClockThatJumpsAheadAndBackOpensNoDoorTwice) {
  const auto text = fresh();
  ASSERT_EQ(admit(text), TicketVerdict::accepted);
  EXPECT_EQ(admit("x", hour + 9'000), TicketVerdict::malformed);
  EXPECT_EQ(admit(forged(), hour + 9'000), TicketVerdict::wrong_tag);  // drops what is past
  EXPECT_EQ(gate.replays().entries().size(), 0U);
  EXPECT_EQ(admit(text), TicketVerdict::stale);
  EXPECT_EQ(admit(fresh()), TicketVerdict::stale) << "the price: this hour's tickets are refused";
  EXPECT_EQ(admit(fresh(hour + 1), hour + 1), TicketVerdict::accepted);
}

// All public keys that X25519 takes for the same: one bit is ignored, and a point of order 2 vanishes.
TEST_F(TicketGateTest, TwinsOfAKeyOpenNoDoorTwice) {
  using boost::multiprecision::cpp_int;
  rules.pretag_required = false;  // a thief without the ticket key cannot even make the pre-tag
  gate.set_rules(rules);
  const auto text = fresh();
  ASSERT_EQ(admit(text), TicketVerdict::accepted);
  const auto high_bit = changed(text, [](Bytes& b) { b[32] ^= std::byte{0x80}; });
  EXPECT_EQ(admit(high_bit), TicketVerdict::replayed);

  const cpp_int p = (cpp_int{1} << 255) - 19;
  const auto other_point = changed(text, [&p](Bytes& b) {
    cpp_int u = 0;
    for (std::size_t i = 32; i-- > 0;) u = (u << 8) + std::to_integer<unsigned>(b[1 + i]);
    cpp_int inverse = powm(u, p - 2, p);  // u(P + (0,0)) = 1 / u(P)
    for (std::size_t i = 0; i < 32; ++i, inverse >>= 8)
      b[1 + i] = static_cast<std::byte>(static_cast<unsigned>(inverse & 0xFF));
  });
  ASSERT_NE(other_point, text);
  TicketGate empty{rules, random};
  ASSERT_EQ(empty.admit(other_point, keys, source(1), at_hour(hour), noon), TicketVerdict::accepted)
      << "the twin has the same secret, else this test shows nothing";
  EXPECT_EQ(admit(other_point), TicketVerdict::replayed);
}

TEST_F(TicketGateTest, MemoryIsFortyBytesAndAnIndex) {
  static_assert(sizeof(ReplayEntry) == 40);
  TicketReplays replays{100'000, random};
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    ReplayEntry entry{{}, hour};
    random.fill(entry.tag);
    ASSERT_EQ(replays.take(entry), TicketReplays::Taken::added);
    ASSERT_TRUE(replays.contains(entry.tag));
  }
  ReplayEntry one_more{{}, hour};
  EXPECT_EQ(replays.take(one_more), TicketReplays::Taken::full);
}

// --- buckets

TEST_F(TicketGateTest, OnlyWhatHadThePretagAndFailedIsCharged) {
  rules.bucket.capacity = 2;
  gate = TicketGate{rules, random};
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(admit("rubbish"), TicketVerdict::malformed);
    EXPECT_EQ(admit(changed(fresh(), [](Bytes& b) { b[33] ^= std::byte{1}; })), TicketVerdict::unknown_key);
    EXPECT_EQ(admit(changed(fresh(), [](Bytes& b) { b[60] ^= std::byte{1}; })), TicketVerdict::no_pretag);
    EXPECT_EQ(admit(fresh()), TicketVerdict::accepted);
  }
  EXPECT_EQ(admit(forged()), TicketVerdict::wrong_tag);
  EXPECT_EQ(admit(forged()), TicketVerdict::wrong_tag);
  EXPECT_EQ(admit(forged()), TicketVerdict::rate_limited);
  EXPECT_EQ(admit(fresh()), TicketVerdict::rate_limited) << "the network pays, as /24 says";
  EXPECT_EQ(admit(fresh(), hour, 2), TicketVerdict::accepted) << "another network does not";
}

TEST_F(TicketGateTest, ReplaysAreCharged) {
  rules.bucket.capacity = 2;
  gate = TicketGate{rules, random};
  const auto text = fresh();
  EXPECT_EQ(admit(text), TicketVerdict::accepted);
  EXPECT_EQ(admit(text), TicketVerdict::replayed);
  EXPECT_EQ(admit(text), TicketVerdict::replayed);
  EXPECT_EQ(admit(text), TicketVerdict::rate_limited);
}

TEST_F(TicketGateTest, BucketFillsBySecondsUpToItsCapacity) {
  rules.bucket = {3, std::chrono::seconds{1}};
  gate = TicketGate{rules, random};
  const auto failures = [&](Instant now) {
    int count = 0;
    while (admit(forged(), hour, 1, now) == TicketVerdict::wrong_tag) ++count;
    return count;
  };
  EXPECT_EQ(failures(noon), 3);
  EXPECT_EQ(failures(noon + std::chrono::milliseconds{999}), 0);
  EXPECT_EQ(failures(noon + std::chrono::seconds{1}), 1);
  EXPECT_EQ(failures(noon + std::chrono::seconds{3}), 2);
  EXPECT_EQ(failures(noon + std::chrono::hours{3}), 3);
}

TEST(SourcePrefix, IsTheNetworkThatPays) {
  const auto v4 = [](const char* text) {
    return source_prefix(std::get<Ipv4Address>(parse_host(text).value()));
  };
  const auto v6 = [](const char* text) {
    return source_prefix(std::get<Ipv6Address>(parse_host(text).value()));
  };
  EXPECT_EQ(v4("192.0.2.1"), v4("192.0.2.255"));
  EXPECT_NE(v4("192.0.2.1"), v4("192.0.3.1"));
  EXPECT_EQ(v6("2001:db8:1:2ff::1"), v6("2001:db8:1:200::2"));
  EXPECT_NE(v6("2001:db8:1:2ff::1"), v6("2001:db8:1:300::1"));
  EXPECT_EQ(v6("::ffff:192.0.2.77"), v4("192.0.2.1"));
  EXPECT_NE(v6("::1"), v4("0.0.0.1"));
}

/// drain empties a source's bucket and tells how many tokens that took.
int drain(SourceBuckets& buckets, SourcePrefix from, Instant now) {
  int taken = 0;
  for (; buckets.has_token(from, now) && taken < 1'000; ++taken) buckets.take(from, now);
  return taken;
}

TEST(SourceBuckets, FloodFromManyNetworksResetsNobodysBucket) {
  SeededRandom random{3};
  SourceBuckets buckets{{60, std::chrono::seconds{1}}, 1'024, random};
  ASSERT_EQ(drain(buckets, source(1), noon), 60);
  for (std::uint32_t other = 2; other < 20'000; ++other) buckets.take(source(other), noon);
  EXPECT_FALSE(buckets.has_token(source(1), noon));
  EXPECT_LE(buckets.charged(noon), buckets.places());
}

TEST(SourceBuckets, SumOverAllNetworksIsBounded) {
  SeededRandom random{4};
  SourceBuckets buckets{{60, std::chrono::seconds{1}}, 1'024, random};
  int taken = 0;
  for (std::uint32_t from = 1; from < 20'000; ++from) taken += drain(buckets, source(from), noon);
  // Each place and each group's shared bucket once.
  EXPECT_LE(taken, 60 * 1'024 * 9 / 8);
  EXPECT_GT(taken, 60 * 1'024 * 8 / 9);
  // And so for the time to come: what refills, no more.
  int later = 0;
  for (std::uint32_t from = 1; from < 20'000; ++from)
    later += drain(buckets, source(from), noon + std::chrono::seconds{1});
  EXPECT_LE(later, 1'024 * 9 / 8);
}

TEST(SourceBuckets, PlacesComeBackWhenBucketsAreFullAgain) {
  SeededRandom random{5};
  SourceBuckets buckets{{60, std::chrono::seconds{1}}, 64, random};
  for (std::uint32_t from = 1; from < 2'000; ++from) drain(buckets, source(from), noon);
  EXPECT_GT(buckets.charged(noon), 60U);
  const auto later = noon + std::chrono::seconds{61};
  EXPECT_EQ(buckets.charged(later), 0U);
  EXPECT_EQ(drain(buckets, source(5'000), later), 60);
}

}  // namespace
}  // namespace village::htx
