// MixAudit: whose delays are as proven, told from packets that passed three nodes each.
#include "control/mix_audit.hpp"

#include <gtest/gtest.h>

#include <array>

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
      state(i, {mix::DelayPolicy::vrf, {}, std::chrono::seconds{10}});
    }
  }

  /// state publishes how a node holds packets, and makes it hold them so.
  void state(std::size_t i, const mix::DelayStatement& delay) {
    for (auto* document : {&document_, &later_}) document->nodes[i].delay = delay;
    kept_[i] = delay;
  }

  Duration held(std::size_t i, const sphinx::ReplayTag& tag, Duration wish) const {
    const auto& of = document_.parameters;
    const auto rules = mix::delay_rules(kept_[i], of.delay_mean, of.delay_max).value();
    const mix::Observation packet{tag, static_cast<std::uint64_t>(wish.count()), Duration{0}};
    return truth_[i].judge(packet, rules, Duration{0}).expected;
  }

  /// loop writes down a loop on whose way `way` was lost, and by `liar` `lie` more.
  std::string loop(Duration way, std::optional<std::size_t> liar = {}, Duration lie = {}) {
    std::string hops;
    Duration total = way;
    for (std::size_t pair = 0; pair < 3; ++pair) {
      const auto at = 2 * pair + random_.below(2);
      sphinx::ReplayTag tag;
      random_.fill(tag);
      const auto wish = milliseconds{random_.below(200)};
      total += held(at, tag, wish);
      if (at == liar) total += lie;
      hops += std::string{hops.empty() ? "" : ","} + "{\"node\":\"" + document_.nodes[at].id().name() +
              "\",\"tag\":\"" + to_hex(tag) + "\",\"wish_ns\":" + std::to_string(Duration{wish}.count()) +
              "}";
    }
    return "{\"epoch\":98,\"hops\":[" + hops +
           "],\"total_ns\":" + std::to_string(std::max(total, Duration{0}).count()) + "}\n";
  }

  MixAudit audit(const std::string& observations, bool with_proofs = true,
                 std::optional<mix::DelayPolicy> policy = {}) {
    std::vector<NamedDocument> documents{{"then", {document_, {}}}};
    if (with_proofs) documents.push_back({"later", {later_, {}}});
    MixAudit out{documents, policy, milliseconds{5}};
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
  std::array<mix::DelayStatement, 6> kept_;
};

TEST_F(MixAuditWorld, HonestNodesHold) {
  std::string text;
  for (int i = 0; i < 60; ++i) text += loop(milliseconds{i % 15});
  const auto result = audit(text);
  EXPECT_TRUE(result.holds());
  EXPECT_EQ(result.counts().judged, 60U);
  EXPECT_EQ(result.counts().early + result.counts().late, 0U);
}

TEST_F(MixAuditWorld, HoldsEachNodeToWhatItStates) {
  state(0, {});
  state(2, {mix::DelayPolicy::max, {}, milliseconds{80}});
  state(4, {mix::DelayPolicy::vrf,
            {{milliseconds{20}, milliseconds{30}, 1}, {milliseconds{300}, milliseconds{400}, 2}},
            std::chrono::seconds{10}});
  std::string text;
  for (int i = 0; i < 100; ++i) text += loop(milliseconds{i % 10});
  const auto result = audit(text);
  EXPECT_EQ(result.counts().judged, 100U);
  EXPECT_EQ(result.counts().early + result.counts().late, 0U);
  EXPECT_TRUE(result.holds());
  EXPECT_EQ(result.nodes()[0].policy, mix::DelayPolicy::header);
  EXPECT_EQ(result.nodes()[2].policy, mix::DelayPolicy::max);
  // What the auditor says goes before what they state.
  EXPECT_FALSE(audit(text, true, mix::DelayPolicy::vrf).holds());
}

TEST_F(MixAuditWorld, FindsTheNodeThatDoesNotHoldPacketsAsItStates) {
  const mix::DelayStatement vrf{mix::DelayPolicy::vrf, {}, std::chrono::seconds{10}};
  const std::vector<std::pair<mix::DelayStatement, mix::DelayStatement>> lies{
      {vrf, {}},                                                     // the sender decides after all
      {{}, vrf},                                                     // silent, and draws
      {vrf, {mix::DelayPolicy::max, {}, std::chrono::seconds{10}}},  // holds some longer
      {vrf, {mix::DelayPolicy::vrf, {}, milliseconds{30}}},          // cuts what it drew
      {vrf, {mix::DelayPolicy::vrf, {{Duration{0}, milliseconds{1}, 1}}, std::chrono::seconds{10}}},
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    state(3, lies[i].first);
    kept_[3] = lies[i].second;
    std::string text;
    for (int n = 0; n < 200; ++n) text += loop(milliseconds{2});
    const auto result = audit(text);
    EXPECT_FALSE(result.holds()) << i;
    EXPECT_EQ(suspects(result), std::vector{document_.nodes[3].id().name()}) << i;
  }
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
