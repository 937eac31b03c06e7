#include "village/mix/authority.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "mix/authority_world.hpp"

namespace village::mix {
namespace {

using test::AuthorityWorld;
using test::Conduct;
using test::descriptor_of;
using test::key_of;
using Kind = AuthorityReport::Kind;

SignedDescriptor signed_node(std::uint64_t n, std::uint64_t sequence = 1, std::uint64_t capacity = 1'000) {
  auto descriptor = descriptor_of(n, 99);
  descriptor.sequence = sequence;
  descriptor.capacity_pps = capacity;
  auto out = sign(std::move(descriptor), key_of(n));
  return *std::move(out);
}

AuthorityOptions options_of(AuthoritySet authorities) {
  AuthorityOptions out;
  out.authorities = std::move(authorities);
  out.epochs = test::test_epochs;
  out.open = true;
  return out;
}

Host host_of(std::uint64_t n) { return sphinx::target_of(descriptor_of(n, 99).mix_address)->host; }

/// document_at is what one authority publishes, parsed and verified.
std::optional<Document> document_at(const AuthorityWorld& world, std::size_t member, Epoch epoch) {
  const auto text = world.members()[member]->authority.published(epoch);
  if (!text) return std::nullopt;
  const auto read = parse_signed_document(as_bytes(*text));
  EXPECT_TRUE(read.has_value());
  EXPECT_TRUE(verify_signatures(*read, world.authorities()).has_value());
  EXPECT_TRUE(verify_dates(read->document, epoch, test::test_epochs).has_value());
  return read->document;
}

bool reported_by_all(const AuthorityWorld& world, Kind kind) {
  return std::all_of(world.members().begin(), world.members().end(), [&](const auto& member) {
    return member->conduct != Conduct::honest || member->reported(kind);
  });
}

bool lists(const Document& document, std::uint64_t node) {
  const auto id = descriptor_of(node, 99).id();
  return std::any_of(document.nodes.begin(), document.nodes.end(),
                     [&id](const Descriptor& each) { return each.id() == id; });
}

TEST(Authority, PublishesTheSameDocumentEverywhere) {
  AuthorityWorld world{4, 3, {}, 1};
  for (std::uint64_t n = 1; n <= 5; ++n) world.submit(signed_node(n));
  world.run(100);
  const auto first = document_at(world, 0, 100);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->nodes.size(), 5U);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_EQ(document_at(world, i, 100), first);
  for (const auto& member : world.members()) EXPECT_TRUE(member->reports.empty());
}

TEST(Authority, MakesEachEpochFromNewNumbers) {
  AuthorityWorld world{3, 2, {}, 2};
  world.submit(signed_node(1));
  world.run(100);
  world.run(101);
  const auto first = document_at(world, 0, 100), second = document_at(world, 0, 101);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->randomness, second->randomness);
  EXPECT_EQ(second->nodes.size(), 1U);  // its keys are for 99, 100 and 101
  world.run(102);
  const auto third = document_at(world, 1, 102);
  ASSERT_TRUE(third.has_value());
  EXPECT_TRUE(third->nodes.empty());
}

TEST(Authority, WorksAlone) {
  AuthorityWorld world{1, 1, {}, 3};
  world.submit(signed_node(1));
  world.run(100);
  EXPECT_TRUE(document_at(world, 0, 100).has_value());
}

TEST(Authority, TakesTheHighestSequenceNumber) {
  AuthorityWorld world{3, 2, {}, 4};
  world.submit(signed_node(1, 5, 500));
  world.submit(signed_node(1, 6, 600), 1);  // only one authority has seen the newer
  world.run(100);
  const auto document = document_at(world, 0, 100);
  ASSERT_TRUE(document && document->nodes.size() == 1);
  EXPECT_EQ(document->nodes[0].capacity_pps, 600U);
  world.submit(signed_node(1, 5, 500), 0);  // what was voted for is known everywhere by now
  EXPECT_EQ(world.last_submit.error().code, Errc::replayed);
}

