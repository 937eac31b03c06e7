// MixAudit: whose delays are as proven, told from packets that passed three nodes each.
#include "control/mix_audit.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"

namespace village::control {
namespace {

using std::chrono::milliseconds;

/// MixAuditWorld has six nodes that draw delays; loops pass one of each pair: 0 or 1, 2 or 3, 4 or 5.
class MixAuditWorld : public testing::Test {
 protected:
  static constexpr mix::Epoch epoch = 98;

  MixAuditWorld() {
    document_ = mix::test::document_of(epoch, 6, 0);
    later_ = mix::test::document_of(epoch + 3, 6, 0);
    for (std::size_t i = 0; i < 6; ++i) {
      const auto vrf = crypto::VrfKeyPair::generate(random_);
      for (auto* document : {&document_, &later_}) {
        document->nodes[i].vrf_key = vrf.public_key;
      }
      const auto proof = vrf.prove(mix::vrf_input(epoch));
      later_.nodes[i].vrf_proofs = {{epoch, proof}};
      truth_.push_back(*mix::DelayAudit::open(vrf.public_key, {epoch, proof}));
    }
  }

  /// loop writes down a loop on whose way `way` was lost, and by `liar` `lie` more.
  std::string loop(Duration way, std::optional<std::size_t> liar = {}, Duration lie = {}) {
    std::string hops;
    Duration total = way;
    for (std::size_t pair = 0; pair < 3; ++pair) {
      const auto at = 2 * pair + random_.below(2);
      sphinx::ReplayTag tag;
      random_.fill(tag);
      mix::DelayRules rules;
      rules.distribution = *mix::DelayDistribution::exponential(document_.parameters.delay_mean);
      total += truth_[at].delay(tag, rules);
      if (at == liar) total += lie;
      hops += std::string{hops.empty() ? "" : ","} + "{\"node\":\"" + document_.nodes[at].id().name() +
              "\",\"tag\":\"" + to_hex(tag) + "\",\"wish_ns\":0}";
    }
    return "{\"epoch\":98,\"hops\":[" + hops +
           "],\"total_ns\":" + std::to_string(std::max(total, Duration{0}).count()) + "}\n";
  }

  MixAudit audit(const std::string& observations, bool with_proofs = true) {
    std::vector<NamedDocument> documents{{"then", {document_, {}}}};
    if (with_proofs) documents.push_back({"later", {later_, {}}});
    MixAudit out{documents, mix::DelayPolicy::vrf, milliseconds{5}};
    out.judge(observations);
    out.conclude();
    return out;
  }
  static std::vector<std::string> suspects(const MixAudit& audit) {
    std::vector<std::string> names;
    for (const auto& node : audit.nodes()) {
      if (node.suspect) names.push_back(node.node);
    }
    return names;
  }

  SeededRandom random_{11};
  mix::Document document_, later_;
  std::vector<mix::DelayAudit> truth_;
};

TEST_F(MixAuditWorld, HonestNodesHold) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += loop(milliseconds{i % 15});
  const auto result = audit(text);
  EXPECT_TRUE(result.holds());
  EXPECT_EQ(result.counts().judged, 60U);
  EXPECT_EQ(result.counts().early + result.counts().late, 0U);
}

TEST_F(MixAuditWorld, ALateNetworkAccusesNobody) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += loop(milliseconds{i % 6 == 0 ? 400 : 3});
  const auto result = audit(text);
  EXPECT_EQ(result.counts().late, 10U);
  EXPECT_TRUE(suspects(result).empty());
  EXPECT_TRUE(result.holds());
}

TEST_F(MixAuditWorld, FindsTheNodeThatHoldsPacketsLonger) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += loop(milliseconds{2}, 3, milliseconds{300});
  const auto result = audit(text);
  EXPECT_FALSE(result.holds());
  EXPECT_EQ(suspects(result), std::vector{document_.nodes[3].id().name()});
}

TEST_F(MixAuditWorld, APacketThatComesTooEarlyNeverHolds) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += loop(milliseconds{2});
  const auto honest = audit(text);
  EXPECT_TRUE(honest.holds());
  text += loop(milliseconds{-1});
  const auto result = audit(text);
  EXPECT_EQ(result.counts().early, 1U);
  EXPECT_FALSE(result.holds());
}

TEST_F(MixAuditWorld, WaitsForProofsThatAreNotOutYet) {
  const auto result = audit(loop(milliseconds{1}), false);
  EXPECT_EQ(result.counts().pending, 1U);
  EXPECT_TRUE(result.holds());
}

TEST_F(MixAuditWorld, AMissingProofDoesNotHoldOnceItIsDue) {
  for (auto& node : later_.nodes) node.vrf_proofs.clear();
  const auto result = audit(loop(milliseconds{1}));
  EXPECT_EQ(result.counts().unproved, 1U);
  EXPECT_FALSE(result.holds());
}

TEST_F(MixAuditWorld, AProofUnderAnotherKeyIsBad) {
  later_.nodes[0].vrf_key = crypto::VrfKeyPair::generate(random_).public_key;
  EXPECT_TRUE(audit("").holds()) << "the key of the epoch's own document counts";
  document_.nodes[0].vrf_key = later_.nodes[0].vrf_key;
  EXPECT_FALSE(audit("").holds());
}

TEST_F(MixAuditWorld, CountsLinesThatAreNoObservation) {
  for (const auto* line : {"{}", "nonsense", "[]", "{\"epoch\":98,\"hops\":[],\"total_ns\":1}",
                           "{\"epoch\":98,\"hops\":[{}],\"total_ns\":1}", "{\"epoch\":-1,\"held_ns\":1}"}) {
    const auto result = audit(line);
    EXPECT_EQ(result.counts().unread, 1U) << line;
    EXPECT_FALSE(result.holds());
  }
}

}  // namespace
}  // namespace village::control
