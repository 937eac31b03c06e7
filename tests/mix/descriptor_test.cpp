#include "village/mix/descriptor.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"

namespace village::mix {
namespace {

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