TEST(Authority, LeavesOutANodeThatHalfOfTheVotesDoNotList) {
  AuthorityWorld world{4, 3, {}, 5};
  world.submit(signed_node(1));
  world.submit(signed_node(2), 0);
  world.submit(signed_node(3), 0);
  world.submit(signed_node(3), 1);
  world.run(100);
  const auto document = document_at(world, 2, 100);
  ASSERT_TRUE(document.has_value());
  EXPECT_TRUE(lists(*document, 1));
  EXPECT_FALSE(lists(*document, 2));
  EXPECT_FALSE(lists(*document, 3));  // two of four
}

TEST(Authority, LeavesOutANodeThatSignsTwoDescriptorsOfOneNumber) {
  AuthorityWorld world{3, 2, {}, 6};
  world.submit(signed_node(1, 5, 500), 0);
  world.submit(signed_node(1, 5, 501), 1);
  world.submit(signed_node(1, 5, 500), 2);
  world.submit(signed_node(2));
  world.run(100);
  const auto document = document_at(world, 0, 100);
  ASSERT_TRUE(document.has_value());
  EXPECT_FALSE(lists(*document, 1));
  EXPECT_TRUE(lists(*document, 2));
  EXPECT_TRUE(reported_by_all(world, Kind::node_equivocates));
  world.submit(signed_node(1, 6, 501));  // a higher number heals it
  world.run(101);
  EXPECT_TRUE(lists(*document_at(world, 0, 101), 1));
}

TEST(Authority, RefusesDescriptorsThatDoNotHold) {
  AuthorityWorld world{1, 1, {}, 7};
  const auto refusal = [&world](const SignedDescriptor& descriptor) {
    world.submit(descriptor);
    return world.last_submit ? Errc::internal : world.last_submit.error().code;
  };
  auto forged = signed_node(1);
  forged.descriptor.capacity_pps = 5;
  EXPECT_EQ(refusal(forged), Errc::bad_signature);
  world.submit(signed_node(1, 3));
  EXPECT_TRUE(world.last_submit.has_value());
  world.submit(signed_node(1, 3));  // the same again
  EXPECT_TRUE(world.last_submit.has_value());
  EXPECT_EQ(refusal(signed_node(1, 2)), Errc::replayed);
  EXPECT_EQ(refusal(signed_node(1, 3, 7)), Errc::already_exists);
  EXPECT_EQ(refusal(*sign(descriptor_of(2, 95), key_of(2))), Errc::timed_out);
  EXPECT_EQ(refusal(*sign(descriptor_of(2, 200), key_of(2))), Errc::unsupported);
  auto squatter = descriptor_of(2, 99);
  squatter.mix_address = descriptor_of(1, 99).mix_address;
  EXPECT_EQ(refusal(*sign(squatter, key_of(2))), Errc::already_exists);
  EXPECT_FALSE(world.members()[0]->authority.on_descriptor(as_bytes("{}"), {}, world.now).has_value());
  EXPECT_EQ(world.members()[0]->authority.descriptors(), 1U);
}

