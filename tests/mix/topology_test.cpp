#include "village/mix/topology.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "mix/directory_world.hpp"
#include "support/statistics.hpp"

namespace village::mix {
namespace {

using test::document_of;

const NodeEntry& a_gateway(const MixView& view) { return *view.gateways().front(); }

TEST(MixView, FindsNodesByIdAndAddress) {
  const auto document = document_of(100, 9, 2);
  const auto view = MixView::make(document);
  ASSERT_EQ(view->nodes().size(), 11U);
  for (const auto& node : document.nodes) {
    const auto* found = view->find(node.id());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found, view->find(node.mix_address));
    EXPECT_EQ(found->key, node.key);
    EXPECT_EQ(found->sphinx_key, *node.sphinx_key(100));
    EXPECT_EQ(found->address, node.link);
  }
  EXPECT_EQ(view->find(test::descriptor_of(99, 100).id()), nullptr);
  EXPECT_EQ(view->find(sphinx::NodeAddress{}), nullptr);
}

TEST(MixView, DealsMixesToLayersOfEqualCapacity) {
  auto document = document_of(100, 30, 3);
  std::uint64_t largest = 0;
  for (std::size_t i = 0; i < document.nodes.size(); ++i) {
    document.nodes[i].capacity_pps = 100 + i * i * 10;
    largest = std::max(largest, document.nodes[i].capacity_pps);
  }
  const auto view = MixView::make(document);
  std::set<const NodeEntry*> seen;
  std::vector<std::uint64_t> sums;
  for (std::size_t layer = 1; layer <= mix_layers; ++layer) {
    sums.push_back(0);
    for (const auto* node : view->layer(layer)) {
      EXPECT_EQ(node->layer, layer);
      EXPECT_TRUE(seen.insert(node).second);
      sums.back() += node->capacity_pps;
    }
  }
  EXPECT_EQ(seen.size(), 30U);
  EXPECT_EQ(view->gateways().size(), 3U);
  for (const auto* node : view->gateways()) EXPECT_EQ(node->layer, 0);
  EXPECT_LE(*std::max_element(sums.begin(), sums.end()) - *std::min_element(sums.begin(), sums.end()),
            largest);
}

TEST(MixView, DrawsLayersFromTheRandomnessAlone) {
  auto document = document_of(100, 9, 1);
  const auto id = document.nodes.front().roles.mix ? document.nodes[0].id() : document.nodes[1].id();
  EXPECT_EQ(MixView::make(document)->find(id)->layer, MixView::make(document)->find(id)->layer);
  std::vector<double> seen(mix_layers, 0);
  SeededRandom random{4};
  constexpr int draws = 3'000;
  for (int i = 0; i < draws; ++i) {
    random.fill(document.randomness);
    ++seen[MixView::make(document)->find(id)->layer - 1U];
  }
  EXPECT_GT(village::test::chi_square_p(seen, std::vector<double>(mix_layers, draws / 3.0)), 1e-4);
}

TEST(MixView, PutsAMixThatIsAGatewayIntoBoth) {
  auto document = document_of(100, 3, 1);
  for (auto& node : document.nodes) node.roles = {true, true, false};
  const auto view = MixView::make(document);
  EXPECT_EQ(view->gateways().size(), 4U);
  for (const auto* node : view->gateways()) EXPECT_GT(node->layer, 0);
}

TEST(ChoosePath, GoesThroughTheLayersToTheRecipient) {
  const auto view = MixView::make(document_of(100, 12, 3));
  SeededRandom random{1};
  for (int i = 0; i < 1'000; ++i) {
    const auto path = choose_path(*view, a_gateway(*view).id, random);
    ASSERT_TRUE(path.has_value());
    ASSERT_EQ(path->size(), 4U);
    for (std::size_t hop = 0; hop < 3; ++hop) EXPECT_EQ((*path)[hop]->layer, hop + 1);
    EXPECT_EQ(path->back(), &a_gateway(*view));
  }
}

TEST(ChoosePath, HasAsManyHopsAsAsked) {
  const auto view = MixView::make(document_of(100, 12, 3));
  SeededRandom random{1};
  const auto recipient = a_gateway(*view).id;
  for (std::size_t hops = 1; hops <= 5; ++hops) {
    const auto path = choose_path(*view, recipient, random, {hops, {}, {}, true, {}});
    ASSERT_TRUE(path.has_value()) << hops;
    EXPECT_EQ(path->size(), hops);
    EXPECT_EQ(path->back()->id, recipient);
    EXPECT_EQ(std::set<const NodeEntry*>(path->begin(), path->end()).size(), hops);
  }
  const auto entry = view->gateways()[1]->id;
  const auto path = choose_path(*view, recipient, random, {5, entry, {}, true, {}});
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->front()->id, entry);
  EXPECT_EQ((*path)[1]->layer, 1);
  for (const std::size_t hops : {0U, 6U}) {
    EXPECT_EQ(choose_path(*view, recipient, random, {hops, {}, {}, true, {}}).error().code,
              Errc::bad_argument);
  }
}

