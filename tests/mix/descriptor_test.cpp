#include "village/mix/descriptor.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"

namespace village::mix {
namespace {

using namespace std::chrono_literals;
using test::descriptor_of;
using test::key_of;

SignedDescriptor good() {
  auto out = sign(descriptor_of(1, 100), key_of(1));
  return *std::move(out);
}

/// damaged replaces the first `from` in the canonical text.
std::string damaged(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Descriptor, SurvivesTheWayThroughText) {
  auto descriptor = descriptor_of(1, 100, {true, true, true});
  descriptor.link = *parse_target("node.example.org:8443");
  descriptor.mix_address = sphinx::node_address(Ipv6Address{std::byte{0x20}, std::byte{1}}, 9'001);
  descriptor.operator_name = "Dörfler \U0001F600 \"and\" \\ co";
  descriptor.profiles = {"n2048", "nreg"};
  descriptor.vrf_proofs = {{97, {}}, {98, {}}};
  const auto made = sign(descriptor, key_of(1));
  ASSERT_TRUE(made.has_value()) << name(made.error().code);
  EXPECT_TRUE(verify(*made));
  const auto text = to_json(*made);
  const auto read = parse_signed_descriptor(as_bytes(text));
  ASSERT_TRUE(read.has_value()) << name(read.error().code);
  EXPECT_EQ(*read, *made);
  EXPECT_EQ(read->descriptor, descriptor);
  EXPECT_EQ(to_json(*read), text);
}

DelayStatement drawn() { return {DelayPolicy::vrf, {{0ms, 10ms, 124}, {10ms, 50ms, 237}}, 2s}; }

TEST(Descriptor, StatesHowItHoldsPackets) {
  for (const auto& delay :
       {drawn(), DelayStatement{DelayPolicy::max, {}, 10s}, DelayStatement{DelayPolicy::header, {}, 1s}}) {
    auto descriptor = descriptor_of(1, 100);
    descriptor.delay = delay;
    const auto made = sign(descriptor, key_of(1));
    ASSERT_TRUE(made) << name(made.error().code);
    const auto text = to_json(*made);
    const auto read = parse_signed_descriptor(as_bytes(text));
    ASSERT_TRUE(read) << name(read.error().code);
    EXPECT_EQ(read->descriptor.delay, delay);
    EXPECT_EQ(to_json(*read), text);
    EXPECT_TRUE(verify(*read));
  }
  auto descriptor = descriptor_of(1, 100);
  descriptor.delay = drawn();
  const auto text = to_json(*sign(descriptor, key_of(1)));
  EXPECT_NE(text.find("\"delay\":{\"bins\":[[0,10000000,124],[10000000,50000000,237]],\"max_ns\":2000000000,"
                      "\"policy\":\"vrf\"},\"id\""),
            std::string::npos)
      << text;
  const auto changed = parse_signed_descriptor(as_bytes(damaged(text, "\"vrf\"", "\"max\"")));
  ASSERT_TRUE(changed);
  EXPECT_FALSE(verify(*changed)) << "the statement is signed";
}

TEST(Descriptor, VerifiesFromBeforeStatementsOfDelays) {
  // docs/protocols/mix.md 3.2, signed before there were any.
  const std::string text =
      R"({"descriptor":{"capacity_pps":1000,"id":"bn1:qzxufxo7d3z5zpz2pfs5yjw3wyaaprkqxz3hfvi",)"
      R"("key":"LjoT1JA8ToCLGUXPJsWGwOTRIhAsu5TSVary9M8F510","link":"10.1.0.1:8443",)"
      R"("mix_address":"10.1.0.1:9001","operator":"operator 1","profiles":["n2048"],"roles":["mix"],)"
      R"("sequence":1,"software":"villaged 0.1","sphinx_keys":[{"epoch":100,)"
      R"("key":"Jq8W2NfTgxIfQLHptosFsLXP0f1CAvMW7zifUZuDJQA"},{"epoch":101,)"
      R"("key":"kWZYu0fnUAWysdabh5Kz8QftDImZfjdpKF9tH3ylWjc"},{"epoch":102,)"
      R"("key":"QndRAoh65ZY-TKgechHSIefnoeOvERs7kaxg9vm1dk8"}],)"
      R"("vrf_key":"n2G1eU0F8UPiKuCix3i8mOYHWA8BiSOby4s2R7OpZN8","vrf_proofs":[]},)"
      R"("signature":"J8ILrKlKE6UsOBZfHtvWieSdmzEPVhsnwDSEWOGI8UKDMVsUjzueRz8IzApHpceOS0yYq6Pe_BYflBgOK3UpDQ"})";
  const auto read = parse_signed_descriptor(as_bytes(text));
  ASSERT_TRUE(read) << name(read.error().code);
  EXPECT_TRUE(verify(*read));
  EXPECT_EQ(read->descriptor.delay, DelayStatement{}) << "silence: the packet says it";
  EXPECT_EQ(read->descriptor.delay.policy, DelayPolicy::header);
  EXPECT_EQ(to_json(*read), text) << "and nodes of that policy still say nothing";
}

TEST(Descriptor, RefusesStatementsThatBreakTheirRules) {
  auto descriptor = descriptor_of(1, 100);
  descriptor.delay = drawn();
  const auto text = to_json(*sign(descriptor, key_of(1)));
  std::string nine = "\"bins\":[";
  for (int i = 0; i < 9; ++i) nine += std::string{i == 0 ? "" : ","} + "[0,10000000,1]";
  const std::string bins = "\"bins\":[[0,10000000,124],[10000000,50000000,237]]";
  const std::vector<std::pair<std::string, std::string>> changes{
      {"\"policy\":\"vrf\"", "\"policy\":\"mine\""},
      {"\"policy\":\"vrf\"", "\"policy\":\"header\""},  // which draws nothing
      {"\"policy\":\"vrf\"", "\"policy\":1"},
      {",\"policy\":\"vrf\"", ""},
      {"\"policy\":\"vrf\"", "\"policy\":\"vrf\",\"quirk\":1"},
      {"\"max_ns\":2000000000", "\"max_ns\":0"},
      {"\"max_ns\":2000000000", "\"max_ns\":60000000001"},
      {"[0,10000000,124]", "[10000000,10000000,124]"},
      {"[0,10000000,124]", "[-1,10000000,124]"},
      {"[0,10000000,124]", "[0,60000000001,124]"},
      {"[0,10000000,124]", "[0,10000000,4294967296]"},
      {"[0,10000000,124]", "[0,10000000]"},
      {"[0,10000000,124]", "[0,10000000,\"124\"]"},
      {"[0,10000000,124]", "124"},
      {bins, nine + "]"},
      {bins, "\"bins\":[[0,10000000,0]]"},
      {bins + ",\"max_ns\":2000000000,\"policy\":\"vrf\"",
       "\"bins\":[],\"max_ns\":10000000000,\"policy\":\"header\""},  // what silence says
  };
  for (const auto& [from, to] : changes) {
    EXPECT_FALSE(parse_signed_descriptor(as_bytes(damaged(text, from, to)))) << from << " " << to;
  }
}

TEST(Descriptor, HasRoomForAllThatItMayState) {
  auto descriptor = descriptor_of(1, 100, {true, true, true});
  descriptor.delay = {DelayPolicy::max, {}, 60s};
  for (int i = 0; i < 8; ++i) descriptor.delay.bins.push_back({59s + 999'999'990ns, 60s, 4'294'967'295U});
  descriptor.vrf_proofs = {{97, {}}, {98, {}}};
  descriptor.operator_name = std::string(limits::operator_bytes_max, 'o');
  descriptor.software = std::string(limits::software_bytes_max, 's');
  descriptor.profiles = {"a", "b", "n2048", "nreg"};
  EXPECT_TRUE(sign(descriptor, key_of(1)));
  descriptor.delay.bins.push_back({0ms, 1ms, 1});
  EXPECT_FALSE(sign(descriptor, key_of(1)));
}

TEST(Descriptor, DoesNotVerifyWhenAnythingIsChanged) {
  const auto text = to_json(good());
  for (const auto& [from, to] : {std::pair{"\"capacity_pps\":1000", "\"capacity_pps\":1001"},
                                 {"8443", "8444"},
                                 {"\"sequence\":1,", "\"sequence\":2,"},
                                 {"\"mix\"", "\"gateway\""}}) {
    const auto read = parse_signed_descriptor(as_bytes(damaged(text, from, to)));
    ASSERT_TRUE(read.has_value()) << from;
    EXPECT_FALSE(verify(*read)) << from;
  }
  auto other = good();
  other.signature = sign(descriptor_of(1, 100), key_of(2))->signature;  // signed by another node's key
  EXPECT_FALSE(verify(other));
}

TEST(Descriptor, RefusesAKeyThatIsNotTheIds) {
  const auto mine = to_json(good());
  const auto id = descriptor_of(1, 100).id().name();
  const auto read = parse_signed_descriptor(as_bytes(damaged(mine, id, descriptor_of(2, 100).id().name())));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::malformed);
}

TEST(Descriptor, RefusesWhatBreaksItsRules) {
  const auto text = to_json(good());
  const std::vector<std::pair<std::string, std::string>> changes{
      {"\"capacity_pps\":1000", "\"capacity_pps\":0"},
      {"\"capacity_pps\":1000", "\"capacity_pps\":100000001"},
      {"\"capacity_pps\":1000", "\"capacity_pps\":\"1000\""},
      {"\"capacity_pps\":1000", "\"capacity_pps\":1000,\"capacity_qps\":1"},
      {"\"sequence\":1,", "\"sequence\":-1,"},
      {"\"sequence\":1,", "\"sequence\":9007199254740992,"},
      {"\"sequence\":1,", ""},
      {"\"roles\":[\"mix\"]", "\"roles\":[]"},
      {"\"roles\":[\"mix\"]", "\"roles\":[\"mix\",\"mix\"]"},
      {"\"roles\":[\"mix\"]", "\"roles\":[\"king\"]"},
      {"\"roles\":[\"mix\"]", "\"roles\":[1]"},
      {"\"profiles\":[\"n2048\"]", "\"profiles\":[\"nreg\",\"n2048\"]"},
      {"\"profiles\":[\"n2048\"]", "\"profiles\":[\"N2048\"]"},
      {"\"profiles\":[\"n2048\"]", "\"profiles\":[]"},
      {"\"mix_address\":\"10.1.0.1:9001\"", "\"mix_address\":\"host.example:9001\""},
      {"\"mix_address\":\"10.1.0.1:9001\"", "\"mix_address\":\"10.1.0.1:09001\""},
      {"\"mix_address\":\"10.1.0.1:9001\"", "\"mix_address\":\"10.1.0.1:0\""},
      {"\"mix_address\":\"10.1.0.1:9001\"", "\"mix_address\":\"[0:0::1]:9001\""},
      {"\"link\":\"10.1.0.1:8443\"", "\"link\":\"\""},
      {"{\"epoch\":101,", "{\"epoch\":105,"},
      {"{\"epoch\":100,", "{\"epoch\":101,"},
      {"\"operator\":\"operator 1\"", "\"operator\":\"" + std::string(65, 'x') + "\""},
      {"\"vrf_proofs\":[]", "\"vrf_proofs\":[{\"epoch\":99,\"proof\":\"AA\"}]"},
      {"\"signature\":\"", "\"signature\":\"A"},
  };
  for (const auto& [from, to] : changes) {
    EXPECT_FALSE(parse_signed_descriptor(as_bytes(damaged(text, from, to))).has_value()) << from << " " << to;
  }
}

TEST(Descriptor, IsNotSignedWhenNobodyWouldTakeIt) {
  const auto refused = [](auto change) {
    auto descriptor = descriptor_of(1, 100);
    change(descriptor);
    return !sign(std::move(descriptor), key_of(1)).has_value();
  };
  EXPECT_FALSE(refused([](Descriptor&) {}));
  EXPECT_TRUE(refused([](Descriptor& d) { d.operator_name = "\xff"; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.software = std::string(65, 'x'); }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.capacity_pps = ~std::uint64_t{0}; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.mix_address = {}; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.sphinx_keys.clear(); }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.vrf_key = d.key; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.vrf_proofs = {{100, {}}}; }));  // of an epoch not over
}

TEST(Descriptor, RefusesMoreThanItsBound) {
  const auto text = to_json(good());
  EXPECT_FALSE(
      parse_signed_descriptor(as_bytes(std::string(limits::descriptor_bytes_max, ' ') + text)).has_value());
  EXPECT_FALSE(parse_signed_descriptor(as_bytes(text + " ")).has_value());
  EXPECT_LT(text.size(), 1'200U);  // so that a document of 1,024 nodes fits its bound
}

}  // namespace
}  // namespace village::mix