TEST(Authority, AdmitsOnlyThoseItIsToldTo) {
  SeededRandom random{1};
  const auto key = key_of(9'000);
  AuthorityOptions options = options_of(test::authorities_of(1, 1));
  options.open = false;
  options.admitted.push_back(descriptor_of(1, 99).id());
  Authority authority{options, key, random};
  const auto now = test::test_epochs.start(99);
  EXPECT_TRUE(authority.on_descriptor(as_bytes(to_json(signed_node(1))), {}, now).has_value());
  EXPECT_EQ(authority.on_descriptor(as_bytes(to_json(signed_node(2))), host_of(2), now).error().code,
            Errc::denied);
}

TEST(Authority, PublishesNothingBelowTheThreshold) {
  AuthorityWorld world{4, 3, {Conduct::silent, Conduct::silent}, 8};
  world.submit(signed_node(1));
  world.run(100);
  for (std::size_t i = 2; i < 4; ++i) {
    EXPECT_FALSE(document_at(world, i, 100).has_value());
    EXPECT_TRUE(world.members()[i]->reported(Kind::no_document));
    EXPECT_TRUE(world.members()[i]->reported(Kind::missing_vote));
  }
}

TEST(Authority, DoesWithoutOneThatIsMissing) {
  AuthorityWorld world{4, 3, {Conduct::silent}, 9};
  world.submit(signed_node(1));
  world.run(100);
  EXPECT_TRUE(document_at(world, 1, 100).has_value());
  EXPECT_TRUE(reported_by_all(world, Kind::missing_vote));
  EXPECT_TRUE(reported_by_all(world, Kind::missing_signature));
}

TEST(Authority, IsFoundOutWhenItRevealsAnotherNumber) {
  AuthorityWorld world{4, 3, {Conduct::wrong_reveal}, 10};
  world.submit(signed_node(1));
  world.run(100);
  const auto document = document_at(world, 1, 100);
  EXPECT_TRUE(document.has_value());
  EXPECT_EQ(document_at(world, 3, 100), document);
  EXPECT_TRUE(reported_by_all(world, Kind::wrong_reveal));
}

TEST(Authority, PassesOnNoEndorsementThatDoesNotHold) {
  // Else one that cheats could make its vote count here, where it came first hand, and nowhere else.
  AuthorityWorld world{4, 3, {Conduct::silent}, 13};
  const AuthoritySchedule schedule{world.authorities(), test::test_epochs, 100};
  const auto& honest = *world.members()[1];
  auto& authority = world.members()[1]->authority;
  auto poisoned = endorsed(Statement{Vote{key_of(9'000).public_key, 100, {}, {}, {}}});
  endorse(poisoned, key_of(9'000));
  for (const auto& each : {honest.key.public_key, key_of(7).public_key})
    poisoned.endorsements.push_back({each, {}});
  std::sort(poisoned.endorsements.begin(), poisoned.endorsements.end(),
            [](const auto& a, const auto& b) { return a.authority < b.authority; });
  auto& other = world.members()[2]->authority;
  for (auto* each : {&authority, &other}) {
    each->advance(world.now);
    each->advance(schedule.collect_end);
  }
  (void)authority.take_messages();
  ASSERT_TRUE(authority.on_statement(as_bytes(to_json(poisoned)), schedule.collect_end).has_value());
  const auto messages = authority.take_messages();
  ASSERT_FALSE(messages.empty());
  const auto passed_on = parse_endorsed_statement(as_bytes(*messages[0].text));
  ASSERT_TRUE(passed_on.has_value());
  EXPECT_EQ(passed_on->endorsements.size(), 2U);
  EXPECT_TRUE(other.on_statement(as_bytes(*messages[0].text), schedule.start_of(1)).has_value());
}

TEST(Authority, IsFoundOutWhenItVotesTwice) {
  AuthorityWorld world{3, 2, {Conduct::silent}, 14};
  world.submit(signed_node(1));
  world.submit(signed_node(2), 1);  // with the cheat's vote it would be in one document and not in the other
  const AuthoritySchedule schedule{world.authorities(), test::test_epochs, 100};
  const auto vote = [](std::vector<SignedDescriptor> nodes) {
    std::sort(nodes.begin(), nodes.end(),
              [](const auto& a, const auto& b) { return a.descriptor.id() < b.descriptor.id(); });
    auto out = endorsed(Statement{Vote{key_of(9'000).public_key, 100, {}, {}, std::move(nodes)}});
    endorse(out, key_of(9'000));
    return to_json(out);
  };
  const std::string votes[] = {vote({signed_node(1), signed_node(2)}), vote({signed_node(1)})};
  for (std::size_t i = 1; i <= 2; ++i) world.members()[i]->authority.advance(world.now);
  world.now = schedule.collect_end + schedule.slot / 4;
  for (std::size_t i = 1; i <= 2; ++i) {
    auto& member = *world.members()[i];
    EXPECT_TRUE(member.authority.on_statement(as_bytes(votes[i - 1]), world.now + member.skew).has_value());
  }
  world.run(100);
  const auto document = document_at(world, 1, 100);
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(document_at(world, 2, 100), document);
  EXPECT_TRUE(lists(*document, 1));
  EXPECT_FALSE(lists(*document, 2));
  EXPECT_TRUE(reported_by_all(world, Kind::two_votes));
}

TEST(Authority, IsFoundOutWhenItSignsTwoDocuments) {
  AuthorityWorld world{3, 2, {Conduct::silent}, 11};
  world.submit(signed_node(1));
  const AuthoritySchedule schedule{world.authorities(), test::test_epochs, 100};
  const auto cheat = key_of(9'000);
  auto& honest = world.members()[1]->authority;
  const auto when = schedule.start_of(2 * schedule.rounds);
  honest.advance(world.now);
  honest.advance(schedule.collect_end);
  for (const unsigned n : {1U, 2U}) {
    const auto entry = sign_entry(100, {std::byte(n)}, cheat);
    EXPECT_TRUE(honest.on_signatures(as_bytes(to_json(std::vector{entry})), when).has_value());
  }
  bool found = false;
  for (const auto& report : honest.take_reports()) {
    found = found || (report.kind == Kind::two_signatures && report.who == cheat.public_key);
  }
  EXPECT_TRUE(found);
  // An old signature under a new epoch is no proof of anything: the seal does not fit.
  auto moved = sign_entry(99, {std::byte{3}}, key_of(9'002));
  moved.epoch = 100;
  EXPECT_EQ(honest.on_signatures(as_bytes(to_json(std::vector{moved})), when).error().code,
            Errc::bad_signature);
}

TEST(Authority, RefusesStrangersAndWhatIsOutOfTime) {
  AuthorityWorld world{3, 2, {}, 12};
  auto& authority = world.members()[0]->authority;
  const AuthoritySchedule schedule{world.authorities(), test::test_epochs, 100};
  const auto statement = [](std::uint64_t key, Epoch epoch) {
    auto out = endorsed(Statement{Vote{key_of(key).public_key, epoch, {}, {}, {}}});
    endorse(out, key_of(key));
    return to_json(out);
  };
  const auto refusal = [&](const std::string& text, WallTime when) {
    const auto taken = authority.on_statement(as_bytes(text), when);
    return taken ? Errc::internal : taken.error().code;
  };
  authority.advance(world.now);
  EXPECT_EQ(refusal(statement(1, 100), schedule.collect_end), Errc::denied);      // nobody
  EXPECT_EQ(refusal(statement(9'001, 101), schedule.collect_end), Errc::denied);  // not its time
  EXPECT_EQ(refusal(statement(9'001, 99), schedule.collect_end), Errc::denied);
  EXPECT_TRUE(authority.on_statement(as_bytes(statement(9'001, 100)), schedule.collect_end).has_value());
  EXPECT_EQ(refusal(statement(9'002, 100), schedule.start_of(1)), Errc::denied);  // nobody else has seen it
  auto forged = endorsed(Statement{Vote{key_of(9'002).public_key, 100, {}, {}, {}}});
  endorse(forged, key_of(9'001));  // not by its author
  EXPECT_EQ(refusal(to_json(forged), schedule.start_of(1)), Errc::bad_signature);
  EXPECT_EQ(refusal("{}", schedule.start_of(1)), Errc::malformed);
  EXPECT_EQ(refusal(std::string(limits::statement_bytes_max + 1, '['), schedule.start_of(1)),
            Errc::limit_exceeded);
}

TEST(Authority, StaysOutOfARoundThatHadBegunWhenItStarted) {
  SeededRandom random{1};
  const auto key = key_of(9'000);
  const auto options = options_of(test::authorities_of(1, 1));
  const AuthoritySchedule schedule{options.authorities, options.epochs, 100};
  Authority authority{options, key, random};
  for (auto now = schedule.collect_end + 1ms; now < options.epochs.start(100);
       now = authority.next_time(now)) {
    authority.advance(now);
  }
  EXPECT_EQ(authority.published(100), nullptr);
  for (auto now = options.epochs.start(100); now < options.epochs.start(101);
       now = authority.next_time(now)) {
    authority.advance(now);
  }
  EXPECT_NE(authority.published(101), nullptr);
}

TEST(Authority, RemembersItsNodesAndRoundsAcrossARestart) {
  SeededRandom random{1};
  const auto key = key_of(9'000);
  const auto options = options_of(test::authorities_of(1, 1));
  const AuthoritySchedule schedule{options.authorities, options.epochs, 100};
  std::string memory;
  {
    Authority authority{options, key, random};
    const auto now = schedule.collect_end - 5s;
    ASSERT_TRUE(authority.on_descriptor(as_bytes(to_json(signed_node(1, 4))), host_of(1), now));
    const auto version = authority.memory_version();
    authority.advance(schedule.collect_end - 5s);
    authority.advance(schedule.collect_end);
    EXPECT_NE(authority.memory_version(), version);  // it has voted, and must not vote again
    memory = authority.memory();
  }
  Authority authority{options, key, random};
  ASSERT_TRUE(authority.restore(as_bytes(memory)).has_value());
  EXPECT_EQ(authority.descriptors(), 1U);
  authority.advance(schedule.collect_end - 5s);  // the clock was set back
  authority.advance(schedule.collect_end);
  EXPECT_TRUE(authority.take_messages().empty());
  for (auto now = schedule.collect_end; now < schedule.publish + 1s; now = authority.next_time(now)) {
    authority.advance(now);
  }
  EXPECT_EQ(authority.published(100), nullptr);
  EXPECT_FALSE(authority.restore(as_bytes("{}")).has_value());
}

TEST(Authority, RemembersWhoSignedTwoOfOneNumberAcrossARestart) {
  SeededRandom random{1};
  const auto key = key_of(9'000);
  const auto options = options_of(test::authorities_of(1, 1));
  const auto now = options.epochs.start(99) + 1s;
  const auto take = [&](Authority& authority, const SignedDescriptor& said) {
    return authority.on_descriptor(as_bytes(to_json(said)), host_of(1), now);
  };
  Authority before{options, key, random};
  ASSERT_TRUE(take(before, signed_node(1, 4)));
  ASSERT_FALSE(take(before, signed_node(1, 4, 7)));
  Authority after{options, key, random};
  ASSERT_TRUE(after.restore(as_bytes(before.memory())));
  EXPECT_EQ(after.memory(), before.memory());
  EXPECT_EQ(take(after, signed_node(1, 4)).error().code, Errc::already_exists);
  EXPECT_TRUE(take(after, signed_node(1, 5)));  // a higher number heals it
}

TEST(Authority, IsNotMadeToListANodeByOneVote) {
  AuthorityWorld world{3, 2, {}, 15};
  world.submit(signed_node(1));
  world.submit(signed_node(2), 0);
  world.submit(signed_node(3), 0);
  world.submit(signed_node(3), 1);
  world.run(100);
  world.run(101);  // what was in the votes for 100 is known by now
  const auto document = document_at(world, 2, 101);
  ASSERT_TRUE(document.has_value());
  EXPECT_TRUE(lists(*document, 1));
  EXPECT_FALSE(lists(*document, 2));
  EXPECT_TRUE(lists(*document, 3));
}

TEST(Authority, AdoptsWhatOthersPublished) {
  AuthorityWorld world{3, 2, {}, 13};
  SeededRandom random{1};
  const auto key = key_of(9'002);
  Authority late{options_of(world.authorities()), key, random};
  auto document = test::signed_by(test::document_of(100, 3, 1), 2);
  EXPECT_TRUE(late.adopt(document).has_value());
  EXPECT_EQ(*late.published(100), to_json(document));
  auto unsigned_one = test::signed_by(test::document_of(101, 3, 1), 1);
  EXPECT_EQ(late.adopt(unsigned_one).error().code, Errc::bad_signature);
}

/// simulate runs one epoch with as many bad authorities as the threshold allows and checks what must hold:
/// all good ones that are alive publish, and the same bytes.
void simulate(std::size_t count, std::size_t threshold, std::uint64_t seed) {
  SCOPED_TRACE("n " + std::to_string(count) + " t " + std::to_string(threshold) + " seed " +
               std::to_string(seed));
  SeededRandom random{seed};
  std::vector<Conduct> conduct(count, Conduct::honest);
  constexpr Conduct kinds[] = {Conduct::silent, Conduct::crashes,      Conduct::twin,
                               Conduct::picks,  Conduct::wrong_reveal, Conduct::forges};
  for (auto bad = random.below(count - threshold + 1); bad > 0; --bad) {
    conduct[random.below(count)] = kinds[random.below(std::size(kinds))];
  }
  AuthorityWorld world{count, threshold, conduct, random.u64()};
  for (std::uint64_t n = 1; n <= 3; ++n) world.submit(signed_node(n));
  for (std::size_t i = 0; i < world.members().size(); ++i) {
    if (random.below(2) == 0) world.submit_to(i, signed_node(4));  // about half of the votes: twins decide
  }
  world.run(100);
  std::set<std::string> documents;
  std::size_t honest = 0, published = 0;
  for (std::size_t i = 0; i < world.members().size(); ++i) {
    if (world.members()[i]->conduct != Conduct::honest) continue;
    ++honest;
    const auto document = document_at(world, i, 100);
    if (!document) continue;
    ++published;
    documents.insert(document_text(*document));
    for (std::uint64_t n = 1; n <= 3; ++n) EXPECT_TRUE(lists(*document, n));
  }
  EXPECT_EQ(published, honest);
  EXPECT_EQ(documents.size(), 1U);
}

constexpr std::pair<std::size_t, std::size_t> sizes[] = {{3, 2}, {3, 3}, {4, 3}, {5, 3}, {5, 4}};

TEST(AuthoritySimulation, AllGoodAuthoritiesPublishTheSameBytes) {
  for (const auto& [count, threshold] : sizes) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) simulate(count, threshold, seed);
  }
}

TEST(AuthoritySimulationSoak, AllGoodAuthoritiesPublishTheSameBytes) {
  const std::uint64_t seeds = std::getenv("CI") != nullptr ? 20 : 400;
  for (const auto& [count, threshold] : sizes) {
    for (std::uint64_t seed = 1'000; seed < 1'000 + seeds; ++seed) simulate(count, threshold, seed);
  }
}

TEST(AuthoritySimulation, TooManyBadOnesCauseNoSecondDocumentWhileMessagesArrive) {
  // More bad ones than n - t: the good ones may fail to agree, but none of them signs twice.
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    AuthorityWorld world{5, 4, {Conduct::twin, Conduct::picks}, seed};
    for (std::uint64_t n = 1; n <= 3; ++n) world.submit(signed_node(n));
    world.run(100);
    std::set<std::string> documents;
    for (std::size_t i = 0; i < world.members().size(); ++i) {
      const auto document = document_at(world, i, 100);
      if (document && world.members()[i]->conduct == Conduct::honest)
        documents.insert(document_text(*document));
    }
    EXPECT_LE(documents.size(), 1U);
  }
}

}  // namespace
}  // namespace village::mix
