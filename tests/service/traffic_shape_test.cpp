// What leaves the socket against the shape: two nodes with outer tls, and a relay between them that reads the
// headers of TLS records and the clock. Each comparison is a Kolmogorov-Smirnov test of a fixed number of
// values at significance 1e-4; what uses constants, or another shape, is refused by the same test.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "support/statistics.hpp"
#include "tunnel_world.hpp"
#include "village/htx/shape.hpp"

namespace village::test {
namespace {

using namespace std::chrono_literals;
using htx::Distribution;
using htx::Role;
using htx::Shape;
using service::Outer;

constexpr double significance = 1e-4;

Distribution uniform(std::uint64_t low, std::uint64_t high) { return *Distribution::make({{low, high, 1}}); }

/// Wire is the relay and what it saw: application records of TLS 1.3, each 17 bytes longer than what is in
/// it.
class Wire {
 public:
  struct Record {
    Instant time;
    std::size_t size;  ///< of the plaintext
  };
  using Records = std::vector<Record>;

  Wire(TunnelWorld& world, Target upstream) : world_{world}, upstream_{std::move(upstream)} {
    address =
        world.serve([this](net::Core& core, net::StreamPtr near) { return relay(core, std::move(near)); });
  }

  /// seen gives what one side has sent so far.
  Records seen(Role from) {
    return world_.run(servers, [&](net::Core&) -> boost::asio::awaitable<Records> {
      co_return records_[from == Role::client ? 0 : 1];
    });
  }
  /// count is for conditions of `until`, on the servers' core.
  std::size_t count(Role from) const { return records_[from == Role::client ? 0 : 1].size(); }
  /// forget begins anew: what the handshake said is of no interest.
  void forget() {
    world_.run(servers, [&](net::Core&) -> asio_void {
      for (auto& each : records_) each.clear();
      co_return;
    });
  }

  Target address{Ipv4Address{}, 0};

 private:
  asio_void relay(net::Core& core, net::StreamPtr near) {
    net::TcpDialer dialer{core};
    auto dialed = co_await dialer.dial(upstream_, net::after(core, 20s));
    if (!dialed) co_return;
    const net::StreamPtr far = std::move(*dialed);
    net::Nursery pumps{core};
    pumps.spawn([&] { return pump(core, *near, *far, records_[0]); });
    pumps.spawn([&] { return pump(core, *far, *near, records_[1]); });
    co_await pumps.join();
  }
  static asio_void pump(net::Core& core, net::Stream& from, net::Stream& to, Records& records) {
    constexpr std::size_t header_bytes = 5, overhead = 17;
    constexpr std::byte application{23};
    Bytes buffer(256 * 1024), header;
    std::size_t body = 0;  // of the record under way, still to come
    for (;;) {
      const auto read = co_await from.read_some(buffer);
      if (!read || *read == 0) break;
      const auto now = core.clock().now();
      for (std::size_t at = 0; at < *read;) {
        if (body > 0) {
          const auto skip = std::min(body, *read - at);
          body -= skip;
          at += skip;
          continue;
        }
        header.push_back(buffer[at++]);
        if (header.size() < header_bytes) continue;
        body = std::to_integer<std::size_t>(header[3]) << 8 | std::to_integer<std::size_t>(header[4]);
        if (header[0] == application && body > overhead) records.push_back({now, body - overhead});
        header.clear();
      }
      const auto written = co_await to.write_all(ByteView{buffer}.first(*read));
      if (!written) break;
    }
    from.close();
    to.close();
  }