TEST(ChoosePath, LeadsAMixBackToItselfWithoutMeetingItTwice) {
  const auto view = MixView::make(document_of(100, 6, 1));
  SeededRandom random{1};
  for (const auto* self : view->layer(2)) {
    for (int i = 0; i < 100; ++i) {
      const auto path = choose_path(*view, self->id, random);
      ASSERT_TRUE(path.has_value());
      EXPECT_EQ(std::count(path->begin(), path->end(), self), 1);
      EXPECT_EQ(path->back(), self);
    }
  }
}

TEST(ChoosePath, NeverUsesAnOperatorOrANetworkTwice) {
  auto document = document_of(100, 30, 3);
  for (std::size_t i = 0; i < document.nodes.size(); ++i) {
    document.nodes[i].operator_name = "operator " + std::to_string(i % 7);
    const auto port = static_cast<std::uint16_t>(9'000 + i);
    document.nodes[i].mix_address =
        sphinx::node_address(Ipv4Address{std::byte{10}, std::byte(i % 8), std::byte(i), std::byte{1}}, port);
  }
  const auto view = MixView::make(document);
  SeededRandom random{2};
  for (int i = 0; i < 2'000; ++i) {
    const auto path = choose_path(*view, view->gateways()[static_cast<std::size_t>(i) % 3]->id, random);
    ASSERT_TRUE(path.has_value());
    std::set<std::string> operators;
    for (const auto* a : *path) {
      operators.insert(a->operator_name);
      for (const auto* b : *path) EXPECT_TRUE(a == b || !is_same_network(a->mix_address, b->mix_address));
    }
    EXPECT_EQ(operators.size(), path->size());
  }
}

TEST(ChoosePath, KeepsApartFromTheGatewayThatSeesThePacketFirst) {
  auto document = document_of(100, 9, 2);
  for (auto& node : document.nodes) node.roles.gateway = true;
  document.parameters.distinct_networks = false;
  const auto& own = document.nodes[0];
  document.nodes[1].operator_name = document.nodes[0].operator_name = "one";
  const auto view = MixView::make(document);
  SeededRandom random{5};
  PathOptions options;
  options.apart_from = own.id();
  for (int i = 0; i < 300; ++i) {
    const auto path = choose_path(*view, document.nodes[2].id(), random, options);
    ASSERT_TRUE(path.has_value());
    for (const auto* hop : *path) EXPECT_NE(hop->operator_name, "one");
  }
  EXPECT_TRUE(choose_path(*view, own.id(), random, options).has_value());  // may be the recipient
  options.apart_from = test::descriptor_of(99, 100).id();
  EXPECT_TRUE(choose_path(*view, own.id(), random, options).has_value());
}

TEST(ChoosePath, WeighsNodesByTheirCapacity) {
  auto document = document_of(100, 12, 1);
  SeededRandom capacities{3};
  for (auto& node : document.nodes) node.capacity_pps = 100 + capacities.below(1'000);
  const auto view = MixView::make(document);
  SeededRandom random{5};
  constexpr int draws = 20'000;
  std::map<const NodeEntry*, double> seen;
  for (int i = 0; i < draws; ++i) {
    const auto path = choose_path(*view, a_gateway(*view).id, random);
    ASSERT_TRUE(path.has_value());
    for (const auto* hop : *path) ++seen[hop];
  }
  for (std::size_t layer = 1; layer <= mix_layers; ++layer) {
    double sum = 0;
    for (const auto* node : view->layer(layer)) sum += static_cast<double>(node->capacity_pps);
    std::vector<double> counted, expected;
    for (const auto* node : view->layer(layer)) {
      counted.push_back(seen[node]);
      expected.push_back(draws * static_cast<double>(node->capacity_pps) / sum);
    }
    EXPECT_GT(village::test::chi_square_p(counted, expected), 1e-4) << layer;
  }
}

TEST(ChoosePath, FindsTheOnlyWayThereIs) {
  // 40 nodes a layer of one operator, and one of another in each layer.
  auto document = document_of(100, 123, 1);
  for (auto& node : document.nodes) {
    node.operator_name = "one";
    node.capacity_pps = 100'000;
  }
  const auto spread = MixView::make(document);
  for (std::size_t layer = 1; layer <= mix_layers; ++layer) {
    for (auto& node : document.nodes) {
      if (node.id() == spread->layer(layer)[7]->id) node.operator_name = "other " + std::to_string(layer);
    }
  }
  const auto view = MixView::make(document);  // the capacities are as before, so the layers are
  SeededRandom random{6};
  const auto path = choose_path(*view, a_gateway(*view).id, random);
  ASSERT_TRUE(path.has_value()) << directory_problem(path.error());
  for (std::size_t hop = 0; hop < 3; ++hop) {
    EXPECT_EQ((*path)[hop]->operator_name, "other " + std::to_string(hop + 1));
  }
}

TEST(ChoosePath, NamesTheRuleThatADocumentIsTooSmallFor) {
  auto document = document_of(100, 6, 1);
  SeededRandom random{7};
  auto view = MixView::make(document);
  EXPECT_EQ(choose_path(*view, test::descriptor_of(99, 100).id(), random).error().code, Errc::not_found);
  for (auto& node : document.nodes) node.operator_name = "one";
  view = MixView::make(document);
  const auto gateway = a_gateway(*view).id;
  EXPECT_EQ(choose_path(*view, gateway, random).error(), fail(Errc::denied, 1));
  EXPECT_NE(directory_problem(fail(Errc::denied, 1)).find("operator"), std::string::npos);
  EXPECT_TRUE(choose_path(*view, gateway, random, {{}, {}, {}, false, {}}).has_value());
  const auto few = MixView::make(document_of(100, 2, 1));  // one layer stays empty
  const auto path = choose_path(*few, a_gateway(*few).id, random);
  ASSERT_FALSE(path.has_value());
  EXPECT_EQ(path.error().code, Errc::exhausted);
  EXPECT_TRUE(few->layer(path.error().detail).empty());
}

TEST(ChoosePath, IgnoresNetworksWhereTheDocumentSaysSo) {
  auto document = document_of(100, 6, 1);
  std::uint16_t port = 9'000;
  for (auto& node : document.nodes) {
    node.mix_address = sphinx::node_address(Ipv4Address{std::byte{127}, {}, {}, std::byte{1}}, ++port);
    node.operator_name.clear();  // nodes that name no operator share none
  }
  SeededRandom random{8};
  auto view = MixView::make(document);
  EXPECT_EQ(choose_path(*view, a_gateway(*view).id, random).error().code, Errc::denied);
  EXPECT_TRUE(choose_path(*view, a_gateway(*view).id, random, {{}, {}, {}, true, false}).has_value());
  document.parameters.distinct_networks = false;
  view = MixView::make(document);
  EXPECT_TRUE(choose_path(*view, a_gateway(*view).id, random).has_value());
  EXPECT_FALSE(choose_path(*view, a_gateway(*view).id, random, {{}, {}, {}, true, true}).has_value());
}

TEST(SameNetwork, ComparesSixteenBitsOfIpv4AndThirtyTwoOfIpv6) {
  const auto v4 = [](unsigned a, unsigned b) {
    return sphinx::node_address(Ipv4Address{std::byte{10}, std::byte(a), std::byte(b), {}}, 1);
  };
  EXPECT_TRUE(is_same_network(v4(1, 2), v4(1, 3)));
  EXPECT_FALSE(is_same_network(v4(1, 2), v4(2, 2)));
  Ipv6Address one{std::byte{0x20}, std::byte{1}, std::byte{4}, std::byte{5}, std::byte{6}}, two = one;
  two[4] = std::byte{7};
  EXPECT_TRUE(is_same_network(sphinx::node_address(one, 1), sphinx::node_address(two, 2)));
  two[3] = std::byte{7};
  EXPECT_FALSE(is_same_network(sphinx::node_address(one, 1), sphinx::node_address(two, 2)));
  EXPECT_FALSE(is_same_network(v4(1, 2), sphinx::node_address(one, 1)));
}

}  // namespace
}  // namespace village::mix
