#include "mix/node_book.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"
#include "village/mix/authority.hpp"
#include "village/mix/directory_limits.hpp"

namespace village::mix {
namespace {

using By = NodeBook::By;
constexpr Epoch now = 99;

AuthorityOptions open_options() {
  AuthorityOptions options;
  options.epochs = test::test_epochs;
  options.open = true;
  return options;
}

/// node number `n` at 20.network/256.network%256.n.
Descriptor node_at(std::uint64_t n, std::uint64_t network) {
  static const auto pattern = test::descriptor_of(1, now);
  auto out = pattern;
  const Ipv4Address address{std::byte(20 + network / 256), std::byte(network % 256), std::byte(n / 256),
                            std::byte(n % 256)};
  out.mix_address = sphinx::node_address(address, 9001);
  return out;
}
SignedDescriptor signed_by(std::uint64_t n, Descriptor descriptor) {
  return *sign(std::move(descriptor), test::key_of(n));
}
Host host_of(const SignedDescriptor& said) { return sphinx::target_of(said.descriptor.mix_address)->host; }
Errc code(const Result<void>& result) { return result ? Errc::internal : result.error().code; }

/// Book is a NodeBook that hears nodes from where they say they are.
struct Book : NodeBook {
  explicit Book(const AuthorityOptions& options) : NodeBook{options} {}
  Result<void> hear(const SignedDescriptor& said) { return learn(said, By::node, host_of(said), now); }
  bool knows(std::uint64_t n) const { return nodes().contains(wire::NodeId::of(test::key_of(n).public_key)); }
};

TEST(NodeBook, TakesNobodyThatIsNotNamedUnlessItIsOpen) {
  AuthorityOptions options;
  Book book{options};
  EXPECT_EQ(code(book.hear(signed_by(1, node_at(1, 0)))), Errc::denied);
  EXPECT_TRUE(book.nodes().empty());
}

TEST(NodeBook, TakesAStrangerFromItsOwnAddressOnly) {
  Book book{open_options()};
  const auto said = signed_by(1, node_at(1, 0));
  EXPECT_EQ(code(book.learn(said, By::node, Host{Ipv4Address{}}, now)), Errc::denied);
  EXPECT_EQ(code(book.learn(said, By::node, {}, now)), Errc::denied);
  EXPECT_EQ(code(book.learn(said, By::vote, {}, now)), Errc::denied);
  EXPECT_TRUE(book.hear(said));
  EXPECT_TRUE(book.learn(signed_by(2, node_at(2, 0)), By::votes, {}, now));
}

TEST(NodeBook, GivesAnAdmittedNodeItsAddressBack) {
  auto options = open_options();
  const auto admitted = signed_by(1, node_at(1, 0));
  options.admitted.push_back(admitted.descriptor.id());
  Book book{options};
  ASSERT_TRUE(book.hear(signed_by(2, node_at(1, 0))));  // from behind the same address
  EXPECT_TRUE(book.learn(admitted, By::node, {}, now));
  EXPECT_TRUE(book.knows(1));
  EXPECT_FALSE(book.knows(2));
  EXPECT_EQ(code(book.hear(signed_by(2, node_at(1, 0)))), Errc::already_exists);
}

TEST(NodeBook, TakesFewStrangersOfOneNetwork) {
  Book book{open_options()};
  std::uint64_t n = 0;
  while (++n <= limits::open_network_nodes_max) EXPECT_TRUE(book.hear(signed_by(n, node_at(n, 0))));
  EXPECT_EQ(code(book.hear(signed_by(n, node_at(n, 0)))), Errc::busy);
  EXPECT_TRUE(book.hear(signed_by(n, node_at(n, 1))));
  auto renewed = node_at(1, 0);
  renewed.sequence = 2;
  EXPECT_TRUE(book.hear(signed_by(1, renewed)));
  auto moved = node_at(n, 0);
  moved.sequence = 2;
  EXPECT_EQ(code(book.hear(signed_by(n, moved))), Errc::busy);
  auto left = node_at(1, 2);
  left.sequence = 3;
  EXPECT_TRUE(book.hear(signed_by(1, left)));
  EXPECT_TRUE(book.hear(signed_by(n, moved)));  // there is a place now
}

TEST(NodeBook, TakesNoStrangerThatClaimsMostOfTheTraffic) {
  Book book{open_options()};
  auto big = node_at(1, 0);
  big.capacity_pps = limits::open_capacity_pps_max + 1;
  EXPECT_EQ(code(book.hear(signed_by(1, big))), Errc::denied);
  big.capacity_pps = limits::open_capacity_pps_max;
  EXPECT_TRUE(book.hear(signed_by(1, big)));
}

TEST(NodeBook, IsNotFilledByTheOwnerOfFewNetworks) {
  auto options = open_options();
  options.admitted.push_back(test::descriptor_of(9'000, now).id());
  Book book{options};
  // An attacker takes every place from networks 0 to 127.
  const auto places = limits::nodes_max - 1;
  for (std::uint64_t n = 1; n <= places; ++n) ASSERT_TRUE(book.hear(signed_by(n, node_at(n, n % 128))));
  const auto last_of = [&](std::uint64_t network) {
    std::uint64_t last = 0;
    for (std::uint64_t n = 1; n <= places; ++n)
      if (n % 128 == network) last = n;
    return last;
  };
  // From a network of its own a newcomer gets a place, that of the newest of a crowd.
  ASSERT_TRUE(book.hear(signed_by(5'000, node_at(1, 500))));
  EXPECT_EQ(book.nodes().size(), places);
  std::uint64_t gone = 0;
  for (std::uint64_t n = 1; n <= places; ++n) gone += book.knows(n) ? 0 : n;
  EXPECT_EQ(gone, last_of(gone % 128));
  // The attacker does not get it back: its networks are the crowded ones.
  EXPECT_FALSE(book.hear(signed_by(gone, node_at(gone, gone % 128))));
  EXPECT_TRUE(book.knows(5'000));
  // Who is known stays so, and who is named has a place.
  auto renewed = node_at(1, 1);
  renewed.sequence = 2;
  EXPECT_TRUE(book.hear(signed_by(1, renewed)));
  EXPECT_TRUE(book.hear(signed_by(9'000, test::descriptor_of(9'000, now))));
  EXPECT_EQ(book.nodes().size(), limits::nodes_max);
}

TEST(NodeBook, ForgetsThePlacesOfThoseWhoseKeysAreOver) {
  Book book{open_options()};
  for (std::uint64_t n = 1; n <= limits::open_network_nodes_max; ++n)
    ASSERT_TRUE(book.hear(signed_by(n, node_at(n, 0))));
  book.forget_expired(now + 2);
  EXPECT_TRUE(book.nodes().empty());
  EXPECT_TRUE(book.hear(signed_by(100, node_at(100, 0))));
}

}  // namespace
}  // namespace village::mix
