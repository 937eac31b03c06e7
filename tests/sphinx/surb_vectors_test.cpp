// Files in the format of mixnet/nym_sphinx_surbs.json: the all-keys form.
#include <nlohmann/json.hpp>

#include "sphinx/support.hpp"
#include "village/crypto/x25519.hpp"
#include "village/sphinx/surb.hpp"

namespace village::sphinx::test {
namespace {

using Json = nlohmann::json;

Bytes field(const Json& object, const char* key) {
  return village::test::hex(object.at(key).get<std::string>());
}

Path path_of(const Json& entry) {
  Path path;
  const auto& keys = entry.at("node_private_keys");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto pair =
        crypto::X25519KeyPair::from_private(key_of(village::test::hex(keys[i].get<std::string>())));
    path.hops.push_back({pair.public_key,
                         array_of<32>(village::test::hex(entry.at("node_addresses")[i].get<std::string>())),
                         entry.at("delays_ns")[i].get<std::uint64_t>()});
    path.keys.push_back(pair.private_key.clone());
  }
  return path;
}

void expect_delivered(const Json& entry, const Path& path, Bytes packet) {
  const auto size = entry.at("payload_size").get<std::size_t>();
  Unwrapped found;
  for (const auto& key : path.keys) ASSERT_EQ(unwrap(key, size, packet, found), Reject::none);
  EXPECT_TRUE(found.routing.last);
  EXPECT_EQ(to_hex(found.routing.identifier), entry.at("surb_identifier"));
  const auto payload = ByteView{packet}.subspan(limits::header_bytes);
  EXPECT_EQ(to_hex(payload), entry.at("final_payload_decrypted"));
  const auto message = open_payload(payload);
  ASSERT_TRUE(message);
  EXPECT_EQ(to_hex(*message), entry.at("reply_plaintext"));
}

TEST(SurbVectors, AreCreatedUsedAndAnswered) {
  VG_VECTORS(text, "mixnet/nym_sphinx_surbs.json");
  std::size_t cases = 0;
  for (const auto& entry : Json::parse(text)) {
    SCOPED_TRACE(++cases);
    const auto path = path_of(entry);
    auto script = field(entry, "initial_secret");
    const auto padding = field(entry, "final_padding");
    script.insert(script.end(), padding.begin(), padding.end());
    ScriptedRandom random{script};
    const auto surb = create_surb(path.hops, array_of<32>(field(entry, "destination")),
                                  array_of<16>(field(entry, "surb_identifier")), random,
                                  static_cast<Version>(entry.value("version", 259)));
    ASSERT_TRUE(surb);
    EXPECT_EQ(to_hex(*surb), entry.at("surb"));
    EXPECT_EQ(surb->size(), entry.at("surb_length").get<std::size_t>());
    Bytes packet(limits::packet_bytes(entry.at("payload_size").get<std::size_t>()));
    const auto first = use_surb(*surb, field(entry, "reply_plaintext"), packet);
    ASSERT_TRUE(first);
    EXPECT_EQ(to_hex(*first), entry.at("node_addresses")[0]);
    EXPECT_EQ(to_hex(packet), entry.at("reply_packet"));
    expect_delivered(entry, path, packet);
  }
  EXPECT_GT(cases, 0u);
}

}  // namespace
}  // namespace village::sphinx::test
