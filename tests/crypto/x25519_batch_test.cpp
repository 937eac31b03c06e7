// Every kernel that runs here, against OpenSSL, published vectors and the awkward inputs, in every lane.
#include "village/crypto/x25519_batch.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/check.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/random.hpp"
#include "village/crypto/x25519.hpp"

namespace village::crypto {
namespace {

using Rows32 = std::vector<ByteArray<32>>;

ByteArray<32> array32(std::string_view text) {
  const auto bytes = test::hex(text);
  ByteArray<32> out;
  VG_CHECK(bytes.size() == out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// small is a little-endian number; minus counts down from 2^255 - 19 = p.
ByteArray<32> small(unsigned value) {
  ByteArray<32> out{};
  out[0] = static_cast<std::byte>(value);
  return out;
}
ByteArray<32> p_plus(int offset) {  // offset -237 .. 18
  ByteArray<32> out;
  out.fill(std::byte{0xff});
  out[0] = static_cast<std::byte>(0xed + offset);
  out[31] = std::byte{0x7f};
  return out;
}

ByteArray<32> expected(const ByteArray<32>& scalar, const ByteArray<32>& point) {
  ByteArray<32> out{};
  if (const auto shared = x25519(X25519Private{scalar}, point)) {
    std::copy(shared->view().begin(), shared->view().end(), out.begin());
  }
  return out;
}

/// multiplied runs one kernel over all rows, 64 at a time, and checks the mask against the results.
Rows32 multiplied(CpuLevel level, const Rows32& scalars, const Rows32& points) {
  Rows32 results(points.size());
  for (std::size_t begin = 0; begin < points.size(); begin += limits::batch_rows_max) {
    const auto count = std::min(limits::batch_rows_max, points.size() - begin);
    const auto zeros = x25519_batch(level, ConstRows{std::span{scalars}}.part(begin, count),
                                    ConstRows{std::span{points}}.part(begin, count),
                                    Rows{std::span{results}}.part(begin, count));
    for (std::size_t i = 0; i < count; ++i)
      EXPECT_EQ((zeros >> i & 1) != 0, results[begin + i] == ByteArray<32>{}) << name(level) << " row " << i;
    EXPECT_EQ(count == 64 ? 0 : zeros >> count, 0U);
  }
  return results;
}

/// edge_points are where reductions and masks go wrong.
Rows32 edge_points() {
  Rows32 points{small(0), small(1), small(2), small(9), small(255)};
  for (int offset = -20; offset <= 18; ++offset) points.push_back(p_plus(offset));
  points.push_back(array32("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"));
  points.push_back(array32("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"));
  const auto count = points.size();
  for (std::size_t i = 0; i < count; ++i) {  // the same with bit 255
    points.push_back(points[i]);
    points.back()[31] |= std::byte{0x80};
  }
  return points;
}

void fill(Rows32& rows, RandomSource& random) {
  for (auto& row : rows) random.fill(row);
}

void equal_openssl(std::size_t batches, std::uint64_t seed) {
  SeededRandom random{seed};
  Rows32 scalars(64), points(64), wanted(64);
  for (std::size_t i = 0; i < batches; ++i) {
    fill(scalars, random);
    fill(points, random);
    if (i % 16 == 15)
      points[i / 16 % 64] = edge_points()[i % 7];  // now and then a low-order lane among others
    for (std::size_t row = 0; row < 64; ++row) wanted[row] = expected(scalars[row], points[row]);
    for (const auto level : available_cpu_levels())
      ASSERT_EQ(multiplied(level, scalars, points), wanted)
          << name(level) << " batch " << i << " seed " << seed;
  }
}

TEST(X25519Batch, EveryKernelEqualsOpensslOnRandomInputs) { equal_openssl(1600, 7); }  // 102,400 products
TEST(X25519BatchSoak, EveryKernelEqualsOpensslOnTwoMillionInputs) { equal_openssl(32'000, 8); }

TEST(X25519Batch, EdgePointsInEveryLane) {
  SeededRandom random{9};
  const auto edges = edge_points();
  for (std::size_t shift = 0; shift < 8; ++shift) {
    Rows32 scalars(shift + edges.size()), points(shift + edges.size()), wanted;
    fill(scalars, random);
    fill(points, random);
    std::copy(edges.begin(), edges.end(), points.begin() + static_cast<std::ptrdiff_t>(shift));
    for (std::size_t i = 0; i < points.size(); ++i) wanted.push_back(expected(scalars[i], points[i]));
    for (const auto level : available_cpu_levels())
      EXPECT_EQ(multiplied(level, scalars, points), wanted) << name(level) << " shift " << shift;
  }
}

TEST(X25519Batch, IncompleteVectorsLeaveTheirNeighboursAlone) {
  SeededRandom random{10};
  Rows32 scalars(64), points(64);
  fill(scalars, random);
  fill(points, random);
  points[2] = points[40] = small(1);
  const auto wanted = multiplied(CpuLevel::portable, scalars, points);
  for (const auto level : available_cpu_levels()) {
    for (std::size_t count = 1; count <= 64; ++count) {
      Rows32 results(65);
      results[count].fill(std::byte{0x5a});
      const auto zeros =
          x25519_batch(level, ConstRows{std::span{scalars}}.part(0, count),
                       ConstRows{std::span{points}}.part(0, count), Rows{std::span{results}}.part(0, count));
      EXPECT_TRUE(
          std::equal(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(count), wanted.begin()));
      EXPECT_EQ(results[count][0], std::byte{0x5a}) << name(level) << " wrote behind row " << count;
      EXPECT_EQ(zeros, (count > 2 ? 4U : 0U) | (count > 40 ? std::uint64_t{1} << 40 : 0U));
    }
  }
}

TEST(X25519Batch, OneScalarForAllAndResultsOverThePoints) {
  SeededRandom random{11};
  ByteArray<32> key;
  random.fill(key);
  Rows32 points(64), wanted;
  fill(points, random);
  for (const auto& point : points) wanted.push_back(expected(key, point));
  for (const auto level : available_cpu_levels()) {
    auto work = points;
    x25519_batch(level, ConstRows::repeated(key, 64), ConstRows{Rows{std::span{work}}},
                 Rows{std::span{work}});
    EXPECT_EQ(work, wanted) << name(level);
  }
}

TEST(X25519Batch, RowsMayLieFarApart) {
  SeededRandom random{12};
  Bytes slots(20 * 100);
  random.fill(slots);
  const ConstRows scalars{slots, 32, 100, 20};
  const ConstRows points{ByteView{slots}.subspan(40), 32, 100, 20};
  for (const auto level : available_cpu_levels()) {
    Bytes out(20 * 50);
    const Rows results{out, 32, 50, 20};
    x25519_batch(level, scalars, points, results);
    for (std::size_t i = 0; i < 20; ++i) {
      ByteArray<32> k, u;
      std::copy(scalars[i].begin(), scalars[i].end(), k.begin());
      std::copy(points[i].begin(), points[i].end(), u.begin());
      EXPECT_EQ(to_hex(results[i]), to_hex(expected(k, u)));
      EXPECT_EQ(out[i * 50 + 32 < out.size() ? i * 50 + 32 : 49], std::byte{0});
    }
  }
}

/// iterated is RFC 7748 5.2: k, u = X25519(k, u), k. In every lane at once.
std::string iterated(CpuLevel level, std::size_t lanes, int rounds) {
  Rows32 k(lanes, small(9)), u = k, next(lanes);
  for (int i = 0; i < rounds; ++i) {
    x25519_batch(level, ConstRows{std::span<const ByteArray<32>>{k}},
                 ConstRows{std::span<const ByteArray<32>>{u}}, Rows{std::span{next}});
    u = k;
    k = next;
  }
  for (const auto& row : k) EXPECT_EQ(row, k.front());
  return to_hex(k.front());
}

TEST(X25519Batch, Rfc7748Iterations) {
  for (const auto level : available_cpu_levels()) {
    EXPECT_EQ(iterated(level, 8, 1), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    EXPECT_EQ(iterated(level, 8, 1000), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
  }
}

TEST(X25519BatchSoak, Rfc7748MillionIterations) {
  for (const auto level : available_cpu_levels()) {
    EXPECT_EQ(iterated(level, 1, 1'000'000),
              "7c3911e0ab2586fd864497297e575e6f3bc601c0883c30df5f4dd2d24f665424")
        << name(level);
  }
}

/// vectors_in_every_lane shifts the cases by one row, eight times: kernels have at most eight lanes.
void vectors_in_every_lane(const std::string& text) {
  Rows32 scalars, points, wanted;
  const auto file = nlohmann::json::parse(text);
  for (const auto& group : file.at("testGroups")) {
    for (const auto& test : group.at("tests")) {
      if (test.at("public").get<std::string>().size() != 64) continue;
      scalars.push_back(array32(test.at("private").get<std::string>()));
      points.push_back(array32(test.at("public").get<std::string>()));
      wanted.push_back(array32(test.at("shared").get<std::string>()));
    }
  }
  ASSERT_GT(points.size(), 0U);
  const auto rotate = [](Rows32& rows) { std::rotate(rows.begin(), rows.begin() + 1, rows.end()); };
  for (std::size_t shift = 0; shift < 8; ++shift) {
    for (const auto level : available_cpu_levels())
      ASSERT_EQ(multiplied(level, scalars, points), wanted) << name(level) << " shift " << shift;
    rotate(scalars), rotate(points), rotate(wanted);
  }
}

TEST(X25519BatchVectors, WycheproofOfMix) {
  VG_VECTORS(text, "mixnet/wycheproof_x25519.json");
  vectors_in_every_lane(text);
}
TEST(X25519BatchVectors, WycheproofOfTls) {
  VG_VECTORS(text, "tls/wycheproof/x25519_test.json");
  vectors_in_every_lane(text);
}
TEST(X25519BatchVectors, WycheproofOfJet) {
  VG_VECTORS(text, "jetstream/wycheproof_x25519.json");
  vectors_in_every_lane(text);
}

TEST(X25519BatchVectors, Rfc7748File) {
  VG_VECTORS(text, "mixnet/x25519_rfc7748.json");
  Rows32 scalars, points, wanted;
  const auto file = nlohmann::json::parse(text);
  for (const auto& test : file.at("vectors")) {
    scalars.push_back(array32(test.at("scalar").get<std::string>()));
    points.push_back(array32(test.at("u").get<std::string>()));
    wanted.push_back(array32(test.at("out").get<std::string>()));
  }
  ASSERT_GT(points.size(), 0U);
  for (const auto level : available_cpu_levels()) EXPECT_EQ(multiplied(level, scalars, points), wanted);
}

}  // namespace
}  // namespace village::crypto
