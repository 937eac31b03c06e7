// Base64, base32, node ids and addresses: forms that people and other programs see.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/wire/base32.hpp"
#include "village/wire/base64.hpp"
#include "village/wire/node_id.hpp"
#include "village/wire/socks_address.hpp"

namespace village::wire {
namespace {

using test::hex;

Bytes random_bytes(SeededRandom& random, std::size_t size) {
  Bytes out(size);
  random.fill(out);
  return out;
}

TEST(Base64, MatchesRfc4648) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : examples) {
    EXPECT_EQ(base64(as_bytes(plain)), text);
    EXPECT_EQ(from_base64(text, 6).value(), to_bytes(plain));
  }
  EXPECT_EQ(base64(hex("fbffbf")), "+/+/");
  EXPECT_EQ(base64url(hex("fbffbf")), "-_-_");
}

TEST(Base64, IsStrict) {
  for (const char* bad :
       {"Zg", "Zg=", "Zg===", "Z===", "=", "====", "Zm 8=", "Zm8=\n", "Zm-8", "Zg==Zg==", "Zm9v="}) {
    EXPECT_EQ(from_base64(bad, 64).error().code, Errc::malformed) << bad;
  }
  EXPECT_EQ(from_base64("Zh==", 64).error().code, Errc::not_canonical);
  EXPECT_EQ(from_base64("Zm9=", 64).error().code, Errc::not_canonical);
  for (const char* bad : {"Z", "Zg==", "Zg=", "Zm9vY", "Z+", "Z\xC3"}) {
    EXPECT_EQ(from_base64url(bad, 64).error().code, Errc::malformed) << bad;
  }
  EXPECT_EQ(from_base64url("Zh", 64).error().code, Errc::not_canonical);
  EXPECT_EQ(from_base64url("Zm9vYg", 3).error().code, Errc::limit_exceeded);
  ByteArray<3> exact;
  EXPECT_TRUE(from_base64url("Zm9v", exact));
  EXPECT_FALSE(from_base64url("Zm9vYg", exact));
  EXPECT_FALSE(from_base64url("Zm8", exact));
}

TEST(Base32, MatchesRfc4648InLowerCaseWithoutPadding) {
  const std::pair<const char*, const char*> examples[] = {{"", ""},
                                                          {"f", "my"},
                                                          {"fo", "mzxq"},
                                                          {"foo", "mzxw6"},
                                                          {"foob", "mzxw6yq"},
                                                          {"fooba", "mzxw6ytb"},
                                                          {"foobar", "mzxw6ytboi"}};
  for (const auto& [plain, text] : examples) {
    EXPECT_EQ(base32(as_bytes(plain)), text);
    EXPECT_EQ(from_base32(text, 6).value(), to_bytes(plain));
  }
  for (const char* bad : {"m", "mzx", "mzxw6y", "MY", "my======", "m1", "mz xq"}) {
    EXPECT_EQ(from_base32(bad, 64).error().code, Errc::malformed) << bad;
  }
  EXPECT_EQ(from_base32("mz", 64).error().code, Errc::not_canonical);
  EXPECT_EQ(from_base32("mzxw6ytboi", 5).error().code, Errc::limit_exceeded);
}

TEST(Radix, RoundTripsEverySize) {
  SeededRandom random{2};
  for (std::size_t size = 0; size < 300; ++size) {
    const auto data = random_bytes(random, size);
    ASSERT_EQ(from_base64(base64(data), size).value(), data);
    ASSERT_EQ(from_base64url(base64url(data), size).value(), data);
    ASSERT_EQ(from_base32(base32(data), size).value(), data);
    ASSERT_EQ(base64(data).size() % 4, 0U);
    if (size > 0) {
      ASSERT_FALSE(from_base64url(base64url(data), size - 1));
      ASSERT_FALSE(from_base32(base32(data), size - 1));
    }
  }
}

crypto::Ed25519Public public_key(SeededRandom& random) {
  crypto::Ed25519Public key;
  random.fill(key);
  return key;
}

TEST(NodeId, NameRoundTripsAndEveryOtherLetterIsRefused) {
  SeededRandom random{3};
  const auto id = NodeId::of(public_key(random));
  const auto name = id.name();
  EXPECT_EQ(NodeId::parse(name).value(), id);
  for (std::size_t i = 0; i < name.size(); ++i) {
    EXPECT_FALSE(NodeId::parse(std::string_view{name}.substr(0, i)));
    for (const char other : std::string_view{"abcdefghijklmnopqrstuvwxyz234567ABN:=1 "}) {
      auto changed = name;
      changed[i] = other;
      if (changed == name) continue;
      EXPECT_FALSE(NodeId::parse(changed)) << changed;
    }
  }
  EXPECT_FALSE(NodeId::parse(name + "a"));
  EXPECT_FALSE(NodeId::parse(" " + name));
}

TEST(NodeId, ComparesAndHashes) {
  SeededRandom random{4};
  std::unordered_set<NodeId> nodes;
  std::unordered_set<PeerId> peers;
  for (int i = 0; i < 100; ++i) {
    const auto key = public_key(random);
    const auto peer = PeerId::of(key);
    EXPECT_EQ(peer.node_id(), NodeId::of(key));
    EXPECT_TRUE(nodes.insert(NodeId::of(key)).second);
    EXPECT_FALSE(nodes.insert(peer.node_id()).second);
    EXPECT_TRUE(peers.insert(peer).second);
  }
  const auto low = NodeId::from_bytes(ByteArray<20>{});
  EXPECT_LT(low, *nodes.begin());
}

