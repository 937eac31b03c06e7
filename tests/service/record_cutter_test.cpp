#include "service/record_cutter.hpp"

#include <gtest/gtest.h>

#include "village/base/random.hpp"

namespace village::service {
namespace {

Bytes numbered(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = std::byte(i);
  return out;
}

TEST(RecordCutter, GivesTheSameRecordsHoweverTheyAreSplit) {
  constexpr std::size_t size = 7;
  const auto bytes = numbered(10 * size + 3);
  // Every way to cut the stream in three.
  for (std::size_t first = 0; first <= bytes.size(); ++first) {
    for (std::size_t second = first; second <= bytes.size(); ++second) {
      RecordCutter cutter{size};
      Bytes seen;
      std::size_t records = 0;
      const ByteView all{bytes};
      for (const auto piece : {all.first(first), all.subspan(first, second - first), all.subspan(second)}) {
        cutter.cut(piece, [&](ByteView record) {
          EXPECT_EQ(record.size(), size);
          seen.insert(seen.end(), record.begin(), record.end());
          ++records;
          return true;
        });
      }
      ASSERT_EQ(records, 10U) << first << " " << second;
      ASSERT_TRUE(std::equal(seen.begin(), seen.end(), bytes.begin())) << first << " " << second;
    }
  }
}

TEST(RecordCutter, TakesWholeRecordsFromWhereTheyLie) {
  RecordCutter cutter{4};
  const auto bytes = numbered(8);
  std::vector<const std::byte*> places;
  const auto note = [&](ByteView record) {
    places.push_back(record.data());
    return true;
  };
  cutter.cut(bytes, note);
  EXPECT_EQ(places, (std::vector<const std::byte*>{bytes.data(), bytes.data() + 4}));
}

TEST(RecordCutter, ThrowsTheRestAwayWhenItIsTold) {
  RecordCutter cutter{4};
  const auto bytes = numbered(15);
  std::size_t records = 0;
  const auto two = [&](ByteView) { return ++records < 2; };
  cutter.cut(bytes, two);
  EXPECT_EQ(records, 2U);
  cutter.cut(ByteView{bytes}.first(4), two);
  EXPECT_EQ(records, 3U) << "no part of what came behind is kept";
}

TEST(RecordCutter, ForgetsAPartForAnotherStream) {
  RecordCutter cutter{4};
  const auto bytes = numbered(8);
  Bytes seen;
  const auto keep = [&](ByteView record) {
    seen.insert(seen.end(), record.begin(), record.end());
    return true;
  };
  cutter.cut(ByteView{bytes}.first(3), keep);
  EXPECT_TRUE(seen.empty());
  cutter.reset();
  cutter.cut(ByteView{bytes}.subspan(4), keep);
  EXPECT_TRUE(std::equal(seen.begin(), seen.end(), bytes.begin() + 4, bytes.end()));
}

}  // namespace
}  // namespace village::service
