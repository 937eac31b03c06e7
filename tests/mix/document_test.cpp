#include "village/mix/document.hpp"

#include <gtest/gtest.h>

#include "mix/directory_world.hpp"
#include "village/wire/base64.hpp"

namespace village::mix {
namespace {

using test::authorities_of;
using test::document_of;
using test::key_of;
using test::signed_by;
using test::test_epochs;

DocumentFault fault_of(const Result<void>& result) {
  EXPECT_FALSE(result.has_value());
  if (result) return {};
  EXPECT_EQ(result.error().code, Errc::protocol);
  return static_cast<DocumentFault>(result.error().detail);
}

TEST(Document, SurvivesTheWayThroughText) {
  const auto made = signed_by(document_of(100, 6, 2), 3);
  const auto text = to_json(made);
  const auto read = parse_signed_document(as_bytes(text));
  ASSERT_TRUE(read.has_value()) << name(read.error().code) << read.error().detail;
  EXPECT_EQ(*read, made);
  EXPECT_EQ(to_json(*read), text);
  EXPECT_EQ(digest(read->document), digest(made.document));
}

TEST(Document, HasTheBytesThatAreDocumented) {
  // docs/protocols/mix.md 3.3; checked against Python's json, hashlib and cryptography.
  const auto document = document_of(7, 1, 0);
  EXPECT_EQ(to_hex(digest(document)), "be3d1677557eebe7120194a07f828731f3c9b6af2f1f1f48397215625f949fd8");
  EXPECT_EQ(wire::base64url(signed_by(document, 1).signatures[0].signature),
            "pIEwReMlwp7ddPdbwCPamIGwKzmhopoQ7cUmw4GHHYs4BvFxAsFbfjI20bFk0T11wbcN0Y9QUUdMiJ29lSvoDg");
}

TEST(Document, NeedsTheThresholdOfItsAuthorities) {
  const auto document = document_of(100, 6, 2);
  EXPECT_TRUE(verify_signatures(signed_by(document, 3), authorities_of(4, 3)).has_value());
  const auto few = verify_signatures(signed_by(document, 2), authorities_of(4, 3));
  ASSERT_FALSE(few.has_value());
  EXPECT_EQ(few.error(), fail(Errc::bad_signature, 2));
}

TEST(Document, CountsNoAuthorityTwiceAndNoStranger) {
  auto twice = signed_by(document_of(100, 6, 2), 2);
  twice.signatures.push_back(twice.signatures.back());
  EXPECT_EQ(verify_signatures(twice, authorities_of(4, 3)).error(), fail(Errc::bad_signature, 2));
  const auto strangers = signed_by(document_of(100, 6, 2), 4);
  EXPECT_TRUE(verify_signatures(strangers, authorities_of(2, 2)).has_value());  // the two others are ignored
  auto only_strangers = strangers;
  std::erase_if(only_strangers.signatures,
                [](const DocumentSignature& s) { return authorities_of(2, 2).holds(s.authority); });
  EXPECT_EQ(verify_signatures(only_strangers, authorities_of(2, 2)).error(), fail(Errc::bad_signature, 0));
}

TEST(Document, CountsAGoodSignatureBesideABadOneOfTheSameAuthority) {
  auto both = signed_by(document_of(100, 6, 2), 2);
  auto bad = both.signatures.front();
  bad.signature[0] ^= std::byte{1};
  both.signatures.insert(both.signatures.begin(), bad);
  EXPECT_TRUE(verify_signatures(both, authorities_of(2, 2)).has_value());
}

TEST(Document, DoesNotVerifyWhenForged) {
  auto forged = signed_by(document_of(100, 6, 2), 3);
  forged.document.nodes.front().capacity_pps += 1;
  EXPECT_EQ(verify_signatures(forged, authorities_of(3, 3)).error(), fail(Errc::bad_signature, 0));
  auto bent = signed_by(document_of(100, 6, 2), 3);
  bent.signatures[1].signature[40] ^= std::byte{1};
  EXPECT_EQ(verify_signatures(bent, authorities_of(3, 3)).error(), fail(Errc::bad_signature, 2));
}

TEST(Document, RefusesThresholdsThatTwoDocumentsCouldReach) {
  EXPECT_TRUE(check(authorities_of(3, 2)).has_value());
  EXPECT_TRUE(check(authorities_of(1, 1)).has_value());
  for (const auto& [n, t] : {std::pair<std::size_t, std::size_t>{4, 2}, {3, 1}, {3, 4}, {0, 0}, {10, 7}}) {
    EXPECT_FALSE(check(authorities_of(n, t)).has_value()) << n << " " << t;
  }
  auto twice = authorities_of(3, 2);
  twice.keys[1] = twice.keys[0];
  EXPECT_FALSE(check(twice).has_value());
  EXPECT_FALSE(verify_signatures(signed_by(document_of(1, 3, 1), 2), twice).has_value());
  EXPECT_EQ(threshold_of(3), 3U);
  EXPECT_EQ(threshold_of(4), 3U);
  EXPECT_EQ(threshold_of(5), 4U);
}

TEST(Document, SaysWhyItsDatesDoNotHold) {
  const auto document = document_of(100, 3, 1);
  EXPECT_TRUE(verify_dates(document, 100, test_epochs).has_value());
  EXPECT_EQ(fault_of(verify_dates(document, 101, test_epochs)), DocumentFault::wrong_epoch);
  EXPECT_EQ(fault_of(verify_dates(document, 100, {60s, 5s})), DocumentFault::other_epochs);
  auto moved = document;
  moved.valid_from += 1ms;
  moved.valid_until += 1ms;
  EXPECT_EQ(fault_of(verify_dates(moved, 100, test_epochs)), DocumentFault::other_epochs);
  EXPECT_EQ(fault_of(verify_now(document, document.valid_from - 1ns)), DocumentFault::not_yet_valid);
  EXPECT_TRUE(verify_now(document, document.valid_from - 3s, 3s).has_value());
  EXPECT_TRUE(verify_now(document, document.valid_from).has_value());
  EXPECT_TRUE(verify_now(document, document.valid_until - 1ns).has_value());
  EXPECT_EQ(fault_of(verify_now(document, document.valid_until)), DocumentFault::expired);
}

TEST(Document, RefusesWhatBreaksItsRules) {
  const auto refusal = [](auto change) {
    auto document = signed_by(document_of(100, 4, 2), 1);
    change(document);
    const auto read = parse_signed_document(as_bytes(to_json(document)));
    EXPECT_FALSE(read.has_value());
    return read ? Errc::internal : read.error().code;
  };
  EXPECT_EQ(refusal([](auto& d) { std::swap(d.document.nodes[0], d.document.nodes[1]); }), Errc::malformed);
  EXPECT_EQ(refusal([](auto& d) { d.document.nodes[1] = d.document.nodes[0]; }), Errc::malformed);
  EXPECT_EQ(refusal([](auto& d) { d.document.nodes[1].mix_address = d.document.nodes[0].mix_address; }),
            Errc::malformed);
  EXPECT_EQ(refusal([](auto& d) { d.document.epoch = 103; }), Errc::malformed);  // no node has a key for it
  EXPECT_EQ(refusal([](auto& d) { d.document.valid_until = d.document.valid_from; }), Errc::malformed);
  EXPECT_EQ(refusal([](auto& d) { d.document.parameters.hops = 6; }), Errc::limit_exceeded);
  EXPECT_EQ(refusal([](auto& d) { d.document.parameters.delay_mean = Duration{0}; }), Errc::limit_exceeded);
  EXPECT_EQ(refusal([](auto& d) { d.document.parameters.delay_max = 2h; }), Errc::limit_exceeded);
  EXPECT_EQ(refusal([](auto& d) { d.document.parameters.profile = ""; }), Errc::malformed);
  EXPECT_EQ(refusal([](auto& d) { d.signatures.assign(17, d.signatures[0]); }), Errc::limit_exceeded);
  EXPECT_EQ(refusal([](auto& d) {
              d = signed_by(d.document, 2);
              std::swap(d.signatures[0], d.signatures[1]);
            }),
            Errc::not_canonical);
}

TEST(Document, RefusesMoreThanItsBound) {
  const std::string text(limits::document_bytes_max + 1, '[');
  const auto read = parse_signed_document(as_bytes(text));
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, Errc::limit_exceeded);
  auto many = document_of(100, 1, 0);
  while (many.nodes.size() <= limits::nodes_max) many.nodes.push_back(many.nodes.front());
  EXPECT_FALSE(parse_signed_document(as_bytes(to_json({many, {}}))).has_value());
}

TEST(Document, HasRoomForAsManyNodesAsItMayHold) {
  auto full = document_of(100, limits::nodes_max, 0);
  const auto text = to_json(signed_by(full, 9));
  EXPECT_LT(text.size(), limits::document_bytes_max);
  EXPECT_TRUE(parse_signed_document(as_bytes(text)).has_value());
}

}  // namespace
}  // namespace village::mix
