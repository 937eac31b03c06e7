// Access tickets: our maker against our checker, every bit of them, and the vectors of access-ticket.json.
#include "village/htx/access_ticket.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/crypto/hash.hpp"
#include "village/wire/base64.hpp"

namespace village::htx {
namespace {

using nlohmann::json;

constexpr WallTime at_hour(std::uint64_t hour, std::chrono::seconds into = std::chrono::seconds{0}) {
  return WallTime{std::chrono::hours{static_cast<std::int64_t>(hour)} + into};
}

class AccessTicketTest : public testing::Test {
 protected:
  SeededRandom random{7};
  TicketSecret secret = TicketSecret::generate(random);
  static constexpr std::uint64_t hour = 490'000;

  Bytes ticket_bytes() {
    const auto text = make_ticket(secret.open, at_hour(hour), random);
    const auto bytes = wire::from_base64url(*text, ticket_bytes_max);
    return *bytes;
  }
};

TEST_F(AccessTicketTest, IsAcceptedWithinOneHourEitherWayAndTellsWhich) {
  const auto text = make_ticket(secret.open, at_hour(hour, std::chrono::seconds{3'599}), random);
  ASSERT_TRUE(text);
  const auto ticket = parse_ticket(*text);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->key_id, secret.open.id);
  EXPECT_TRUE(has_pretag(*ticket, secret.open));
  for (const auto at : {hour - 1, hour, hour + 1}) {
    const auto matched = verify_ticket(*ticket, secret, at);
    ASSERT_TRUE(matched) << at;
    EXPECT_EQ(*matched, hour);
  }
  for (const auto at : {hour - 2, hour + 2, hour + 1'000, std::uint64_t{0}}) {
    const auto matched = verify_ticket(*ticket, secret, at);
    ASSERT_FALSE(matched) << at;
    EXPECT_EQ(matched.error().code, Errc::bad_tag);
  }
}

TEST_F(AccessTicketTest, HourBeginsAtItsFirstSecond) {
  EXPECT_EQ(ticket_hour(WallTime{std::chrono::seconds{3'599}}), 0U);
  EXPECT_EQ(ticket_hour(WallTime{std::chrono::seconds{3'600}}), 1U);
  EXPECT_EQ(ticket_hour(WallTime{std::chrono::seconds{-1}}), 0U);
}

TEST_F(AccessTicketTest, PaddingStaysInItsRangeAndReachesBothEnds) {
  std::size_t shortest = 1'000, longest = 0;
  for (int i = 0; i < 200; ++i) {
    const auto text = make_ticket(secret.open, at_hour(hour), random, {24, 27});
    ASSERT_TRUE(text);
    const auto ticket = parse_ticket(*text);
    ASSERT_TRUE(ticket);
    shortest = std::min(shortest, ticket->padding_bytes);
    longest = std::max(longest, ticket->padding_bytes);
  }
  EXPECT_EQ(shortest, 24U);
  EXPECT_EQ(longest, 27U);
}

TEST_F(AccessTicketTest, PaddingOutsideTheFormatIsOurMistake) {
  for (const TicketPadding padding : {TicketPadding{23, 64}, TicketPadding{24, 65}, TicketPadding{40, 39}}) {
    const auto text = make_ticket(secret.open, at_hour(hour), random, padding);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Errc::bad_argument);
  }
}

TEST_F(AccessTicketTest, ServerKeyOfLowOrderMakesNoTicket) {
  const auto text = make_ticket({secret.open.id, {}}, at_hour(hour), random);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, Errc::bad_key);
}

TEST_F(AccessTicketTest, TwoTicketsShareNothingButVersionAndKeyId) {
  const auto a = ticket_bytes(), b = ticket_bytes();
  EXPECT_FALSE(std::equal(a.begin() + 1, a.begin() + 33, b.begin() + 1));
  EXPECT_FALSE(std::equal(a.begin() + 41, a.begin() + 105, b.begin() + 41));
}

TEST_F(AccessTicketTest, EveryBitButPaddingMatters) {
  const auto whole = ticket_bytes();
  for (std::size_t bit = 0; bit < 105 * 8; ++bit) {
    auto changed = whole;
    changed[bit / 8] ^= std::byte{1} << bit % 8;
    const auto ticket = parse_ticket_bytes(changed);
    if (!ticket) {
      EXPECT_LT(bit, 8U);
      continue;
    }
    const bool known = ticket->key_id == secret.open.id;
    const bool in = known && has_pretag(*ticket, secret.open) && verify_ticket(*ticket, secret, hour);
    EXPECT_FALSE(in) << bit;
    if (bit >= 41 * 8 && bit < 73 * 8) {
      EXPECT_TRUE(verify_ticket(*ticket, secret, hour)) << "the nonce is no part of Betanet's check";
    }
  }
}

TEST_F(AccessTicketTest, EveryOtherLengthIsRefused) {
  const auto whole = ticket_bytes();
  for (std::size_t size = 0; size < 300; ++size) {
    auto bytes = whole;
    bytes.resize(size);
    EXPECT_EQ(parse_ticket_bytes(bytes).has_value(), size >= 129 && size <= 169) << size;
    EXPECT_EQ(parse_ticket(wire::base64url(bytes)).has_value(), size >= 129 && size <= 169) << size;
  }
}

TEST_F(AccessTicketTest, TextMustBeCanonical) {
  const auto text = make_ticket(secret.open, at_hour(hour), random, {24, 25});  // 129 or 130 bytes
  ASSERT_TRUE(text);
  EXPECT_FALSE(parse_ticket(*text + "="));
  EXPECT_FALSE(parse_ticket(" " + *text));
  EXPECT_FALSE(parse_ticket(std::string(200, '+')));
  auto bytes = ticket_bytes();
  bytes.resize(130);  // one letter carries 2 unused bits
  auto loose = wire::base64url(bytes);
  ASSERT_TRUE(parse_ticket(loose));
  const std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  loose.back() = letters[letters.find(loose.back()) + 1];
  const auto parsed = parse_ticket(loose);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Errc::not_canonical);
}

// --- access-ticket.json

std::string hex_of(const json& entry, const char* key) { return entry.at(key).get<std::string>(); }

template <std::size_t N>
ByteArray<N> array_of(const json& entry, const char* key) {
  const auto bytes = test::hex(hex_of(entry, key));
  EXPECT_EQ(bytes.size(), N);
  ByteArray<N> array{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), N), array.begin());
  return array;
}

bool is_admitted(const json& entry) {
  const auto ticket = parse_ticket_bytes(test::hex(hex_of(entry, "payload")));
  if (!ticket) return false;
  const auto secret = TicketSecret::from_private(array_of<8>(entry, "ticket_key_id"),
                                                 crypto::X25519Private{array_of<32>(entry, "ticket_priv")});
  if (ticket->key_id != secret.open.id) return false;
  return verify_ticket(*ticket, secret, entry.at("verify_at_hour").get<std::uint64_t>()).has_value();
}

/// ReplayedRandom hands out what the maker of the vector drew.
class ReplayedRandom final : public RandomSource {
 public:
  explicit ReplayedRandom(Bytes bytes) : bytes_{std::move(bytes)} {}
  void fill(ByteSpan out) override {
    ASSERT_LE(at_ + out.size(), bytes_.size());
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), out.size(), out.begin());
    at_ += out.size();
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

void append(Bytes& to, const Bytes& from) { to.insert(to.end(), from.begin(), from.end()); }

TEST(AccessTicketVectors, VerdictOfEveryEntry) {
  VG_VECTORS(text, "htx/access-ticket.json");
  const auto file = json::parse(text);
  std::size_t cases = 0;
  for (const auto& [name, list] : file.items()) {
    if (!list.is_array()) continue;
    for (const auto& entry : list) {
      SCOPED_TRACE(name + " " + std::to_string(cases) + " " + entry.value("case", ""));
      EXPECT_EQ(is_admitted(entry), entry.at("expect").get<bool>());
      ++cases;
    }
  }
  EXPECT_GT(cases, 0U);
  RecordProperty("cases", static_cast<int>(cases));
}

TEST(AccessTicketVectors, TextAndFieldsOfEveryWholeEntry) {
  VG_VECTORS(text, "htx/access-ticket.json");
  std::size_t cases = 0;
  const auto file = json::parse(text);
  for (const auto& entry : file.at("valid_and_window")) {
    SCOPED_TRACE(cases);
    const auto ticket = parse_ticket(hex_of(entry, "base64url"));
    ASSERT_TRUE(ticket);
    EXPECT_EQ(to_hex(ticket->client), hex_of(entry, "client_pub"));
    EXPECT_EQ(to_hex(ticket->nonce), hex_of(entry, "nonce32"));
    EXPECT_EQ(to_hex(ticket->tag), hex_of(entry, "access_ticket"));
    EXPECT_EQ(ticket->padding_bytes * 2, hex_of(entry, "pad").size());
    const std::chrono::seconds time{entry.at("unix_time").get<std::int64_t>()};
    EXPECT_EQ(ticket_hour(WallTime{time}), entry.at("hour").get<std::uint64_t>());
    ++cases;
  }
  EXPECT_GT(cases, 0U);
}

// Our maker gives the same ticket, but for the second half of the nonce, which is random in the vectors and
// the pre-tag in ours.
TEST(AccessTicketVectors, MakerGivesEveryWholeEntry) {
  VG_VECTORS(text, "htx/access-ticket.json");
  std::size_t cases = 0;
  const auto file = json::parse(text);
  for (const auto& entry : file.at("valid_and_window")) {
    SCOPED_TRACE(cases);
    const auto pad = test::hex(hex_of(entry, "pad"));
    Bytes drawn = test::hex(hex_of(entry, "client_priv"));
    append(drawn, Bytes(8));  // draws the only length there is
    auto nonce = test::hex(hex_of(entry, "nonce32"));
    nonce.resize(16);
    append(drawn, nonce);
    append(drawn, pad);
    ReplayedRandom random{drawn};
    const auto made = make_ticket({array_of<8>(entry, "ticket_key_id"), array_of<32>(entry, "ticket_pub")},
                                  WallTime{std::chrono::seconds{entry.at("unix_time").get<std::int64_t>()}},
                                  random, {pad.size(), pad.size()});
    ASSERT_TRUE(made);
    auto bytes = wire::from_base64url(*made, ticket_bytes_max);
    ASSERT_TRUE(bytes);
    auto expected = test::hex(hex_of(entry, "payload"));
    std::copy_n(bytes->begin() + 57, 16, expected.begin() + 57);
    EXPECT_EQ(to_hex(*bytes), to_hex(expected));
    ++cases;
  }
  EXPECT_GT(cases, 0U);
}

}  // namespace
}  // namespace village::htx
