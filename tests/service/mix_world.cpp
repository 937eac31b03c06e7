#include "mix_world.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "village/net/clock.hpp"

namespace village::test {

using service::MixOptions;
using service::MixRole;

namespace {

constexpr auto wait_max = std::chrono::seconds{60};

wire::NodeId id_of(const Node& node) { return wire::NodeId::of(node.identity->public_key); }

}  // namespace

service::MixAddress MixMember::address() const { return {node->identity->public_key, gateway_id}; }

MixWorld::MixWorld(std::size_t mix_count) {
  parameters.delay_mean = std::chrono::milliseconds{5};
  parameters.client_mean = std::chrono::milliseconds{5};
  parameters.loop_mean = std::chrono::milliseconds{100};
  parameters.drop_mean = std::chrono::milliseconds{100};
  parameters.distinct_networks = false;
  for (std::size_t i = 0; i < mix_count; ++i)
    mixes.push_back(&add("mix" + std::to_string(i), test::servers, MixRole::mix));
  for (std::size_t i = 0; i < 2; ++i)
    gateways.push_back(&add("gate" + std::to_string(i), test::servers, MixRole::gateway));
  for (std::size_t i = 0; i < 2; ++i) {
    clients.push_back(&add("client" + std::to_string(i), test::clients, MixRole::client));
    clients[i]->gateway_id = id_of(*gateways[i]->node);
    clients[i]->options->gateway = gateways[i]->node->name;
    world_.knows(*clients[i]->node, *gateways[i]->node, false);
    world_.knows(*gateways[i]->node, *clients[i]->node, true);
    gateways[i]->options->clients.push_back({clients[i]->node->name, clients[i]->node->identity->public_key});
  }
}

MixMember& MixWorld::add(const std::string& name, std::size_t core, MixRole role) {
  auto& member = members_.emplace_back(
      MixMember{nullptr, nullptr, nullptr, wire::NodeId::of(crypto::Ed25519Public{}), 0});
  member.node = &world_.node(name, core);
  if (role != MixRole::client) world_.listens(*member.node, service::Outer::none);
  member.options = std::make_shared<MixOptions>();
  member.options->identity = member.node->identity;
  member.options->roles = {role};
  member.options->keys_path = world_.folder() + "/" + name + "-mix";
  member.options->cover.loop = std::chrono::milliseconds{100};
  member.options->delay.mean = parameters.delay_mean;
  return member;
}

void MixWorld::open(MixMember& member) {
  world_.start(*member.node);
  auto& node = *member.node;
  service::MixNode::Setup setup;
  setup.ends = {{&world_.runtime().core(node.core), node.tunnel.get()}};
  setup.options = member.options;
  setup.peers = node.options->peers;
  setup.address = node.address;
  setup.software = "test";
  setup.use_peers = [&node](std::vector<service::TunnelPeer> peers) {
    auto options = std::make_shared<service::TunnelOptions>(*node.options);
    for (auto& peer : peers) {
      std::erase_if(options->peers, [&](const auto& each) { return each.key == peer.key; });
      options->peers.push_back(std::move(peer));
    }
    node.tunnel->reload(options);
  };
  world_.run(node.core, [&](net::Core&) -> asio_void {
    // The core runs already, and both draw from its randomness.
    member.mix = std::make_unique<service::MixNode>(std::move(setup));
    EXPECT_EQ(member.mix->open(), "");
    member.mix->start();
    co_return;
  });
}

std::shared_ptr<const mix::MixView> MixWorld::view(mix::Epoch epoch) {
  mix::Document document;
  document.epoch = epoch;
  document.parameters = parameters;
  const auto& epochs = members_.front().options->epochs;
  document.valid_from = epochs.start(epoch);
  document.valid_until = epochs.end(epoch);
  for (auto* list : {&mixes, &gateways}) {
    for (auto* member : *list) {
      if (!member->mix) continue;
      auto described = world_.run(member->node->core, [&](net::Core&) -> net::Task<mix::SignedDescriptor> {
        co_return member->mix->describe(epoch);
      });
      EXPECT_TRUE(described);
      if (described) document.nodes.push_back(std::move(described->descriptor));
    }
  }
  std::sort(document.nodes.begin(), document.nodes.end(),
            [](const auto& a, const auto& b) { return a.id() < b.id(); });
  return mix::MixView::make(document);
}

void MixWorld::use_views(std::vector<std::shared_ptr<const mix::MixView>> views) {
  for (auto& member : members_) {
    if (!member.mix) continue;
    world_.run(member.node->core, [&](net::Core&) -> asio_void {
      member.mix->use_views(views);
      co_return;
    });
  }
}

void MixWorld::start() {
  for (auto& member : members_) open(member);
  const auto epoch = members_.front().options->epochs.at(net::SystemClock{}.wall());
  use_views({view(epoch)});
}

void MixWorld::stop(MixMember& member) {
  if (!member.mix) return;
  auto& node = *member.node;
  world_.run(node.core, [&](net::Core& core) -> asio_void {
    co_await member.mix->drain(net::after(core, std::chrono::seconds{1}));
  });
  world_.stop(node);
  member.mix.reset();
}

MixWorld::~MixWorld() {
  for (auto& member : members_) stop(member);
}

Result<std::string> MixWorld::send(MixMember& from, const service::MixOutgoing& out) {
  return world_.run(from.node->core, [&](net::Core&) { return service::mix_send(*from.mix, out); });
}

std::optional<service::MixIncoming> MixWorld::receive(MixMember& at, Duration wait) {
  auto received = world_.run(
      at.node->core, [&](net::Core&) { return service::mix_receive(*at.mix, at.received_upto, wait); });
  if (!received || received->empty()) return std::nullopt;
  at.received_upto = received->front().sequence;
  return std::move(received->front());
}

service::MixFate MixWorld::fate(MixMember& of, const std::string& id) {
  return world_.run(of.node->core, [&](net::Core&) -> boost::asio::awaitable<service::MixFate> {
    co_return service::mix_fate(*of.mix, id);
  });
}

service::MixStatus MixWorld::status(MixMember& of) {
  auto status = world_.run(of.node->core, [&](net::Core&) { return of.mix->status(); });
  return status ? *std::move(status) : service::MixStatus{};
}

bool MixWorld::until(std::function<bool()> condition) {
  const auto end = std::chrono::steady_clock::now() + wait_max;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return true;
}

}  // namespace village::test
