// Keys that change by age, hands that change them beside the node, and clocks that jump.
#include "daemon/ticket_keeper.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "village/crypto/random.hpp"
#include "village/htx/limits.hpp"

namespace village::daemon {
namespace {

using service::TicketKeyring;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const net::Ip somewhere = Ipv4Address{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{7}};
constexpr hours day{24};

class TicketKeeperTest : public testing::Test {
 protected:
  TicketKeeperTest() {
    std::string name = (std::filesystem::temp_directory_path() / "ticket-keeper-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    options.tickets.key_path = folder + "/ticket.keys";
    options.tickets.replay_path = folder + "/ticket.replays";
    options.tickets.rotation = 30 * day;
    options.tickets.overlap = 14 * day;
    options.listen.push_back({Target{Ipv4Address{}, 0}, service::Outer::tls, "", ""});
    clock.set_wall(WallTime{490'000 * hours{1}});
    EXPECT_EQ(keeper.open(options), "");
  }
  ~TicketKeeperTest() override { std::filesystem::remove_all(folder); }

  std::vector<htx::TicketKeyId> in_file() {
    std::vector<htx::TicketKeyId> ids;
    const auto ring = TicketKeyring::read(options.tickets.key_path);
    EXPECT_TRUE(ring);
    for (const auto& key : ring->keys()) ids.push_back(key.secret.open.id);
    return ids;
  }
  htx::TicketPublic newest() { return TicketKeyring::read(options.tickets.key_path)->keys()[0].secret.open; }
  bool opens(const htx::TicketPublic& key) {
    return keeper.desk()->admit(htx::make_ticket(key, clock.wall(), random).value(), somewhere).has_value();
  }
  /// pass lets both clocks go on together.
  void pass(Duration time, Duration step = hours{1}) {
    for (Duration gone{0}; gone < time; gone += step) {
      clock.advance(step);
      keeper.tick();
    }
  }
  void jump(Duration time) {
    clock.set_wall(clock.wall() + std::chrono::duration_cast<WallTime::duration>(time));
    keeper.tick();
  }

  crypto::SystemRandom random;
  ManualClock clock;
  service::TunnelOptions options;
  std::string folder;
  TicketKeeper keeper{clock};
};

TEST_F(TicketKeeperTest, MakesKeysRotatesThemByAgeAndEndsThemBehindTheOverlap) {
  const auto first = newest();
  EXPECT_TRUE(opens(first));
  pass(29 * day);
  EXPECT_EQ(in_file().size(), 1U);
  pass(day);
  ASSERT_EQ(in_file().size(), 2U);
  EXPECT_NE(newest().id, first.id);
  EXPECT_TRUE(opens(first) && opens(newest()));
  pass(14 * day);
  EXPECT_TRUE(opens(first));
  pass(hours{1});
  EXPECT_FALSE(opens(first));
  EXPECT_EQ(in_file().size(), 1U);
  EXPECT_TRUE(opens(newest()));
}

TEST_F(TicketKeeperTest, AClockThatJumpsAheadDeletesNothingAndWhenItComesBackAllIsAsBefore) {
  pass(30 * day);
  const auto keys = in_file();
  ASSERT_EQ(keys.size(), 2U);
  const auto ring = TicketKeyring::read(options.tickets.key_path);
  const auto old = ring->keys()[1].secret.open;
  jump(5'000 * day);
  EXPECT_FALSE(opens(old)) << "by that clock it has ended";
  pass(minutes{50}, minutes{10});
  EXPECT_EQ(in_file(), keys) << "no key was deleted, and none took over";
  jump(-5'000 * day);
  EXPECT_EQ(in_file(), keys);
  EXPECT_TRUE(opens(old));
  EXPECT_EQ(keeper.status()->keys.size(), 2U);
}

TEST_F(TicketKeeperTest, AClockThatWasWrongAtTheStartIsBelievedAfterADay) {
  pass(30 * day);
  const auto old = TicketKeyring::read(options.tickets.key_path)->keys()[1].secret.open;
  jump(20 * day);  // the machine slept: by now the old key has ended
  EXPECT_FALSE(opens(old));
  EXPECT_EQ(in_file().size(), 2U);
  pass(23 * hours{1});
  EXPECT_EQ(in_file().size(), 2U);
  pass(hours{1});
  EXPECT_EQ(in_file().size(), 1U);
}

TEST_F(TicketKeeperTest, AClockBackIn1970RotatesNothing) {
  const auto keys = in_file();
  jump(WallTime{} - clock.wall());
  pass(3 * day);
  EXPECT_EQ(in_file(), keys);
}

TEST_F(TicketKeeperTest, TakesOverWhatWasRotatedByHand) {
  const auto first = newest();
  const auto rotated = TicketKeyring::update(options.tickets.key_path, [&](TicketKeyring& keys) {
    keys.rotate(clock.wall(), random);
    return true;
  });
  ASSERT_TRUE(rotated);
  EXPECT_FALSE(opens(newest()));
  keeper.reload(options);
  EXPECT_TRUE(opens(newest()) && opens(first));
}

TEST_F(TicketKeeperTest, RevokedKeysDoNotComeBackWhenOneEnds) {
  pass(30 * day);
  const auto revoked = newest();
  ASSERT_TRUE(TicketKeyring::update(options.tickets.key_path, [&](TicketKeyring& keys) {
    keys = TicketKeyring{};
    keys.rotate(clock.wall(), random);
    return true;
  }));
  pass(15 * day);
  const auto keys = in_file();
  EXPECT_EQ(std::count(keys.begin(), keys.end(), revoked.id), 0);
  EXPECT_FALSE(opens(revoked));
  EXPECT_TRUE(opens(newest()));
}

TEST_F(TicketKeeperTest, ADamagedFileKeepsTheKeysThatAreInUse) {
  const auto first = newest();
  std::ofstream{options.tickets.key_path, std::ios::trunc} << "nonsense\n";
  keeper.reload(options);
  EXPECT_TRUE(opens(first));
  pass(31 * day, day);  // and no rotation writes over what somebody may want to look at
  EXPECT_TRUE(opens(first));
  std::ifstream file{options.tickets.key_path};
  std::string line;
  std::getline(file, line);
  EXPECT_EQ(line, "nonsense");
}

TEST(TicketKeeper, WithoutAListenerThatAsksThereIsNoDesk) {
  ManualClock clock;
  TicketKeeper keeper{clock};
  EXPECT_EQ(keeper.open({}), "");
  EXPECT_EQ(keeper.desk(), nullptr);
  keeper.tick();
  EXPECT_FALSE(keeper.status());
}

}  // namespace
}  // namespace village::daemon
