// The directory over HTX: an authority without an HTTP port, asked by streams of its peers.
#include "service/mix_directory_streams.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>

#include "mix/directory_world.hpp"
#include "service/mix_http.hpp"
#include "tunnel_world.hpp"
#include "village/mix/authority.hpp"
#include "village/net/clock.hpp"
#include "village/service/mix_node.hpp"

namespace village {
namespace {

using service::MixAuthorityEntry;
using service::MixHttpReply;
using service::MixHttpRequest;
using test::clients;
using test::servers;

/// HiddenAuthority is a node of two cores: peers come in on one, the authority lives on the other.
class HiddenAuthority : public testing::Test {
 protected:
  HiddenAuthority() {
    world_.listens(front_, service::Outer::none);
    world_.knows(front_, friend_, true);
    for (auto* node : {&friend_, &listed_, &stranger_}) world_.knows(*node, front_, false);
    for (auto* node : {&front_, &home_, &friend_, &listed_, &stranger_}) world_.start(*node);
    auto options = std::make_shared<service::MixOptions>();
    options->identity = front_.identity;
    options->roles = {service::MixRole::authority};
    options->keys_path = world_.folder() + "/authority-mix";
    options->directory.authorities = {entry()};
    options->directory.admitted = {listed_.identity->public_key};
    epochs_ = options->epochs;
    service::MixNode::Setup setup;
    setup.ends = {{&world_.runtime().core(clients), home_.tunnel.get()},
                  {&world_.runtime().core(servers), front_.tunnel.get()}};
    setup.options = options;
    setup.peers = front_.options->peers;
    setup.software = "test";
    setup.use_peers = [this](const std::vector<service::TunnelPeer>& peers) {
      auto changed = std::make_shared<service::TunnelOptions>(*front_.options);
      for (const auto& peer : peers) changed->peers.push_back(peer);
      boost::asio::post(world_.runtime().core(servers).io(),
                        [this, changed] { front_.tunnel->reload(changed); });
    };
    world_.run(clients, [&](net::Core&) -> test::asio_void {
      // The core runs already, and both draw from its randomness.
      mix_ = std::make_unique<service::MixNode>(std::move(setup));
      EXPECT_EQ(mix_->open(), "");
      mix_->start();
      co_return;
    });
  }
  ~HiddenAuthority() override {
    world_.run(clients, [this](net::Core& core) -> test::asio_void {
      co_await mix_->drain(net::after(core, std::chrono::seconds{1}));
    });
    for (auto* node : {&front_, &home_, &friend_, &listed_, &stranger_}) world_.stop(*node);
  }

  MixAuthorityEntry entry() const { return {"hidden", front_.identity->public_key, front_.address}; }

  /// ask sends a request as one of the nodes that know the authority as a peer.
  Result<MixHttpReply> ask(test::Node& from, MixHttpRequest request,
                           Duration within = std::chrono::seconds{20}) {
    return world_.run(clients, [&](net::Core& core) -> net::Task<MixHttpReply> {
      service::MixStreamDialer way{*from.tunnel, front_.name};
      net::TcpDialer nowhere{core};
      const service::MixHtxWay htx = [&](const crypto::Ed25519Public& of) -> net::Dialer* {
        return of == front_.identity->public_key ? &way : nullptr;
      };
      auto reply = co_await service::ask_authority(core, nowhere, htx, entry(), request, 1 << 20,
                                                   net::after(core, within));
      co_return reply;
    });
  }
  static MixHttpRequest get(const std::string& path) { return {"GET", path, {}, {}}; }

  test::TunnelWorld world_;
  test::Node& front_ = world_.node("front", servers);
  test::Node& home_ = world_.node("home", clients);
  test::Node& friend_ = world_.node("friend", clients);
  test::Node& listed_ = world_.node("listed", clients);
  test::Node& stranger_ = world_.node("stranger", clients);
  mix::Epochs epochs_;
  std::unique_ptr<service::MixNode> mix_;
};

TEST_F(HiddenAuthority, AnswersItsPeersByHtx) {
  const auto none = ask(friend_, get("/mixdir/v1/document/5"));
  ASSERT_TRUE(none) << name(none.error().code);
  EXPECT_EQ(none->status, 404U);
  EXPECT_TRUE(none->time) << "its clock";
  const auto unknown = ask(friend_, get("/"));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->status, 404U);
  const auto odd = ask(friend_, {"PUT", "/mixdir/v1/descriptor", "{}", {}});
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->status, 400U);
}

TEST_F(HiddenAuthority, LetsThoseInWhomItLists) {
  const auto epoch = epochs_.at(net::SystemClock{}.wall());
  const auto made = mix::sign(mix::test::descriptor_of(1, epoch), *listed_.identity);
  ASSERT_TRUE(made);
  const auto put = ask(listed_, {"PUT", "/mixdir/v1/descriptor", to_json(*made), {}});
  ASSERT_TRUE(put) << name(put.error().code);
  EXPECT_EQ(put->status, 200U);
  const auto forged = mix::sign(mix::test::descriptor_of(2, epoch), *stranger_.identity);
  const auto refused = ask(listed_, {"PUT", "/mixdir/v1/descriptor", to_json(*forged), {}});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403U) << "not on the list";
}

TEST_F(HiddenAuthority, KeepsStrangersOut) {
  EXPECT_FALSE(ask(stranger_, get("/mixdir/v1/document/5"), std::chrono::milliseconds{500}));
}

TEST(MixDirectoryStreams, APeerIsANetworkOfItsOwn) {
  const auto a = service::network_of_peer(mix::test::key_of(1).public_key);
  const auto b = service::network_of_peer(mix::test::key_of(2).public_key);
  EXPECT_EQ(a, service::network_of_peer(mix::test::key_of(1).public_key));
  EXPECT_NE(std::get<Ipv6Address>(a)[1], std::get<Ipv6Address>(b)[1]);
  EXPECT_EQ(std::get<Ipv6Address>(a)[0], std::byte{0xfd});
}

}  // namespace
}  // namespace village
