#include "village/mix/replay_filter.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/allocations.hpp"
#include "village/base/random.hpp"
#include "village/mix/replay_shard.hpp"

namespace village::mix {
namespace {

TEST(Fingerprint, IsTheFirstEightBytesAndNeverZero) {
  sphinx::ReplayTag tag{};
  EXPECT_EQ(fingerprint(tag), 1U);
  tag[0] = std::byte{0x12};
  tag[7] = std::byte{0x34};
  tag[8] = std::byte{0xFF};
  EXPECT_EQ(fingerprint(tag), 0x1200000000000034U);
}

TEST(ReplayFilter, TellsFreshFromSeenAlsoWithinABatch) {
  ReplayFilter filter{2};
  const std::array<Fingerprint, 4> tags{10, 20, 10, 30};
  const auto first = filter.insert(tags);
  EXPECT_EQ(first.fresh, 0b1011U);
  EXPECT_EQ(first.replayed, 0b0100U);
  const auto second = filter.insert(tags);
  EXPECT_EQ(second.fresh, 0U);
  EXPECT_EQ(second.replayed, 0b1111U);
  EXPECT_EQ(filter.size(), 3U);
  EXPECT_TRUE(filter.contains(20));
  EXPECT_FALSE(filter.contains(21));
}

/// fill adds `count` random tags in batches; returns how many of them it took for replays.
std::uint64_t fill(ReplayFilter& filter, SeededRandom& random, std::size_t count) {
  std::array<Fingerprint, 64> batch;
  std::uint64_t mistaken = 0;
  for (std::size_t done = 0; done < count; done += batch.size()) {
    for (auto& tag : batch) tag = random.next();
    mistaken += static_cast<std::uint64_t>(__builtin_popcountll(filter.insert(batch).replayed));
  }
  return mistaken;
}

std::uint64_t forgotten(const ReplayFilter& filter, SeededRandom random, std::size_t count) {
  std::uint64_t missing = 0;
  for (std::size_t i = 0; i < count; ++i) missing += !filter.contains(random.next());
  return missing;
}

TEST(ReplayFilter, ForgetsNothingAndErrsRarely) {
  SeededRandom random{11};
  ReplayFilter filter{1};
  const auto tags = limits::replay_segment_tags;
  fill(filter, random, tags);
  EXPECT_EQ(forgotten(filter, SeededRandom{11}, tags), 0U);
  std::uint64_t mistaken = 0;
  constexpr std::uint64_t tries = 4'000'000;
  for (std::uint64_t i = 0; i < tries; ++i) mistaken += filter.contains(random.next());
  EXPECT_LE(mistaken, 40U) << mistaken;  // 1e-5; 20 are to be expected
  EXPECT_GE(mistaken, 3U) << mistaken;   // a filter this full that never errs was not asked
}

// Senders choose tags: if they knew the places too, they could crowd a block.
TEST(ReplayFilter, WithAnotherKeyErrsOnOtherTags) {
  constexpr std::size_t tags = 4'096;
  const auto mistakes = [](std::uint64_t key) {
    ReplayFilter filter{1, tags, key};
    SeededRandom random{16};
    fill(filter, random, tags);
    EXPECT_EQ(forgotten(filter, SeededRandom{16}, tags), 0U);
    std::vector<Fingerprint> found;
    for (int i = 0; i < 4'000'000; ++i) {
      const auto tag = random.next();
      if (filter.contains(tag)) found.push_back(tag);
    }
    return found;
  };
  const auto one = mistakes(1), other = mistakes(2);
  EXPECT_GE(one.size(), 3U);
  EXPECT_GE(other.size(), 3U);
  EXPECT_EQ(mistakes(1), one);
  for (const auto tag : one) EXPECT_EQ(std::ranges::count(other, tag), 0) << tag;
}

TEST(ReplayFilter, AddsSegmentsUpToItsBoundAndThenRefuses) {
  SeededRandom random{12};
  ReplayFilter filter{4, 1'000};
  EXPECT_EQ(filter.capacity(), 4'000U);
  const auto mistaken = fill(filter, random, 3'968);
  EXPECT_EQ(filter.segments(), 4U);
  EXPECT_FALSE(filter.full());
  fill(filter, random, 128 + mistaken);
  EXPECT_TRUE(filter.full());
  EXPECT_EQ(filter.size(), 4'000U);
  const std::array<Fingerprint, 1> other{random.next()};
  EXPECT_EQ(filter.insert(other).refused, 1U);
  EXPECT_FALSE(filter.contains(other[0]));
  EXPECT_EQ(forgotten(filter, SeededRandom{12}, 3'968), 0U);
}

TEST(ReplayFilter, FindsReplaysAcrossTheEdgeOfASegment) {
  SeededRandom random{13};
  ReplayFilter filter{8, 70};  // the edge falls inside every other batch
  for (int round = 0; round < 8; ++round) {
    std::array<Fingerprint, 64> batch;
    for (std::size_t i = 0; i < 64; i += 2) batch[i] = batch[i + 1] = random.next();
    const auto check = filter.insert(batch);
    EXPECT_EQ(check.replayed & 0xAAAAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAA);
    EXPECT_EQ(check.fresh & check.replayed, 0U);
    EXPECT_EQ(filter.insert(batch).replayed, ~std::uint64_t{0});
  }
}

TEST(ReplayFilter, TakesFourBytesATagAndAllocatesOnlySegments) {
  SeededRandom random{14};
  ReplayFilter filter{2};
  EXPECT_EQ(filter.bytes(), limits::replay_segment_tags * 4);
  const auto before = village::test::allocation_count();
  fill(filter, random, 100'000);
  EXPECT_EQ(village::test::allocation_count(), before);
}

TEST(ReplayFilter, IsSizedForWhatAKeyShallTake) {
  EXPECT_EQ(ReplayFilter{replay_sizing(10'000)}.bytes(), 40'000U);
  EXPECT_EQ(ReplayFilter{replay_sizing(0)}.capacity(), 2'048U);
  for (const std::uint64_t packets : {1'000ULL, 1'000'000ULL, 60'000'000ULL}) {
    EXPECT_GE(ReplayFilter{replay_sizing(packets)}.capacity(), packets);
  }
  EXPECT_EQ(replay_sizing(~0ULL >> 1).segments_max, limits::replay_segments_max);
}

TEST(ReplayOwner, SpreadsTagsEvenlyAndAlike) {
  SeededRandom random{15};
  for (const std::uint32_t workers : {1U, 2U, 3U, 7U}) {
    std::vector<int> counts(workers);
    for (int i = 0; i < 10'000; ++i) ++counts.at(owner_of(random.next(), workers));
    for (const auto count : counts) EXPECT_NEAR(count, 10'000 / static_cast<int>(workers), 400);
  }
}

class Memory final : public ReplayJournal {
 public:
  explicit Memory(std::vector<Fingerprint>& tags, std::size_t room) : tags_{tags}, room_{room} {}
  bool append(std::span<const Fingerprint> tags) override {
    if (tags_.size() + tags.size() > room_) return false;
    tags_.insert(tags_.end(), tags.begin(), tags.end());
    return true;
  }

 private:
  std::vector<Fingerprint>& tags_;
  std::size_t room_;
};

TEST(ReplayShard, WritesFreshTagsOnceBeforeItAnswers) {
  std::vector<Fingerprint> kept;
  ReplayShard shard{ReplayFilter{1}, std::make_unique<Memory>(kept, 100)};
  EXPECT_EQ(shard.check(std::array<Fingerprint, 3>{5, 6, 5}).fresh, 0b011U);
  EXPECT_EQ(shard.check(std::array<Fingerprint, 2>{6, 7}).fresh, 0b10U);
  EXPECT_EQ(kept, (std::vector<Fingerprint>{5, 6, 7}));
}

TEST(ReplayShard, RefusesEverythingOnceItsJournalFailed) {
  std::vector<Fingerprint> kept;
  ReplayShard shard{ReplayFilter{1}, std::make_unique<Memory>(kept, 2)};
  EXPECT_EQ(shard.check(std::array<Fingerprint, 2>{1, 2}).fresh, 0b11U);
  EXPECT_FALSE(shard.closed());
  const auto failed = shard.check(std::array<Fingerprint, 2>{2, 3});
  EXPECT_EQ(failed.fresh, 0U);
  EXPECT_EQ(failed.refused, 0b10U);
  EXPECT_TRUE(shard.closed());
  EXPECT_EQ(shard.check(std::array<Fingerprint, 1>{4}).refused, 1U);
  EXPECT_EQ(kept.size(), 2U);
}

}  // namespace
}  // namespace village::mix
