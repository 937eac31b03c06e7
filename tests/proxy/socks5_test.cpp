#include "village/proxy/socks5.hpp"

#include <gtest/gtest.h>

#include "support/vectors.hpp"

namespace village::proxy {
namespace {

using test::hex;

Credentials nobody() { return {}; }
Credentials alice() {
  Credentials users;
  users.add("alice", "s3cret");
  return users;
}

struct Played {
  bool done = false, failed = false;
  Errc error{};
  std::string output;  // hex of all that was said
  std::size_t taken = 0;
  std::optional<Socks5Request> request;
};

/// Feeds `in` cut at the given places; stops when the handshake takes no more.
Played play(const Credentials& users, ByteView in, std::vector<std::size_t> cuts) {
  Socks5Handshake handshake{users};
  Played played;
  cuts.push_back(in.size());
  std::size_t at = 0;
  for (const auto cut : cuts) {
    const auto piece = in.subspan(at, cut - at);
    const auto taken = handshake.on_bytes(piece);
    played.output += to_hex(handshake.output());
    handshake.clear_output();
    played.taken += taken;
    if (taken < piece.size()) break;
    at = cut;
  }
  played.done = handshake.done();
  played.failed = handshake.failed();
  played.error = handshake.error();
  if (played.done) played.request = handshake.request();
  return played;
}

Played play(const Credentials& users, std::string_view text) { return play(users, hex(text), {}); }

TEST(Socks5Handshake, ConnectWithoutAuthentication) {
  const auto played = play(nobody(),
                           "050100"
                           "050100030b6578616d706c652e636f6d01bb");
  ASSERT_TRUE(played.done);
  EXPECT_EQ(played.output, "0500");
  EXPECT_EQ(played.request->command, Socks5Command::connect);
  EXPECT_EQ(to_text(played.request->target), "example.com:443");
}

TEST(Socks5Handshake, EverySplitGivesTheSame) {
  const auto users = alice();
  const auto in =
      hex("0502000201"
          "05616c69636506733363726574"
          "0501000420010db800000000000000000000000120fb");
  for (std::size_t first = 0; first <= in.size(); ++first) {
    for (std::size_t second = first; second <= in.size(); ++second) {
      const auto played = play(users, in, {first, second});
      ASSERT_TRUE(played.done) << first << " " << second;
      EXPECT_EQ(played.output, "05020100");
      EXPECT_EQ(to_text(played.request->target), "[2001:db8::1]:8443");
    }
  }
}

TEST(Socks5Handshake, LeavesWhatFollowsTheRequest) {
  const auto in =
      hex("050100"
          "050100017f0000010050"
          "474554");
  for (std::size_t cut = 0; cut <= in.size(); ++cut) {
    const auto played = play(nobody(), in, {cut});
    ASSERT_TRUE(played.done) << cut;
    EXPECT_EQ(played.taken, in.size() - 3) << cut;
  }
}

TEST(Socks5Handshake, NeedsMoreUntilComplete) {
  const auto in =
      hex("050100"
          "050100017f0000010050");
  for (std::size_t size = 0; size < in.size(); ++size) {
    const auto played = play(nobody(), ByteView{in}.first(size), {});
    EXPECT_FALSE(played.done || played.failed) << size;
    EXPECT_EQ(played.taken, size);
  }
}

TEST(Socks5Handshake, NameThatIsAnAddressBecomesOne) {
  const auto v4 = play(nobody(),
                       "050100"
                       "05010003093132372e302e302e310050");
  ASSERT_TRUE(v4.done);
  EXPECT_TRUE(std::holds_alternative<Ipv4Address>(v4.request->target.host));
}

TEST(Socks5Handshake, UdpAssociateMayLeaveTheAddressOpen) {
  const auto played = play(nobody(),
                           "050100"
                           "05030001000000000000");
  ASSERT_TRUE(played.done);
  EXPECT_EQ(played.request->command, Socks5Command::udp_associate);
  EXPECT_EQ(played.request->target.port, 0);
}

struct Refusal {
  const char* what;
  bool users;
  const char* in;
  const char* output;
  Errc error;
};

class Socks5Refusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(Socks5Refusals, SaysWhyAndFails) {
  const auto& refusal = GetParam();
  const auto users = refusal.users ? alice() : nobody();
  const auto in = hex(refusal.in);
  for (std::size_t cut = 0; cut <= in.size(); ++cut) {
    const auto played = play(users, in, {cut});
    ASSERT_TRUE(played.failed) << refusal.what << " cut " << cut;
    EXPECT_EQ(played.output, refusal.output) << refusal.what;
    EXPECT_EQ(played.error, refusal.error) << refusal.what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Socks5Refusals,
    ::testing::Values(Refusal{"not SOCKS5", false, "04", "", Errc::version},
                      Refusal{"no method", false, "0500", "05ff", Errc::auth_failed},
                      Refusal{"no method in common", false, "050180", "05ff", Errc::auth_failed},
                      Refusal{"password wanted, none offered", true, "050100", "05ff", Errc::auth_failed},
                      Refusal{"password of a client that needs none", false, "050102", "05ff",
                              Errc::auth_failed},
                      Refusal{"wrong password", true,
                              "050102"
                              "0105616c696365067333637265"
                              "75",
                              "05020101", Errc::auth_failed},
                      Refusal{"prefix of the password", true,
                              "050102"
                              "0105616c69636505"
                              "7333637265",
                              "05020101", Errc::auth_failed},
                      Refusal{"empty user", true,
                              "050102"
                              "010000",
                              "05020101", Errc::auth_failed},
                      Refusal{"version of the password message", true,
                              "050102"
                              "05",
                              "0502", Errc::version},
                      Refusal{"version of the request", false,
                              "050100"
                              "04",
                              "0500", Errc::version},
                      Refusal{"BIND", false,
                              "050100"
                              "050200017f0000010050",
                              "0500"
                              "05070001000000000000",
                              Errc::unsupported},
                      Refusal{"command 9", false,
                              "050100"
                              "050900017f0000010050",
                              "0500"
                              "05070001000000000000",
                              Errc::unsupported},
                      Refusal{"command 0", false,
                              "050100"
                              "050000017f0000010050",
                              "0500"
                              "05070001000000000000",
                              Errc::unsupported},
                      Refusal{"address type 2", false,
                              "050100"
                              "050100027f0000010050",
                              "0500"
                              "05080001000000000000",
                              Errc::unsupported},
                      Refusal{"reserved byte", false,
                              "050100"
                              "050101017f0000010050",
                              "0500"
                              "05010001000000000000",
                              Errc::malformed},
                      Refusal{"port 0", false,
                              "050100"
                              "050100017f0000010000",
                              "0500"
                              "05010001000000000000",
                              Errc::malformed},
                      Refusal{"empty name", false,
                              "050100"
                              "05010003000050",
                              "0500"
                              "05010001000000000000",
                              Errc::malformed},
                      Refusal{"name with NUL", false,
                              "050100"
                              "050100030361006200"
                              "50",
                              "0500"
                              "05010001000000000000",
                              Errc::malformed}));

TEST(Socks5Handshake, LongestMessagesFit) {
  Credentials users;
  users.add(std::string(255, 'u'), std::string(255, 'p'));
  auto in = hex("05ff");
  in.insert(in.end(), 255, std::byte{2});
  for (const char c : "\x01\xff" + std::string(255, 'u') + "\xff" + std::string(255, 'p')) {
    in.push_back(static_cast<std::byte>(c));
  }
  for (const char c : std::string{"\x05\x01\x00\x03\xff", 5} + std::string(255, 'n') + "\x01\x02") {
    in.push_back(static_cast<std::byte>(c));
  }
  const auto played = play(users, in, {});
  ASSERT_TRUE(played.done);
  EXPECT_EQ(played.taken, in.size());
  EXPECT_EQ(to_text(played.request->target), std::string(255, 'n') + ":258");
}

TEST(Socks5Reply, TellsTheReasonOfAFailedDial) {
  EXPECT_EQ(socks5_reply(Errc::refused), Socks5Reply::refused);
  EXPECT_EQ(socks5_reply(Errc::net_unreachable), Socks5Reply::net_unreachable);
  EXPECT_EQ(socks5_reply(Errc::host_unreachable), Socks5Reply::host_unreachable);
  EXPECT_EQ(socks5_reply(Errc::timed_out), Socks5Reply::host_unreachable);
  EXPECT_EQ(socks5_reply(Errc::name_not_found), Socks5Reply::host_unreachable);
  EXPECT_EQ(socks5_reply(Errc::denied), Socks5Reply::not_allowed);
  EXPECT_EQ(socks5_reply(Errc::unsupported), Socks5Reply::command_not_supported);
  EXPECT_EQ(socks5_reply(Errc::busy), Socks5Reply::general_failure);
}

TEST(Socks5Reply, CarriesTheBoundAddress) {
  ByteArray<32> memory{};
  wire::Writer writer{memory};
  write_socks5_reply(writer, Socks5Reply::succeeded, *parse_target("127.0.0.1:1080"));
  EXPECT_EQ(to_hex(writer.written()), "050000017f0000010438");
}

TEST(Socks5Datagram, RoundTrips) {
  for (const auto* text : {"192.0.2.1:53", "[2001:db8::7]:65535", "a.example:1"}) {
    ByteArray<limits::udp_header_bytes_max + 4> memory{};
    wire::Writer writer{memory};
    write_socks5_datagram_header(writer, *parse_target(text));
    writer.text("data");
    const auto datagram = parse_socks5_datagram(writer.written());
    ASSERT_TRUE(datagram) << text;
    EXPECT_EQ(to_text(datagram->target), text);
    EXPECT_EQ(as_text(datagram->data), "data");
  }
}

TEST(Socks5Datagram, RefusesWhatIsNoWholeDatagram) {
  const auto whole = hex("000000017f00000100507069");
  for (std::size_t size = 0; size < 10; ++size) {
    const auto parsed = parse_socks5_datagram(ByteView{whole}.first(size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().code, Errc::truncated);
  }
  EXPECT_EQ(parse_socks5_datagram(hex("000001017f0000010050aa")).error().code, Errc::unsupported);
  EXPECT_EQ(parse_socks5_datagram(hex("000080017f0000010050aa")).error().code, Errc::unsupported);
  EXPECT_EQ(parse_socks5_datagram(hex("000100017f0000010050aa")).error().code, Errc::malformed);
  EXPECT_EQ(parse_socks5_datagram(hex("000000017f0000010000aa")).error().code, Errc::malformed);
  EXPECT_EQ(parse_socks5_datagram(hex("000000097f0000010050aa")).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace village::proxy