  TunnelWorld& world_;
  Target upstream_;
  std::array<Records, 2> records_;  ///< of the client, of the server; on the servers' core
};

/// Parts of a shape in which nothing happens but what a test turns on.
Shape::Parts quiet() {
  Shape::Parts parts;
  parts.name = "quiet";
  parts.websocket_idle_timeout = uniform(60'000'000, 60'000'000);
  return parts;
}

/// What the stream of Shaped leads to: one that sends everything back, or one that never says a word.
enum class Answers { all, none };

/// Shaped is an entry and an exit that keep to a shape, the wire between them, and a stream to a target.
class Shaped {
 public:
  explicit Shaped(std::shared_ptr<const Shape> shape, Answers answers = Answers::all) {
    target = answers == Answers::all ? world.echo() : world.serve(swallow);
    auto pair = world.pair(Outer::tls, [&](Node& from, Node& at) {
      wire.emplace(world, at.address);
      from.options->peers.front().address = wire->address;
      for (auto* node : {&from, &at}) node->options->session.shape = shape;
    });
    entry = &pair.entry;
    stream = world.run(clients, [&](net::Core&) -> boost::asio::awaitable<net::StreamPtr> {
      auto dialed = co_await world.dial(*entry, "exit", target);
      EXPECT_TRUE(dialed);
      co_return dialed ? std::move(*dialed) : nullptr;
    });
    handshake = {wire->seen(Role::client), wire->seen(Role::server)};
    wire->forget();
  }
  ~Shaped() {
    world.run(clients, [&](net::Core&) -> asio_void {
      stream.reset();
      co_return;
    });
  }
  /// say sends bytes and reads them back.
  void say(std::size_t bytes) {
    const auto both = world.run(clients, [&](net::Core& core) -> boost::asio::awaitable<bool> {
      net::Nursery tasks{core};
      bool same = false;
      const auto data = pattern(bytes, 1);
      auto write = [&]() -> asio_void { (void)co_await stream->write_all(data); };
      auto read = [&]() -> asio_void {
        const auto got = co_await read_exactly(*stream, bytes);
        same = got && *got == data;
      };
      tasks.spawn(write);
      tasks.spawn(read);
      co_await tasks.join();
      co_return same;
    });
    EXPECT_TRUE(both);
  }
  /// tell sends bytes and waits for no answer.
  void tell(std::size_t bytes) {
    const auto sent = world.run(clients, [&](net::Core&) -> boost::asio::awaitable<bool> {
      const auto data = pattern(bytes, 1);
      const auto written = co_await stream->write_all(data);
      co_return static_cast<bool>(written);
    });
    EXPECT_TRUE(sent);
  }
  /// wait until one side has sent `count` records; `until` gives up after 20 s, so it is asked in steps.
  Wire::Records wait(Role from, std::size_t count) {
    for (std::size_t before = 0;;) {
      const auto wanted = std::min(count, before + 50);
      const bool came = world.until(servers, [&] { return wire->count(from) >= wanted; });
      before = wanted;
      if (came && wanted < count) continue;
      auto records = wire->seen(from);
      EXPECT_GE(records.size(), count);
      records.resize(std::min(count, records.size()));
      return records;
    }
  }

  std::optional<Wire> wire;                // the world's relays use it: it must live longer
  std::array<Wire::Records, 2> handshake;  ///< what the client, the server said until the stream was there
  TunnelWorld world;
  Target target{Ipv4Address{}, 0};
  Node* entry = nullptr;
  net::StreamPtr stream;

