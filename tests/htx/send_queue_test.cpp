#include "htx/send_queue.hpp"

#include <gtest/gtest.h>

#include "htx/pair.hpp"
#include "support/allocations.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

TEST(SendQueue, GivesBackWhatWasPushed) {
  SeededRandom random{1};
  for (const std::size_t block : {100U, 2'048U, 16'384U, 65'498U}) {
    SendQueue queue;
    Bytes in, out;
    for (int i = 0; i < 2'000; ++i) {
      const auto piece = test::pattern(random.below(i % 10 == 0 ? 40'000 : 300), random.next());
      queue.push(piece, block);
      in.insert(in.end(), piece.begin(), piece.end());
      for (auto left = random.below(6'000); left > 0 && !queue.empty();) {
        const auto count = std::min<std::size_t>(left, queue.front().size());
        ASSERT_GT(count, 0U);
        out.insert(out.end(), queue.front().begin(),
                   queue.front().begin() + static_cast<std::ptrdiff_t>(count));
        queue.pop(count);
        left -= count;
      }
      ASSERT_EQ(queue.size(), in.size() - out.size());
    }
    for (; !queue.empty(); queue.pop(queue.front().size())) {
      out.insert(out.end(), queue.front().begin(), queue.front().end());
    }
    EXPECT_EQ(in, out);
  }
}

TEST(SendQueue, BulkComesOutInWholeBlocks) {
  for (const std::size_t block : {777U, 16'384U, 40'000U, 65'498U}) {
    SendQueue queue;
    queue.push(test::pattern(4 * block, 1), block);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(queue.front().size(), block);
      queue.pop(queue.front().size());
    }
    EXPECT_TRUE(queue.empty() && queue.front().empty());
  }
}

TEST(BlockPool, KeepsBlocksUpToItsBound) {
  auto& pool = BlockPool::local();
  pool.trim();
  {
    SendQueue queue;
    queue.push(Bytes(2 * limits::pooled_bytes_max), 16'384);
  }
  EXPECT_LE(pool.pooled_bytes(), limits::pooled_bytes_max);
  EXPECT_GT(pool.pooled_bytes(), limits::pooled_bytes_max / 2);
  const auto before = test::allocation_count();
  const Bytes lump(100'000);
  const auto with_lump = test::allocation_count();
  {
    SendQueue queue;
    queue.push(lump, 16'384);
  }
  EXPECT_EQ(test::allocation_count(), with_lump);
  EXPECT_EQ(with_lump, before + 1);
  pool.trim();
  EXPECT_EQ(pool.pooled_bytes(), 0U);
}

TEST(BlockPool, FullOfOneSizeKeepsOthersToo) {
  auto& pool = BlockPool::local();
  pool.trim();
  const Bytes small(2'048), large(16'384);
  {
    std::vector<SendQueue> queues(limits::pooled_bytes_max / small.size() + 10);
    for (auto& queue : queues) queue.push(small, small.size());
  }
  EXPECT_LE(pool.pooled_bytes(), limits::pooled_bytes_max);
  const auto turn = [&] {
    SendQueue queue;
    queue.push(large, large.size());
  };
  turn();
  const auto before = test::allocation_count();
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(test::allocation_count(), before);
  EXPECT_LE(pool.pooled_bytes(), limits::pooled_bytes_max);
  pool.trim();
  EXPECT_EQ(pool.pooled_bytes(), 0U);
}

}  // namespace
}  // namespace village::htx
