// Shapes: the table of parts, record sizes, and sessions that keep to one, on time that the test moves.
#include "village/htx/shape.hpp"

#include <gtest/gtest.h>

#include "htx/pair.hpp"
#include "support/statistics.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using namespace std::chrono_literals;
using test::ks_p;
using test::Pair;
using test::pattern;

Distribution uniform(std::uint64_t low, std::uint64_t high) { return *Distribution::make({{low, high, 1}}); }

std::function<double(std::uint64_t)> cdf_of(const Distribution& distribution) {
  return [&distribution](std::uint64_t value) { return distribution.cdf(value); };
}

Shape::Parts example() {
  Shape::Parts parts;
  parts.name = "example";
  ShapeSide side;
  side.ping_interval = uniform(10'000'000, 60'000'000);
  side.idle_padding_delay = uniform(200'000, 1'200'000);
  side.idle_padding_count = *Distribution::make({{0, 0, 1}, {2, 3, 2}});
  side.idle_padding_size = *Distribution::make({{0, 0, 1}, {100, 3'000, 4}});
  side.handshake_padding = uniform(100, 900);
  side.small_record = uniform(100, 700);
  side.first_record = uniform(1'000, 1'400);
  side.first_bytes = uniform(20'000, 60'000);
  side.first_again = uniform(500'000, 1'500'000);
  side.bulk_record = *Distribution::make({{8'000, 9'000, 1}, {16'384, 16'384, 3}});
  parts.client = side;
  parts.server = side;
  parts.websocket_idle_timeout = uniform(55'000'000, 65'000'000);
  return parts;
}

std::shared_ptr<const Shape> made(Shape::Parts parts) {
  auto shape = Shape::make(std::move(parts));
  EXPECT_TRUE(shape);
  return *shape;
}

/// quiet is a shape in which nothing happens but what a test turns on.
Shape::Parts quiet() {
  Shape::Parts parts;
  parts.name = "quiet";
  parts.websocket_idle_timeout = uniform(60'000'000, 60'000'000);
  return parts;
}

TEST(Shape, RefusesWhatIsOutOfRange) {
  for (const auto& row : shape_parts()) {
    for (auto side : {&Shape::Parts::client, &Shape::Parts::server}) {
      auto parts = quiet();
      parts.*side.*row.member = uniform(row.least, row.most);
      EXPECT_TRUE(Shape::make(parts)) << row.name;
      parts.*side.*row.member = uniform(row.least, row.most + 1);
      EXPECT_FALSE(Shape::make(parts)) << row.name;
      if (row.least == 0) continue;
      parts.*side.*row.member = uniform(row.least - 1, row.most);
      EXPECT_FALSE(Shape::make(parts)) << row.name;
    }
  }
  auto parts = quiet();
  parts.websocket_idle_timeout = {};
  EXPECT_FALSE(Shape::make(parts));
}

TEST(Shape, DrawsItsTimeout) {
  const auto shape = made(example());
  SeededRandom random{1};
  std::vector<std::uint64_t> drawn;
  for (int i = 0; i < 1'000; ++i) {
    drawn.push_back(static_cast<std::uint64_t>(shape->draw_websocket_timeout(random) / 1us));
  }
  EXPECT_GT(ks_p(drawn, cdf_of(shape->websocket_idle_timeout())), 1e-3);
}

TEST(Shape, FasterDividesTimesOnly) {
  const auto shape = made(example());
  const auto quick = shape->faster(1'000);
  EXPECT_EQ(quick->side(Role::client).ping_interval, uniform(10'000, 60'000));
  EXPECT_EQ(quick->side(Role::client).small_record, shape->side(Role::client).small_record);
  EXPECT_EQ(quick->side(Role::server).idle_padding_count, shape->side(Role::server).idle_padding_count);
}

TEST(RecordSizes, BeginSmallAndGoOnInBulk) {
  const auto shape = made(example());
  const auto& side = shape->side(Role::server);
  SeededRandom random{2};
  std::vector<std::uint64_t> first, bulk, first_bytes;
  Instant now{1h};
  for (int round = 0; round < 300; ++round) {
    RecordSizes sizes{shape, Role::server};
    std::uint64_t sent = 0;
    while (sent < 200'000) {
      const auto size = sizes.next(now, random);
      (sent < 1 || size <= 1'400 ? first : bulk).push_back(size);
      if (size > 1'400 && first_bytes.size() <= static_cast<std::size_t>(round)) first_bytes.push_back(sent);
      sizes.wrote(size);
      sent += size;
    }
  }
  EXPECT_GT(ks_p(first, cdf_of(side.first_record)), 1e-3);
  EXPECT_GT(ks_p(bulk, cdf_of(side.bulk_record)), 1e-3);
  // What goes out small overshoots what was drawn by less than one record.
  for (const auto bytes : first_bytes) {
    EXPECT_GE(bytes, side.first_bytes.lowest());
    EXPECT_LT(bytes, side.first_bytes.highest() + side.first_record.highest());
  }
}

TEST(RecordSizes, BeginAnewAfterSilence) {
  const auto shape = made(example());
  SeededRandom random{3};
  Instant now{1h};
  RecordSizes sizes{shape, Role::server};
  const auto warm_up = [&] {
    for (int i = 0; i < 100; ++i) sizes.wrote(sizes.next(now, random));
  };
  warm_up();
  now += 400ms;
  EXPECT_GT(sizes.next(now, random), 1'400U);
  now += 1'600ms;
  EXPECT_LE(sizes.next(now, random), 1'400U);
}

TEST(RecordSizes, WithoutWordsAreFullRecords) {
  SeededRandom random{4};
  RecordSizes sizes{made(quiet()), Role::client};
  EXPECT_EQ(sizes.next(Instant{1h}, random), 16'384U);
}

/// Wire collects the sizes of what one side of a pair writes at once, and when.
struct Wire {
  explicit Wire(std::shared_ptr<const Shape> shape) {
    Settings settings;
    settings.shape = std::move(shape);
    settings.handshake_rtt = 1ms;
    pair.emplace(settings, settings);
    pair->pump();
  }
  /// step moves time to the next thing that either session wants to do, and lets them do it.
  void step() {
    auto due =
        std::min(pair->client.session.next_deadline().value(), pair->server.session.next_deadline().value());
    pair->now = std::max(due, pair->now);
    for (auto* end : {&pair->client, &pair->server}) end->session.on_deadline(pair->now);
    for (bool moved = true; moved;) {
      moved = false;
      for (auto* end : {&pair->client, &pair->server}) {
        const auto bytes = end->give(pair->now);
        if (bytes.empty()) continue;
        moved = true;
        auto& other = end == &pair->client ? pair->server : pair->client;
        if (end == &pair->client) ++writes;
        other.take(bytes, pair->now);
      }
    }
  }
  std::optional<Pair> pair;
  std::size_t writes = 0;  ///< of the client
};

std::uint64_t us(Duration duration) { return static_cast<std::uint64_t>(duration / 1us); }

TEST(ShapedSession, PingsComeAtTimesOfTheShape) {
  auto parts = quiet();
  parts.client.ping_interval = uniform(10'000'000, 60'000'000);
  parts.client.small_record = *Distribution::make({{100, 100, 1}, {300, 900, 2}});
  const auto shape = made(parts);
  Settings still, settings;
  still.ping_interval = 0s;
  settings.shape = shape;
  settings.handshake_rtt = still.handshake_rtt = 1ms;
  Pair pair{settings, still};
  pair.pump();
  std::vector<std::uint64_t> intervals, sizes;
  auto last = pair.now;
  while (intervals.size() < 1'000) {
    // Deadlines of other things (memory, streams' credit) pass without a word.
    pair.now = std::max(pair.now, pair.client.session.next_deadline().value());
    pair.client.session.on_deadline(pair.now);
    const auto bytes = pair.client.give(pair.now);
    if (bytes.empty()) continue;
    intervals.push_back(us(pair.now - last));
    sizes.push_back(bytes.size());
    last = pair.now;
    pair.server.take(bytes, pair.now);
    pair.client.take(pair.server.give(pair.now), pair.now);
  }
  EXPECT_GT(ks_p(intervals, cdf_of(shape->side(Role::client).ping_interval)), 1e-3);
  EXPECT_GT(ks_p(sizes, cdf_of(shape->side(Role::client).small_record)), 1e-3);
  EXPECT_FALSE(pair.client.closed);
}

TEST(ShapedSession, TrafficDoesNotPutOffAPing) {
  auto parts = quiet();
  parts.client.ping_interval = uniform(10'000'000, 11'000'000);
  Settings settings;
  settings.shape = made(parts);
  settings.handshake_rtt = 1ms;
  Pair pair{settings, {}};
  pair.pump();
  const auto begin = pair.now;
  while (pair.client.pongs.empty() && pair.now < begin + 20s) {
    pair.now += 100ms;
    pair.server.session.ping(pair.now);  // the client hears something all the time
    pair.client.session.on_deadline(pair.now);
    pair.pump();
  }
  EXPECT_GE(pair.now - begin, 10s);
  EXPECT_LE(pair.now - begin, 11'100ms);
}

TEST(ShapedSession, AnUnansweredPingStillEndsTheSession) {
  auto parts = quiet();
  parts.client.ping_interval = uniform(10'000'000, 10'000'000);
  Settings settings;
  settings.shape = made(parts);
  settings.handshake_rtt = 1ms;
  Pair pair{settings, {}};
  pair.pump();
  pair.now += 10s;
  pair.client.session.on_deadline(pair.now);
  EXPECT_FALSE(pair.client.give(pair.now).empty());
  pair.now += 19s;
  pair.client.session.on_deadline(pair.now);
  EXPECT_TRUE(pair.client.give(pair.now).empty());
  pair.now += 1s;
  pair.client.session.on_deadline(pair.now);
  pair.client.drain_events(pair.now);
  EXPECT_TRUE(pair.client.closed);
}

TEST(ShapedSession, PaddingFollowsDataAsDrawnAndThenStops) {
  auto parts = quiet();
  parts.client.idle_padding_delay = uniform(200'000, 1'200'000);
  parts.client.idle_padding_count = uniform(3, 3);
  parts.client.idle_padding_size = uniform(100, 3'000);
  const auto shape = made(parts);
  Settings settings;
  settings.shape = shape;
  settings.handshake_rtt = 1ms;
  settings.ping_interval = 0s;
  Pair pair{settings, {}};
  pair.pump();
  const auto stream = pair.client.session.open();
  std::vector<std::uint64_t> delays, sizes;
  for (int round = 0; round < 300; ++round) {
    pair.client.session.send(*stream, as_bytes("data"), false);
    pair.pump();
    auto last = pair.now;
    std::size_t count = 0;
    while (const auto due = pair.client.session.next_deadline()) {
      pair.now = std::max(pair.now, *due);
      pair.client.session.on_deadline(pair.now);
      const auto bytes = pair.client.give(pair.now);
      if (bytes.empty()) continue;
      ++count;
      delays.push_back(us(pair.now - last));
      sizes.push_back(bytes.size());
      last = pair.now;
      pair.server.take(bytes, pair.now);
    }
    EXPECT_EQ(count, 3U);
  }
  EXPECT_GT(ks_p(delays, cdf_of(shape->side(Role::client).idle_padding_delay)), 1e-3);
  EXPECT_GT(ks_p(sizes, cdf_of(shape->side(Role::client).idle_padding_size)), 1e-3);
  std::uint64_t total = 0;
  for (const auto size : sizes) total += size;
  EXPECT_GE(pair.client.session.statistics().padding_bytes_out, total);
  EXPECT_EQ(pair.client.session.statistics().padding_bytes_out,
            pair.server.session.statistics().padding_bytes_in);
}

TEST(ShapedSession, DataDropsAPaddingThatWaits) {
  auto parts = quiet();
  parts.client.idle_padding_delay = uniform(500'000, 500'000);
  parts.client.idle_padding_size = uniform(1'000, 1'000);
  Settings settings;
  settings.shape = made(parts);
  settings.handshake_rtt = 1ms;
  Pair pair{settings, {}};
  pair.pump();
  const auto stream = pair.client.session.open();
  pair.client.session.send(*stream, as_bytes("a"), false);
  pair.pump();
  pair.now += 500ms;
  pair.client.session.on_deadline(pair.now);
  ASSERT_TRUE(pair.client.session.wants_transmit());
  pair.client.session.send(*stream, as_bytes("b"), false);
  EXPECT_LT(pair.client.give(pair.now).size(), 100U);
  EXPECT_FALSE(pair.client.session.wants_transmit());
  EXPECT_EQ(pair.client.session.statistics().padding_bytes_out, 0U);
}

TEST(ShapedSession, BulkIsNotPadded) {
  Settings settings;
  settings.shape = made(example());
  settings.handshake_rtt = 1ms;
  Pair pair{settings, settings};
  pair.pump();
  const auto before = pair.client.session.statistics().padding_bytes_out;
  const auto stream = pair.client.session.open();
  const auto data = pattern(20'000, 1);
  ASSERT_EQ(pair.client.session.send(*stream, data, false), data.size());
  pair.server.take(pair.client.give(pair.now), pair.now);
  EXPECT_EQ(pair.client.session.statistics().padding_bytes_out, before);
  EXPECT_EQ(pair.server.received[*stream], data);
}

TEST(ShapedSession, TheServersFirstFramesCarryItsHandshakePadding) {
  auto parts = quiet();
  parts.server.handshake_padding = uniform(400, 800);
  const auto shape = made(parts);
  std::vector<std::uint64_t> extra;
  for (int round = 0; round < 300; ++round) {
    SeededRandom random{static_cast<std::uint64_t>(round) + 100};
    Settings settings;
    settings.shape = shape;
    settings.handshake_rtt = 1ms;
    Session server{Role::server, test::session_keys(Role::server, crypto::AeadAlgorithm::aes_256_gcm),
                   settings, random, Instant{1h}};
    Bytes out(65'536);
    (void)server.poll_transmit(out, Instant{1h});
    extra.push_back(server.statistics().padding_bytes_out);
  }
  EXPECT_GT(ks_p(extra, cdf_of(shape->side(Role::server).handshake_padding)), 1e-3);
}

TEST(ShapedSession, WithoutAShapeNothingIsPadded) {
  Pair pair;
  pair.pump();
  const auto stream = pair.client.session.open();
  pair.client.session.send(*stream, as_bytes("data"), true);
  pair.pump();
  EXPECT_EQ(pair.client.session.statistics().padding_bytes_out, 0U);
  EXPECT_EQ(pair.server.session.statistics().padding_bytes_out, 0U);
}

/// Two shaped sessions left alone fall silent but for PINGs: neither keeps the other awake.
TEST(ShapedSession, TwoIdleSidesDoNotAnswerEachOther) {
  Wire wire{made(example())};
  auto& pair = *wire.pair;
  const auto begin = pair.now;
  while (pair.now < begin + 1h) wire.step();
  // At most three paddings from the start, then a PING or its echo, each way, every 10 to 60 s.
  EXPECT_LE(wire.writes, 3U + 2 * 360U);
  EXPECT_GE(wire.writes, 2 * 60U);
  EXPECT_FALSE(pair.client.closed);
  EXPECT_FALSE(pair.server.closed);
}

}  // namespace
}  // namespace village::htx
