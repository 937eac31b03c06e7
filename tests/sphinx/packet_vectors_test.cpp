// Files in the format of mixnet/nym_sphinx_*.json: what the sender makes, what each hop finds and sends on.
#include <nlohmann/json.hpp>

#include "sphinx/key_schedule.hpp"
#include "sphinx/support.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/x25519.hpp"

namespace village::sphinx::test {
namespace {

using Json = nlohmann::json;

Bytes field(const Json& object, const char* key) {
  return village::test::hex(object.at(key).get<std::string>());
}

struct Sent {
  Path path;
  Destination destination;
  Identifier identifier;
  Version version;
  Bytes message, packet, script;
};

Sent sent_of(const Json& entry) {
  Sent sent;
  const auto& hops = entry.at("hops");
  for (std::size_t i = 0; i < hops.size(); ++i) {
    sent.path.keys.push_back(key_of(field(hops[i], "node_private_key")));
    sent.path.hops.push_back({array_of<32>(field(hops[i], "node_public_key")),
                              array_of<32>(field(hops[i], "node_address")),
                              entry.at("delays_ns")[i].get<std::uint64_t>()});
  }
  sent.destination = array_of<32>(field(entry, "destination"));
  sent.identifier = array_of<16>(field(entry, "surb_identifier"));
  sent.version = static_cast<Version>(entry.at("version").get<std::uint16_t>());
  sent.message = field(entry, "plaintext");
  sent.packet = field(entry, "packet");
  sent.script = field(entry, "initial_secret");
  const auto padding = field(entry, "final_padding");
  sent.script.insert(sent.script.end(), padding.begin(), padding.end());
  return sent;
}

void expect_created(const Sent& sent) {
  ScriptedRandom random{sent.script};
  Bytes packet(sent.packet.size());
  ASSERT_TRUE(create_packet(sent.path.hops, sent.destination, sent.identifier, sent.message, packet, random,
                            sent.version));
  EXPECT_EQ(to_hex(packet), to_hex(sent.packet));
  EXPECT_TRUE(random.used_up());
}

void expect_keys(const Json& hop, ByteView packet) {
  const auto shared = crypto::x25519(key_of(field(hop, "node_private_key")), array_of<32>(packet.first(32)));
  ASSERT_TRUE(shared);
  EXPECT_EQ(to_hex(packet.first(32)), hop.at("alpha_in"));
  EXPECT_EQ(to_hex(shared->view()), hop.at("shared_secret"));
  ByteArray<expansion_bytes> okm;
  expand_secrets({shared->view(), 32, 0, 1}, {okm, okm.size(), 0, 1});
  const ByteView view{okm};
  EXPECT_EQ(to_hex(view), hop.at("okm288"));
  EXPECT_EQ(to_hex(view.subspan(stream_key_at, stream_key_bytes)), hop.at("stream_key"));
  EXPECT_EQ(to_hex(view.subspan(mac_key_at, mac_key_bytes)), hop.at("mac_key"));
  EXPECT_EQ(to_hex(view.subspan(payload_key_at, 16)), hop.at("payload_key_seed"));
  EXPECT_EQ(to_hex(view.subspan(blinding_at, 32)), hop.at("blinding_factor"));
}

void expect_payload_key(const Json& hop, const PayloadKeys& keys, std::size_t i) {
  // A layer put on with the published key comes off with ours.
  const auto key = field(hop, "payload_key192");
  if (keys.version() == Version::payload_keys) {
    EXPECT_EQ(to_hex(keys.material(i)), to_hex(key));
    return;
  }
  ByteArray<192> derived;
  derive_payload_keys({keys.material(i), 16, 0, 1}, {derived, 192, 0, 1});
  EXPECT_EQ(to_hex(derived), to_hex(key));
}

void expect_routing(const Json& hop, const Routing& routing) {
  if (hop.at("result") == "forward") {
    EXPECT_FALSE(routing.last);
    EXPECT_EQ(to_hex(routing.next), hop.at("next_hop"));
    EXPECT_EQ(routing.delay_ns, hop.at("delay_ns").get<std::uint64_t>());
    return;
  }
  EXPECT_EQ(hop.at("result"), "final");
  EXPECT_TRUE(routing.last);
  EXPECT_EQ(to_hex(routing.destination), hop.at("destination"));
  EXPECT_EQ(to_hex(routing.identifier), hop.at("surb_identifier"));
}

void expect_packet_out(const Json& hop, ByteView packet) {
  if (hop.contains("packet_out")) {
    EXPECT_EQ(to_hex(packet), hop.at("packet_out"));
    return;
  }
  const auto payload = packet.subspan(limits::header_bytes);
  EXPECT_EQ(to_hex(payload), hop.at("payload_decrypted"));
  const auto message = open_payload(payload);
  ASSERT_TRUE(message);
  EXPECT_EQ(to_hex(*message), hop.at("plaintext"));
}

class PacketVectors : public testing::TestWithParam<crypto::CpuLevel> {};

TEST_P(PacketVectors, AreWhatTheSenderMakes) {
  VG_VECTORS(text, "mixnet/nym_sphinx_packets.json");
  const AtLevel level{GetParam()};
  std::size_t cases = 0;
  for (const auto& entry : Json::parse(text)) {
    SCOPED_TRACE(++cases);
    const auto sent = sent_of(entry);
    ASSERT_EQ(sent.packet.size(), entry.at("packet_size").get<std::size_t>());
    expect_created(sent);
    ScriptedRandom random{sent.script};
    ByteArray<limits::header_bytes> header;
    const auto keys =
        create_header(sent.path.hops, sent.destination, sent.identifier, header, random, sent.version);
    ASSERT_TRUE(keys);
    for (std::size_t i = 0; i < keys->size(); ++i) {
      expect_payload_key(entry.at("hops")[i], *keys, i);
      EXPECT_EQ(to_hex(keys->tag(i)), entry.at("hops")[i].at("replay_tag"));
    }
  }
  EXPECT_GT(cases, 0u);
}

TEST_P(PacketVectors, ComeOutOfEveryHopAsPublished) {
  VG_VECTORS(text, "mixnet/nym_sphinx_packets.json");
  const AtLevel level{GetParam()};
  std::size_t hops = 0;
  for (const auto& entry : Json::parse(text)) {
    auto packet = field(entry, "packet");
    const auto size = entry.at("payload_size").get<std::size_t>();
    for (const auto& hop : entry.at("hops")) {
      SCOPED_TRACE(++hops);
      expect_keys(hop, packet);
      if (hop.contains("packet_in_sha256")) {
        EXPECT_EQ(to_hex(crypto::sha256(packet)), hop.at("packet_in_sha256"));
      }
      Unwrapped found;
      ASSERT_EQ(unwrap(key_of(field(hop, "node_private_key")), size, packet, found), Reject::none);
      EXPECT_EQ(to_hex(found.tag), hop.at("replay_tag"));
      EXPECT_EQ(static_cast<int>(found.routing.version), entry.at("version").get<int>());
      expect_routing(hop, found.routing);
      expect_packet_out(hop, packet);
    }
  }
  EXPECT_GT(hops, 0u);
}

TEST_P(PacketVectors, ComeOutOfABatchAsPublished) {
  VG_VECTORS(text, "mixnet/nym_sphinx_packets.json");
  const AtLevel level{GetParam()};
  const auto entries = Json::parse(text);
  std::size_t hops = 0;
  for (std::size_t round = 0; round < limits::hops_max; ++round) {
    std::map<std::size_t, std::vector<const Json*>> by_size;  // a batch has one profile
    for (const auto& entry : entries) {
      if (round < entry.at("hops").size())
        by_size[entry.at("payload_size").get<std::size_t>()].push_back(&entry);
    }
    for (const auto& [size, group] : by_size) {
      std::vector<Bytes> packets;
      std::vector<crypto::X25519Private> keys;
      for (const auto* entry : group) {
        const auto& all = entry->at("hops");
        packets.push_back(field(round == 0 ? *entry : all[round - 1], round == 0 ? "packet" : "packet_out"));
        keys.push_back(key_of(field(all[round], "node_private_key")));
      }
      std::vector<const crypto::X25519Private*> key_views;
      for (const auto& key : keys) key_views.push_back(&key);
      const std::vector<ByteSpan> views{packets.begin(), packets.end()};
      UnwrapBatch batch{size};
      ASSERT_EQ(batch.open(key_views, views), (std::uint64_t{1} << group.size()) - 1);
      for (std::size_t i = 0; i < group.size(); ++i) {
        const auto& hop = group[i]->at("hops")[round];
        EXPECT_EQ(to_hex(batch.tag(i)), hop.at("replay_tag"));
        expect_routing(hop, batch.routing(i));
      }
      batch.finish(~std::uint64_t{0});
      for (std::size_t i = 0; i < group.size(); ++i) {
        expect_packet_out(group[i]->at("hops")[round], packets[i]);
        ++hops;
      }
    }
  }
  EXPECT_GT(hops, 0u);
}

/// outcome is what happens to a packet on its way along `keys`, in the words of the file.
std::string outcome(const std::vector<crypto::X25519Private>& keys, std::size_t size, Bytes packet,
                    std::string& tag) {
  std::string said;
  for (const auto& key : keys) {
    Unwrapped found;
    const auto reject = unwrap(key, size, packet, found);
    if (!said.empty()) said += ",";
    if (reject != Reject::none) return said + "reject:" + std::string{name(reject)};
    tag = to_hex(found.tag);
    if (!found.routing.last) {
      said += "forward";
    } else {
      said += open_payload(ByteView{packet}.subspan(limits::header_bytes)) ? "final" : "reject:payload";
    }
  }
  return said;
}

/// expected turns the file's words into those of outcome: remarks go, and of two reasons low_order is ours.
std::string expected(std::string text) {
  text = text.substr(0, text.find(" ("));
  if (text == "reject:low_order_or_mac") return "reject:low_order";
  const auto payload = text.find("reject:payload");
  return payload == std::string::npos ? text : text.substr(0, payload) + "reject:payload";
}

/// profile_of: the file states none; a packet refused for its length had N-2048 as its node's profile.
std::size_t profile_of(const Json& entry, const std::string& wanted) {
  if (entry.contains("payload_size")) return entry.at("payload_size").get<std::size_t>();
  return wanted == "reject:length" ? limits::payload_bytes_n2048 : payload_bytes(field(entry, "packet"));
}

TEST_P(PacketVectors, DamagedOnesAreRefusedForTheReasonExpected) {
  VG_VECTORS(text, "mixnet/nym_sphinx_negative.json");
  const AtLevel level{GetParam()};
  std::size_t cases = 0;
  for (const auto& entry : Json::parse(text)) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    ++cases;
    std::vector<crypto::X25519Private> keys;
    if (entry.contains("node_private_keys")) {
      for (const auto& key : entry.at("node_private_keys"))
        keys.push_back(key_of(village::test::hex(key.get<std::string>())));
    } else {
      keys.push_back(key_of(field(entry, "node_private_key")));
    }
    std::string tag;
    const auto wanted = expected(entry.at("expect").get<std::string>());
    const auto seen = outcome(keys, profile_of(entry, wanted), field(entry, "packet"), tag);
    if (wanted.starts_with("accept")) {
      EXPECT_FALSE(seen.starts_with("reject")) << seen;
    } else {
      EXPECT_EQ(seen, wanted);
    }
    if (entry.contains("replay_tag")) {
      EXPECT_EQ(tag, entry.at("replay_tag"));
    }
  }
  EXPECT_GT(cases, 0u);
}

INSTANTIATE_TEST_SUITE_P(Kernels, PacketVectors, testing::ValuesIn([] {
                           const auto levels = crypto::available_cpu_levels();
                           return std::vector<crypto::CpuLevel>{levels.begin(), levels.end()};
                         }()),
                         [](const auto& tested) { return std::string{crypto::name(tested.param)}; });

}  // namespace
}  // namespace village::sphinx::test
