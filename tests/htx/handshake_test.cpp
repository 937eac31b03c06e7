#include "village/htx/handshake.hpp"

#include <gtest/gtest.h>

#include "village/htx/session.hpp"
#include "village/htx/suite.hpp"

namespace village::htx {
namespace {

struct Keys {
  SeededRandom random{11};
  crypto::Ed25519KeyPair client = crypto::Ed25519KeyPair::generate(random);
  crypto::Ed25519KeyPair server = crypto::Ed25519KeyPair::generate(random);
};

Bytes flight(Handshake& from) {
  Bytes out(8'192);
  out.resize(from.poll_transmit(out));
  return out;
}

HandshakeSettings settings(Suite suite, std::size_t padding = 0, std::uint8_t psk = 9) {
  HandshakeSettings result;
  result.padding_bytes = padding;
  if (suite == Suite::xkpsk3_chacha_sha256) {
    result.psk.emplace();
    result.psk->fill()[0] = std::byte{psk};
  }
  return result;
}

class EverySuite : public testing::TestWithParam<Suite> {};
INSTANTIATE_TEST_SUITE_P(Handshake, EverySuite,
                         testing::Values(Suite::xk_chacha_sha256, Suite::xk_chacha_blake2s,
                                         Suite::xk_aesgcm_sha256, Suite::ik_chacha_sha256,
                                         Suite::xkpsk3_chacha_sha256));

TEST_P(EverySuite, GivesBothSidesTheSameKeys) {
  Keys keys;
  auto client = Handshake::initiator(keys.client, keys.server.public_key, GetParam(), {},
                                     settings(GetParam(), 100), keys.random);
  ASSERT_TRUE(client);
  auto server = Handshake::responder(keys.server, {GetParam()}, {}, settings(GetParam()), keys.random);
  for (int i = 0; i < 3 && !(client->done() && server.done()); ++i) {
    const auto there = flight(*client);
    const auto used = server.receive(there);
    ASSERT_TRUE(used) << name(used.error().code);
    EXPECT_EQ(*used, there.size());
    const auto back = flight(server);
    const auto used_back = client->receive(back);
    ASSERT_TRUE(used_back) << name(used_back.error().code);
    EXPECT_EQ(*used_back, back.size());
  }
  ASSERT_TRUE(client->done() && server.done());
  const auto a = client->finish(), b = server.finish();
  EXPECT_EQ(a.peer_key, keys.server.public_key);
  EXPECT_EQ(b.peer_key, keys.client.public_key);
  EXPECT_EQ(a.handshake_hash, b.handshake_hash);
  EXPECT_TRUE(equal(a.client_to_server, b.client_to_server));
  EXPECT_TRUE(equal(a.server_to_client, b.server_to_client));
  EXPECT_FALSE(equal(a.server_to_client, a.client_to_server));
  EXPECT_EQ(a.algorithm, suite_info(GetParam())->algorithm);
}

}  // namespace
}  // namespace village::htx
