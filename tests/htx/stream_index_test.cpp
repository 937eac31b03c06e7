// Streams by id, whatever ids a peer chooses.
#include "htx/stream_index.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <utility>

#include "htx/stream_table.hpp"
#include "support/allocations.hpp"
#include "village/base/random.hpp"

namespace village::htx {
namespace {

TEST(StreamIndex, FindsWhatWasAddedAndNotErased) {
  constexpr std::uint64_t seed = 5;
  SeededRandom random{seed};
  SCOPED_TRACE(seed);
  for (const StreamId spread : {60U, 3'000U, 0xFFFF'FFFFU}) {
    StreamIndex index{random.u64()};
    std::deque<Stream> streams;
    std::map<StreamId, Stream*> model;
    for (int i = 0; i < 20'000; ++i) {
      const auto id = static_cast<StreamId>(random.below(spread)) + 1;
      const auto known = model.find(id);
      ASSERT_EQ(index.find(id), known == model.end() ? nullptr : known->second);
      ASSERT_EQ(std::as_const(index).find(id), known == model.end() ? nullptr : known->second);
      if (known == model.end()) {
        model[id] = &streams.emplace_back(id, Priority::bulk, Instant{});
        index.add(*model[id]);
      } else if (random.below(3) != 0) {
        index.erase(id);
        model.erase(id);
      }
      ASSERT_EQ(index.size(), model.size());
    }
    std::map<StreamId, Stream*> seen;
    index.for_each([&](Stream& stream) { seen[stream.id] = &stream; });
    EXPECT_EQ(seen, model);
    for (const auto& [id, stream] : model) index.erase(id);
    EXPECT_EQ(index.size(), 0U);
    index.shrink();
    EXPECT_EQ(index.find(1), nullptr);
  }
}

TEST(StreamIndex, TheLastIdsAreAsGoodAsOthers) {
  StreamIndex index{7};
  std::deque<Stream> streams;
  for (const StreamId id : {0xFFFF'FFFFU, 0xFFFF'FFFEU, 0xFFFF'FFFDU, 1U, 2U})
    index.add(streams.emplace_back(id, Priority::bulk, Instant{}));
  for (auto& stream : streams) EXPECT_EQ(index.find(stream.id), &stream);
  EXPECT_EQ(index.find(0xFFFF'FFFCU), nullptr);
}

TEST(StreamTable, StreamsThatComeAndGoAllocateNothing) {
  StreamTable table{Role::client, 3};
  std::array<Stream*, 100> open{};
  std::size_t turns = 0;
  const auto turn = [&] {
    auto& place = open[turns++ % open.size()];
    if (place != nullptr) table.erase(*place);
    place = *table.open_own(Priority::bulk, Instant{});
  };
  for (int i = 0; i < 10'000; ++i) turn();
  const auto before = test::allocation_count();
  for (int i = 0; i < 10'000; ++i) turn();
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_EQ(table.size(), open.size());
}

}  // namespace
}  // namespace village::htx