 private:
  static asio_void swallow(net::Core&, net::StreamPtr from) {
    Bytes buffer(4'096);
    for (;;) {
      const auto read = co_await from->read_some(buffer);
      if (!read || *read == 0) co_return;
    }
  }
};

/// Observed are values and the distribution that they should follow.
using Values = std::vector<std::uint64_t>;
double fit(const Values& values, const Distribution& distribution) {
  return ks_p(values, [&](std::uint64_t value) { return distribution.cdf(value); });
}
std::uint64_t us(Duration duration) { return static_cast<std::uint64_t>(duration / 1us); }

Values sizes_of(const Wire::Records& records) {
  Values sizes;
  for (const auto& record : records) sizes.push_back(record.size);
  return sizes;
}
Values intervals_of(const Wire::Records& records) {
  Values intervals;
  for (std::size_t i = 1; i < records.size(); ++i) {
    intervals.push_back(us(records[i].time - records[i - 1].time));
  }
  return intervals;
}

Role other(Role role) { return role == Role::client ? Role::server : Role::client; }
htx::ShapeSide& side(Shape::Parts& parts, Role role) {
  return role == Role::client ? parts.client : parts.server;
}

/// Times of files are seconds; these run 400 times as fast: 25 to 150 ms.
constexpr std::uint64_t haste = 400;

/// pings lets one side say PING and nothing else happen; gives the records of both.
struct Pings {
  Wire::Records asked, echoed;
};
Pings pings(Role role, const Distribution& interval, const Distribution& size, std::size_t count) {
  auto parts = quiet();
  side(parts, role).ping_interval = interval;
  side(parts, other(role)).ping_interval = uniform(3'600'000'000, 3'600'000'000);
  for (auto* each : {&parts.client, &parts.server}) each->small_record = size;
  Shaped pair{(*Shape::make(parts))->faster(haste)};
  Pings seen;
  seen.asked = pair.wait(role, count);
  seen.echoed = pair.wait(other(role), count);
  return seen;
}

const Distribution ping_interval = uniform(10'000'000, 60'000'000);
const Distribution small_record = *Distribution::make({{100, 200, 3}, {500, 500, 2}, {700, 1'200, 1}});

void expect_pings_fit(Role role, std::size_t count) {
  const auto seen = pings(role, ping_interval, small_record, count);
  const auto intervals = intervals_of(seen.asked);
  EXPECT_GT(fit(intervals, ping_interval.divided(haste)), significance);
  EXPECT_GT(fit(sizes_of(seen.asked), small_record), significance);
  EXPECT_GT(fit(sizes_of(seen.echoed), small_record), significance);
  // The same test tells other shapes apart.
  EXPECT_LT(fit(intervals, uniform(10'000'000, 40'000'000).divided(haste)), significance);
  EXPECT_LT(fit(sizes_of(seen.asked), uniform(100, 1'200)), significance);
}

TEST(TrafficShape, PingsOfTheClientFollowIt) { expect_pings_fit(Role::client, 120); }
TEST(TrafficShape, PingsOfTheServerFollowIt) { expect_pings_fit(Role::server, 120); }

TEST(TrafficShape, AConstantPingIsRefused) {
  const auto seen = pings(Role::client, uniform(20'000'000, 20'000'000), uniform(300, 300), 60);
  EXPECT_LT(fit(intervals_of(seen.asked), ping_interval.divided(haste)), significance);
  EXPECT_LT(fit(sizes_of(seen.asked), small_record), significance);
}

constexpr std::uint64_t padding_haste = 100;  ///< 20 to 120 ms
const Distribution padding_delay = uniform(2'000'000, 12'000'000);

/// A shape in which one side pads, `each` times in an idle time.
std::shared_ptr<const Shape> padding_shape(Role role, std::size_t each) {
  auto parts = quiet();
  for (auto* both : {&parts.client, &parts.server}) {
    both->ping_interval = uniform(3'600'000'000, 3'600'000'000);
    both->small_record = uniform(300, 400);
  }
  auto& shaped = side(parts, role);
  shaped.idle_padding_delay = padding_delay;
  shaped.idle_padding_count = uniform(each, each);
  shaped.idle_padding_size = uniform(1'000, 3'000);
  return (*Shape::make(parts))->faster(padding_haste);
}

/// idle_paddings lets one side pad after each of `rounds` words: the delays to each padding, and their sizes.
struct Paddings {
  Values delays, sizes;
  Values first;  ///< the delays from the last data to the first padding
};
Paddings idle_paddings(Role role, std::size_t rounds) {
  constexpr std::size_t each = 3;
  Shaped pair{padding_shape(role, each)};
  Paddings seen;
  pair.wait(role, each);  // the start is an idle time too
  for (std::size_t round = 0; round < rounds; ++round) {
    pair.wire->forget();
    pair.say(1);
    const auto said = pair.wait(other(role), 1).back().time;
    const auto records = pair.wait(role, 1 + each);
    if (records.size() < 1 + each) return seen;
    auto last = std::max(said, records.front().time);
    for (std::size_t i = 1; i <= each; ++i) {
      seen.delays.push_back(us(records[i].time - last));
      seen.sizes.push_back(records[i].size);
      last = records[i].time;
    }
    seen.first.push_back(seen.delays[seen.delays.size() - each]);
  }
  return seen;
}

void expect_paddings_fit(Role role, std::size_t rounds) {
  const auto seen = idle_paddings(role, rounds);
  EXPECT_EQ(seen.delays.size(), 3 * rounds);
  EXPECT_GT(fit(seen.delays, padding_delay.divided(padding_haste)), significance);
  // Data comes in and leaves again: what each of the two drew must not add up, not even to the later of both.
  EXPECT_GT(fit(seen.first, padding_delay.divided(padding_haste)), significance);
  EXPECT_GT(fit(seen.sizes, uniform(1'000, 3'000)), significance);
  EXPECT_LT(fit(seen.delays, uniform(2'000'000, 8'000'000).divided(padding_haste)), significance);
  EXPECT_LT(fit(seen.sizes, uniform(1'000, 2'000)), significance);
}

TEST(TrafficShape, IdlePaddingOfTheClientFollowsIt) { expect_paddings_fit(Role::client, 24); }
TEST(TrafficShape, IdlePaddingOfTheServerFollowsIt) { expect_paddings_fit(Role::server, 24); }

// Nothing comes in behind what leaves, so no byte of the peer sets the timer.
TEST(TrafficShape, IdlePaddingFollowsDataThatOnlyLeaves) {
  Shaped pair{padding_shape(Role::client, 1), Answers::none};
  pair.wait(Role::client, 1);
  Values delays;
  for (int round = 0; round < 24; ++round) {
    pair.wire->forget();
    pair.tell(1);
    const auto records = pair.wait(Role::client, 2);
    ASSERT_EQ(records.size(), 2U);
    delays.push_back(us(records[1].time - records[0].time));
  }
  EXPECT_GT(fit(delays, padding_delay.divided(padding_haste)), significance);
}

/// handshakes makes `count` sessions: what each side said until the first stream was there, bytes in all, and
/// the largest record of the client.
struct Handshakes {
  Values client, server;
  std::uint64_t largest = 0;
};
Handshakes handshakes(const Distribution& padding, std::size_t count) {
  auto parts = quiet();
  for (auto* each : {&parts.client, &parts.server}) each->handshake_padding = padding;
  const auto shape = *Shape::make(parts);
  Handshakes seen;
  for (std::size_t i = 0; i < count; ++i) {
    const Shaped pair{shape};
    const auto client = sizes_of(pair.handshake[0]), server = sizes_of(pair.handshake[1]);
    seen.client.push_back(std::accumulate(client.begin(), client.end(), std::uint64_t{0}));
    seen.server.push_back(std::accumulate(server.begin(), server.end(), std::uint64_t{0}));
    seen.largest = std::max(seen.largest, *std::max_element(client.begin(), client.end()));
  }
  return seen;
}

/// less takes off what there is without padding.
Values less(Values sizes, std::uint64_t bare) {
  for (auto& size : sizes) size -= std::min(size, bare);
  return sizes;
}

TEST(TrafficShape, HandshakePaddingFollowsIt) {
  const auto padding = uniform(2'000, 3'000);
  const auto constant = handshakes(uniform(2'500, 2'500), 1);
  const auto seen = handshakes(padding, 60);
  EXPECT_GT(seen.largest, 2'000U) << "a padded message is cut as the shape says, not into segments";
  for (const auto& [sizes, known] :
       {std::pair{seen.client, constant.client[0]}, std::pair{seen.server, constant.server[0]}}) {
    ASSERT_GT(known, 2'500U);
    const auto drawn = less(sizes, known - 2'500);
    EXPECT_GT(fit(drawn, padding), significance);
    EXPECT_LT(fit(drawn, uniform(2'000, 2'500)), significance);
  }
}

/// Bursts are the records of `rounds` times 400 kB behind a silence: what they tell of the sizes drawn.
///
/// A record is as large as was drawn, or ends with the bytes that were there (`short_ones`), and then more
/// was drawn than it shows. To leave those out would favour small draws, for large ones end so more often;
/// how many do is a matter of how busy the machine is. In their place stands a draw among the shape's values
/// that are larger. If the draws follow the shape, so do those, for what was there did not depend on the
/// draw: the comparison stays exact. If they do not, the others tell, who are three quarters at least. Ranges
/// are narrow: an end within one passes for a draw.
struct Bursts {
  Values first, bulk;
  std::size_t records = 0, short_ones = 0;

  void add(std::size_t size, bool warm, RandomSource& random);
};
const Distribution first_record = *Distribution::make({{1'300, 1'400, 3}, {2'900, 2'900, 1}});
const Distribution bulk_record = *Distribution::make({{8'900, 9'000, 1}, {16'384, 16'384, 3}});

void Bursts::add(std::size_t size, bool warm, RandomSource& random) {
  const auto& expected = warm ? bulk_record : first_record;
  const bool drawn = expected.cdf(size) > expected.cdf(size - 1);
  ++records;
  if (!drawn) ++short_ones;
  (warm ? bulk : first).push_back(drawn ? size : expected.sample_at_least(size + 1, random).value_or(size));
}

Bursts bursts(Role role, std::size_t rounds) {
  constexpr std::size_t bytes = 400'000;
  auto parts = quiet();
  auto& shaped = side(parts, role);
  shaped.first_record = first_record;
  shaped.first_bytes = uniform(30'000, 60'000);
  shaped.first_again = uniform(10'000'000, 15'000'000);
  shaped.bulk_record = bulk_record;
  Shaped pair{(*Shape::make(parts))->faster(100)};
  crypto::SystemRandom random;
  Bursts seen;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto quiet_until = pair.world.runtime().core(servers).clock().now() + 200ms;
    (void)pair.world.until(servers,
                           [&] { return pair.world.runtime().core(servers).clock().now() > quiet_until; });
    pair.wire->forget();
    pair.say(bytes);
    const auto records = pair.wire->seen(role);
    bool warm = false;
    for (const auto& record : records) {
      warm = warm || record.size > first_record.highest();
      seen.add(record.size, warm, random);
    }
  }
  return seen;
}

void expect_records_fit(Role role, std::size_t rounds) {
  const auto seen = bursts(role, rounds);
  EXPECT_GE(seen.first.size(), 15 * rounds);
  EXPECT_GE(seen.bulk.size(), 10 * rounds);
  EXPECT_LE(seen.short_ones * 4, seen.records) << seen.short_ones << " of " << seen.records;
  EXPECT_GT(fit(seen.first, first_record), significance);
  EXPECT_GT(fit(seen.bulk, bulk_record), significance);
  EXPECT_LT(fit(seen.first, uniform(1'000, 2'900)), significance);
  EXPECT_LT(fit(seen.bulk, uniform(16'384, 16'384)), significance);
}

TEST(TrafficShape, RecordsOfTheClientFollowIt) { expect_records_fit(Role::client, 12); }
TEST(TrafficShape, RecordsOfTheServerFollowIt) { expect_records_fit(Role::server, 12); }

TEST(TrafficShape, WithOuterNoneNothingIsPadded) {
  auto parts = quiet();
  for (auto* each : {&parts.client, &parts.server}) {
    each->small_record = each->handshake_padding = uniform(500, 500);
  }
  TunnelWorld world;
  const auto before = metric("villaged_htx_padding_bytes_total", "direction=\"out\"");
  auto pair = world.pair(Outer::none, [&](Node& from, Node& at) {
    for (auto* node : {&from, &at}) node->options->session.shape = *Shape::make(parts);
  });
  const auto echo = world.echo();
  world.run(clients, [&](net::Core&) -> asio_void {
    auto dialed = co_await world.dial(pair.entry, "exit", echo);
    EXPECT_TRUE(dialed);
  });
  EXPECT_EQ(metric("villaged_htx_padding_bytes_total", "direction=\"out\""), before);
}

// The same with about ten times the values; five minutes.
TEST(TrafficShapeSoak, PingsFollowIt) {
  for (const auto role : {Role::client, Role::server}) expect_pings_fit(role, 1'000);
}
TEST(TrafficShapeSoak, IdlePaddingFollowsIt) {
  for (const auto role : {Role::client, Role::server}) expect_paddings_fit(role, 300);
}
TEST(TrafficShapeSoak, RecordsFollowIt) {
  for (const auto role : {Role::client, Role::server}) expect_records_fit(role, 100);
}

}  // namespace
}  // namespace village::test