TEST(PeerId, RefusesForeignPrefixAndUri) {
  SeededRandom random{5};
  const auto peer = PeerId::of(public_key(random));
  Bytes raw = to_bytes(ByteView{peer.view()});
  EXPECT_EQ(PeerId::from_bytes(raw).value(), peer);
  EXPECT_EQ(PeerId::parse_uri(peer.uri()).value(), peer);
  raw[1] = std::byte{0x21};
  EXPECT_FALSE(PeerId::from_bytes(raw));
  EXPECT_FALSE(PeerId::from_bytes(ByteView{peer.view()}.first(33)));
  EXPECT_FALSE(PeerId::parse_uri(peer.uri().substr(1)));
  EXPECT_FALSE(PeerId::parse_uri(peer.uri() + "00"));
  EXPECT_FALSE(PeerId::parse_uri("betanet://" + std::string(64, 'A')));
  EXPECT_TRUE(PeerId::parse_uri("betanet://" + std::string(64, 'a')));
}

TEST(NodeIdVectors, IdsJson) {
  VG_VECTORS(text, "htx/ids.json");
  std::size_t count = 0;
  const auto file = nlohmann::json::parse(text);
  for (const auto& v : file.at("vectors")) {
    const auto field = [&](const char* name) { return hex(v.at(name).get<std::string>()); };
    const Bytes seed = field("ed25519_seed");
    const auto pair = crypto::Ed25519KeyPair::from_seed(crypto::Ed25519Seed{std::span{seed}.first<32>()});
    EXPECT_EQ(to_hex(pair.public_key), v.at("ed25519_pub"));
    EXPECT_EQ(to_hex(crypto::x25519_public(pair.public_key).value()), v.at("x25519_pub"));
    EXPECT_EQ(to_hex(pair.x25519().public_key), v.at("x25519_pub"));
    const auto peer = PeerId::of(pair.public_key);
    const auto node = NodeId::of(pair.public_key);
    EXPECT_EQ(to_hex(peer.view()), v.at("peer_id"));
    EXPECT_EQ(to_hex(node.view()), v.at("node_id"));
    EXPECT_EQ(node.name(), v.at("name"));
    EXPECT_EQ(peer.uri(), v.at("uri"));
    EXPECT_EQ(NodeId::parse(v.at("name").get<std::string>()).value(), node);
    EXPECT_EQ(PeerId::parse_uri(v.at("uri").get<std::string>()).value(), peer);
    ++count;
  }
  EXPECT_GT(count, 0U);
}

Target random_target(SeededRandom& random) {
  const auto port = static_cast<std::uint16_t>(1 + random.below(65535));
  if (const auto kind = random.below(3); kind == 0) {
    Ipv4Address address;
    random.fill(address);
    return {address, port};
  } else if (kind == 1) {
    Ipv6Address address;
    random.fill(address);
    return {address, port};
  }
  std::string name(1 + random.below(255), 'x');
  for (auto& c : name) c = static_cast<char>('a' + random.below(26));
  return {DomainName::parse(name).value(), port};
}

TEST(SocksAddress, RoundTripsAndKnowsTruncationAtEachByte) {
  SeededRandom random{6};
  for (int i = 0; i < 300; ++i) {
    const auto target = random_target(random);
    Bytes out;
    Writer writer{out, socks_address_bytes_max};
    write_target(writer, target);
    ASSERT_TRUE(writer.finish());
    ASSERT_EQ(out.size(), target_bytes(target));
    out.push_back(std::byte{0x77});
    Reader reader{out};
    ASSERT_EQ(read_target(reader).value(), target);
    ASSERT_EQ(reader.remaining(), 1U);
    for (std::size_t cut = 0; cut + 1 < out.size(); ++cut) {
      Reader cut_short{ByteView{out}.first(cut)};
      ASSERT_EQ(read_target(cut_short).error().code, Errc::truncated);
      ASSERT_EQ(cut_short.position(), 0U);
    }
  }
}

TEST(SocksAddress, KnowsTheThreeFormsAndNoOther) {
  const auto read = [](std::string_view text, bool allow_zero_port = false) {
    const auto in = hex(text);
    Reader reader{in};
    return read_target(reader, allow_zero_port);
  };
  EXPECT_EQ(to_text(read("01c00002010050").value()), "192.0.2.1:80");
  EXPECT_EQ(to_text(read("0420010db800000000000000000000000101bb").value()), "[2001:db8::1]:443");
  EXPECT_EQ(to_text(read("03016101bb").value()), "a:443");
  EXPECT_EQ(read("02c00002010050").error(), (Error{Errc::unsupported, 2}));
  EXPECT_EQ(read("00c00002010050").error(), (Error{Errc::unsupported, 0}));
  EXPECT_EQ(read("01c00002010000").error().code, Errc::malformed);
  EXPECT_EQ(read("01c00002010000", true).value().port, 0);
  EXPECT_FALSE(read("030001bb"));        // empty name
  EXPECT_FALSE(read("03010001bb"));      // NUL
  EXPECT_FALSE(read("030361206201bb"));  // blank
}

}  // namespace
}  // namespace village::wire
