// `villaged mix directory|path|audit`, run in this process with their output caught.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/identity.hpp"
#include "control/json.hpp"
#include "control/verbs.hpp"
#include "mix/directory_world.hpp"
#include "ran_verb.hpp"
#include "support/vectors.hpp"
#include "temporary_folder.hpp"
#include "village/control/verb.hpp"
#include "village/mix/delay_audit.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using mix::test::document_of;
using mix::test::key_of;
using testing::HasSubstr;
using testing::StartsWith;

Ran run(std::vector<std::string> args) {
  args.insert(args.begin(), "mix");
  return run_verb(std::move(args));
}

std::string keys_text(std::size_t count) {
  std::string out;
  for (const auto& key : mix::test::authorities_of(count, count).keys) {
    out += (out.empty() ? "" : ",") + wire::base64url(key);
  }
  return out;
}

/// key_file writes the identity of key_of(seed).
std::string key_file(const TemporaryFolder& folder, std::uint64_t seed) {
  std::string problem;
  const auto path = folder.path("key-" + std::to_string(seed));
  EXPECT_TRUE(write_identity(path, key_of(seed), problem)) << problem;
  return path;
}

TEST(MixVerb, SaysWhatItTakes) {
  EXPECT_EQ(run({}).status, 2);
  EXPECT_THAT(run({"pth"}).err, HasSubstr("did you mean \"path\"?"));
  EXPECT_EQ(run({"directory"}).status, 2);
  EXPECT_THAT(run({"directory", "sgn", "x"}).err, HasSubstr("did you mean \"sign\"?"));
  EXPECT_EQ(run({"directory", "sign"}).status, 2);
  EXPECT_EQ(run({"directory", "show", "a", "b"}).status, 2);
  EXPECT_EQ(run({"path", "a", "b"}).status, 2);
  EXPECT_EQ(run({"directory", "show", "/nonexistent"}).status, 2);
}

TEST(MixVerb, SignsADescriptorFromADraft) {
  const TemporaryFolder folder;
  auto draft = Json::parse(mix::canonical_json(mix::descriptor_value(mix::test::descriptor_of(1, 100))));
  draft.erase("id");
  draft.erase("key");
  const auto path = folder.write("draft.json", "// by hand\n" + draft.dump(4));
  const auto out = folder.path("descriptor.json");
  const auto made = run({"directory", "sign", path, "--key", key_file(folder, 1), "--out", out});
  EXPECT_EQ(made.status, 0) << made.err;
  const auto text = village::test::read_file(out);
  const auto read = mix::parse_signed_descriptor(as_bytes(text));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(verify(*read));
  EXPECT_EQ(read->descriptor, mix::test::descriptor_of(1, 100));
  EXPECT_THAT(run({"directory", "verify", out}).out, StartsWith("good descriptor of bn1:"));
  auto bent = text;
  bent.replace(bent.find("\"sequence\":1"), 12, "\"sequence\":2");
  EXPECT_EQ(run({"directory", "verify", folder.write("bent.json", bent)}).status, 1);
  draft["capacity_pps"] = 0;
  EXPECT_EQ(run({"directory", "sign", folder.write("bad.json", draft.dump()), "--key", folder.path("key-1")})
                .status,
            2);
}

TEST(MixVerb, CollectsTheSignaturesOfADocument) {
  const TemporaryFolder folder;
  const auto document = document_of(100, 4, 1);
  auto path = folder.write("document.json", Json::parse(document_text(document)).dump(2));
  for (const std::uint64_t seed : {9'000ULL, 9'001ULL}) {
    const auto next = folder.path("signed-" + std::to_string(seed));
    const auto made = run({"directory", "sign", path, "--key", key_file(folder, seed), "--out", next});
    ASSERT_EQ(made.status, 0) << made.err;
    path = next;
  }
  const auto keys = keys_text(3);
  const auto good = run({"directory", "verify", path, "--authorities", keys, "--threshold", "2"});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("good document of epoch 100"));
  EXPECT_THAT(good.out, HasSubstr("expired"));
  const auto few = run({"directory", "verify", path, "--authorities", keys, "--threshold", "3"});
  EXPECT_EQ(few.status, 1);
  EXPECT_THAT(few.err, HasSubstr("only 2 good signatures"));
  const auto other =
      run({"directory", "verify", path, "--authorities", keys, "--threshold", "2", "--epoch", "101"});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.err, HasSubstr("another epoch"));
  EXPECT_EQ(run({"directory", "verify", path, "--authorities", keys, "--threshold", "1"}).status, 2);
  EXPECT_EQ(run({"directory", "verify", path, "--authorities", "nonsense"}).status, 2);
  const auto json = Json::parse(
      run({"directory", "verify", path, "--authorities", keys, "--threshold", "2", "--json"}).out);
  EXPECT_EQ(json.at("holds"), true);
  EXPECT_EQ(json.at("valid_now"), false);
}

TEST(MixVerb, ShowsADocumentWithItsLayers) {
  const TemporaryFolder folder;
  const auto document = mix::test::signed_by(document_of(100, 6, 2), 2);
  const auto path = folder.write("document.json", to_json(document) + "\n");
  const auto shown = run({"directory", "show", path});
  EXPECT_EQ(shown.status, 0) << shown.err;
  EXPECT_THAT(shown.out, StartsWith("document of epoch 100, 1970-01-01 00:50:00 UTC"));
  for (const auto& node : document.document.nodes) EXPECT_THAT(shown.out, HasSubstr(node.id().name()));
  const auto json = Json::parse(run({"directory", "show", path, "--json"}).out);
  EXPECT_EQ(json.at("layers").size(), 8U);
  EXPECT_EQ(json.at("digest"), to_hex(digest(document.document)));
  EXPECT_EQ(run({"directory", "show", folder.write("x.json", "{\"a\": 1}")}).status, 2);
}

TEST(MixVerb, ChoosesPaths) {
  const TemporaryFolder folder;
  const auto document = mix::test::signed_by(document_of(100, 6, 2), 2);
  const auto path = folder.write("document.json", to_json(document));
  const auto json = Json::parse(run({"path", path, "--count", "5", "--json"}).out);
  ASSERT_EQ(json.at("paths").size(), 5U);
  for (const auto& hops : json.at("paths")) {
    ASSERT_EQ(hops.size(), 4U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(hops[i].at("layer"), i + 1);
  }
  const auto to = document.document.nodes.front().id().name();
  const auto table = run({"path", path, "--to", to, "--hops", "1"});
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.out, HasSubstr(to));
  EXPECT_EQ(run({"path", path, "--hops", "6"}).status, 2);
  EXPECT_EQ(run({"path", path, "--to", "nobody"}).status, 2);
  const auto unknown = run({"path", path, "--to", mix::test::descriptor_of(99, 100).id().name()});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("not in the document"));
  const auto small = folder.write("small.json", to_json(mix::test::signed_by(document_of(100, 1, 1), 2)));
  EXPECT_EQ(run({"path", small}).status, 1);
}

TEST(MixVerb, AuditsPublishedDelays) {
  const TemporaryFolder folder;
  SeededRandom random{5};
  auto document = document_of(100, 3, 1);
  const auto vrf = crypto::VrfKeyPair::generate(random);
  auto& node = document.nodes.front();
  node.delay.policy = mix::DelayPolicy::vrf;
  node.vrf_key = vrf.public_key;
  node.vrf_proofs = {{98, vrf.prove(mix::vrf_input(98))}};
  const auto path = folder.write("document.json", to_json(mix::test::signed_by(document, 2)));
  const auto proofs = run({"audit", path});
  EXPECT_EQ(proofs.status, 0) << proofs.err;
  EXPECT_THAT(proofs.out, HasSubstr("good"));

  const auto audit = mix::DelayAudit::open(vrf.public_key, {98, node.vrf_proofs[0].proof});
  ASSERT_TRUE(audit.has_value());
  std::string honest, lying;
  for (int i = 0; i < 20; ++i) {
    sphinx::ReplayTag tag;
    random.fill(tag);
    mix::DelayRules rules;
    const auto held = audit->delay(tag, rules).count();
    const auto line = [&](std::int64_t held_ns) {
      return Json{{"node", node.id().name()},
                  {"epoch", 98},
                  {"tag", to_hex(tag)},
                  {"wish_ns", 0},
                  {"held_ns", static_cast<std::uint64_t>(held_ns)}}
                 .dump() +
             "\n";
    };
    honest += line(held + 1'000'000);
    lying += line(held + 50'000'000);
  }
  EXPECT_EQ(run({"audit", path, "--observations", folder.write("honest.jsonl", honest)}).status, 0);
  const auto caught = run({"audit", path, "--observations", folder.write("lying.jsonl", lying), "--json"});
  EXPECT_EQ(caught.status, 1);
  EXPECT_EQ(Json::parse(caught.out).at("proofs").at(0).at("wrong"), 20);
  EXPECT_EQ(Json::parse(caught.out).at("proofs").at(0).at("policy"), "vrf");
  const auto held = folder.write("held.jsonl", honest);
  EXPECT_EQ(run({"audit", path, "--observations", held, "--policy", "header"}).status, 1) << "wishes of 0";
  EXPECT_EQ(run({"audit", path, "--observations", held, "--policy", "vrf"}).status, 0);
  EXPECT_EQ(run({"audit", path, "--observations", folder.write("other.jsonl", "nonsense\n")}).status, 1);

  node.vrf_proofs[0].proof[40] ^= std::byte{1};
  const auto bad = run({"audit", folder.write("bad.json", to_json(mix::test::signed_by(document, 2)))});
  EXPECT_EQ(bad.status, 1);
  EXPECT_THAT(bad.out, HasSubstr("BAD"));
  EXPECT_EQ(run({"audit", path, "--policy", "mine"}).status, 2);
}

}  // namespace
}  // namespace village::control
