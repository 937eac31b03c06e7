// The desk: tickets over restarts, kill -9 and damaged files, keys that change, many cores at once.
#include "village/service/ticket_desk.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/vectors.hpp"
#include "village/crypto/random.hpp"
#include "village/htx/limits.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

using htx::TicketVerdict;

const net::Ip somewhere = Ipv4Address{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{7}};

/// FileSizeLimit is a full disk: no file of this process grows beyond that.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uintmax_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &former_);
    signal_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, former_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &former_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  rlimit former_{};
  void (*signal_)(int);
};

class TicketDeskTest : public testing::Test {
 protected:
  TicketDeskTest() {
    std::string name = (std::filesystem::temp_directory_path() / "ticket-desk-XXXXXX").string();
    folder = ::mkdtemp(name.data());
    options.replay_path = path("ticket.replays");
    keyring.rotate(clock.wall(), random);
  }
  ~TicketDeskTest() override { std::filesystem::remove_all(folder); }

  std::string path(const char* name) const { return folder + "/" + name; }
  TicketDesk desk() { return TicketDesk{options, keyring.accepted(), clock}; }
  htx::TicketText fresh() {
    return htx::make_ticket(keyring.keys().front().secret.open, clock.wall(), random).value();
  }
  static TicketVerdict verdict(TicketDesk& at, const std::string& ticket) {
    const auto admitted = at.admit(ticket, somewhere);
    if (admitted) return TicketVerdict::accepted;
    EXPECT_EQ(admitted.error().code, Errc::denied);
    return static_cast<TicketVerdict>(admitted.error().detail);
  }
  std::uintmax_t file_bytes() const { return std::filesystem::file_size(options.replay_path); }

  crypto::SystemRandom random;
  ManualClock clock;
  TicketKeyring keyring;
  TicketOptions options;
  std::string folder;
};

TEST_F(TicketDeskTest, AdmitsOnceAndWritesFortyBytesBeforeItSaysSo) {
  auto first = desk();
  EXPECT_EQ(file_bytes(), 40U);
  const auto ticket = fresh();
  EXPECT_EQ(verdict(first, ticket), TicketVerdict::accepted);
  EXPECT_EQ(file_bytes(), 80U);
  EXPECT_EQ(verdict(first, ticket), TicketVerdict::replayed);
  EXPECT_EQ(verdict(first, "rubbish"), TicketVerdict::malformed);
  EXPECT_EQ(file_bytes(), 80U);
  struct stat status {};
  ASSERT_EQ(::stat(options.replay_path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(TicketDeskTest, RestartRemembersAcrossHourEdges) {
  const auto ticket = fresh();
  {
    auto first = desk();
    EXPECT_EQ(verdict(first, ticket), TicketVerdict::accepted);
  }
  for (int edge = 0; edge < 2; ++edge) {
    auto next = desk();
    EXPECT_EQ(verdict(next, ticket), TicketVerdict::replayed) << edge;
    clock.advance(std::chrono::hours{1});
  }
  auto last = desk();
  EXPECT_EQ(verdict(last, ticket), TicketVerdict::wrong_tag);
  EXPECT_EQ(last.status().replays, 0U);
  EXPECT_EQ(file_bytes(), 40U) << "what is past is not carried along";
}

TEST_F(TicketDeskTest, TicketOfTheComingHourIsRememberedUntilItIsWorthless) {
  const auto before = clock.wall();
  clock.advance(std::chrono::hours{1});
  const auto ticket = fresh();  // of hour h + 1
  clock.set_wall(before);
  {
    auto first = desk();
    EXPECT_EQ(verdict(first, ticket), TicketVerdict::accepted);
  }
  for (int i = 0; i < 3; ++i) {
    auto next = desk();
    EXPECT_EQ(verdict(next, ticket), TicketVerdict::replayed) << i;
    clock.advance(std::chrono::hours{1});
  }
  auto last = desk();
  EXPECT_EQ(verdict(last, ticket), TicketVerdict::wrong_tag);
  clock.set_wall(before);
  auto set_back = desk();
  EXPECT_EQ(verdict(set_back, ticket), TicketVerdict::stale);
}

TEST_F(TicketDeskTest, Kill9AfterTheAnswerForgetsNothing) {
  const auto ticket = fresh();
  int answer[2];
  ASSERT_EQ(::pipe(answer), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto first = desk();
    const bool in = first.admit(ticket, somewhere).has_value();
    [[maybe_unused]] const auto told = ::write(answer[1], in ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char said = 0;
  ASSERT_EQ(::read(answer[0], &said, 1), 1);
  EXPECT_EQ(said, 'y');
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  ::close(answer[0]);
  ::close(answer[1]);
  auto next = desk();
  EXPECT_EQ(verdict(next, ticket), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, DamagedFilesLoseNoWholeEntry) {
  std::vector<htx::TicketText> used;
  {
    auto first = desk();
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(verdict(first, used.emplace_back(fresh())), TicketVerdict::accepted);
  }
  const auto whole = test::read_file(options.replay_path);
  ASSERT_EQ(whole.size(), 240U);
  const auto remembered = [&](const std::string& content) {
    std::ofstream{options.replay_path, std::ios::binary | std::ios::trunc} << content;
    auto next = desk();
    int count = 0;
    for (const auto& ticket : used) count += verdict(next, ticket) == TicketVerdict::replayed ? 1 : 0;
    return count;
  };
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    EXPECT_EQ(remembered(whole.substr(0, cut)), cut < 40 ? 0 : static_cast<int>(cut / 40 - 1)) << cut;
  }
  EXPECT_EQ(remembered(whole + "tail"), 5);
  EXPECT_EQ(remembered(whole + std::string(400, '\xFF')), 5) << "hours that no clock can show";
  EXPECT_EQ(remembered(std::string(40, 'x') + whole.substr(40)), 5) << "a damaged head";
}

TEST_F(TicketDeskTest, RestartWithTheClockAtZeroForgetsNothing) {
  clock.set_wall(WallTime{std::chrono::hours{490'000}});
  const auto before = clock.wall();
  const auto ticket = fresh();
  {
    auto first = desk();
    EXPECT_EQ(verdict(first, ticket), TicketVerdict::accepted);
  }
  clock.set_wall(WallTime{std::chrono::hours{3}});
  { auto without_battery = desk(); }
  clock.set_wall(before);
  auto next = desk();
  EXPECT_EQ(verdict(next, ticket), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, RestartWithASmallerMemoryForgetsNothing) {
  std::vector<htx::TicketText> used;
  {
    auto first = desk();
    for (int i = 0; i < 4; ++i) {
      if (i == 2) clock.advance(std::chrono::hours{1});
      EXPECT_EQ(verdict(first, used.emplace_back(fresh())), TicketVerdict::accepted);
    }
  }
  options.rules.replays_max = 2;
  auto next = desk();
  EXPECT_EQ(verdict(next, fresh()), TicketVerdict::full);
  clock.advance(std::chrono::hours{1});  // the first two are worthless, the others are not
  EXPECT_EQ(verdict(next, used[2]), TicketVerdict::replayed);
  EXPECT_EQ(verdict(next, used[3]), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, FileThatCannotBeKeptDoesNotCloseTheDoor) {
  options.replay_path = path("no/such/folder/ticket.replays");
  auto without = desk();
  EXPECT_FALSE(without.status().on_disk);
  const auto ticket = fresh();
  EXPECT_EQ(verdict(without, ticket), TicketVerdict::accepted);
  EXPECT_EQ(verdict(without, ticket), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, FileThatCouldNotBeKeptIsTriedAgain) {
  options.replay_path = path("later/ticket.replays");
  auto late = desk();
  const auto before = fresh();
  EXPECT_EQ(verdict(late, before), TicketVerdict::accepted);
  std::filesystem::create_directory(path("later"));
  late.refresh();
  EXPECT_FALSE(late.status().on_disk) << "not at once";
  clock.advance(limits::replay_file_retry);
  late.refresh();
  EXPECT_TRUE(late.status().on_disk);
  const auto behind = fresh();
  EXPECT_EQ(verdict(late, behind), TicketVerdict::accepted);
  auto next = desk();
  EXPECT_EQ(verdict(next, before), TicketVerdict::replayed);
  EXPECT_EQ(verdict(next, behind), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, TicketsThatTheFileCouldNotTakeAreWrittenLater) {
  auto here = desk();
  EXPECT_EQ(verdict(here, fresh()), TicketVerdict::accepted);
  std::vector<htx::TicketText> lost;
  {
    const FileSizeLimit full{file_bytes()};
    for (int i = 0; i < 3; ++i) {
      lost.push_back(fresh());
      EXPECT_EQ(verdict(here, lost.back()), TicketVerdict::accepted);
    }
    EXPECT_FALSE(here.status().on_disk);
    clock.advance(limits::replay_file_retry);
    here.refresh();
    EXPECT_FALSE(here.status().on_disk);
  }
  clock.advance(limits::replay_file_retry);
  here.refresh();
  EXPECT_TRUE(here.status().on_disk);
  auto next = desk();
  for (const auto& ticket : lost) EXPECT_EQ(verdict(next, ticket), TicketVerdict::replayed);
}

TEST_F(TicketDeskTest, KeyFileIsChangedByOneAtATime) {
  const auto file = path("ticket.keys");
  constexpr std::size_t hands = 8;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < hands; ++i) {
    threads.emplace_back([&] {
      crypto::SystemRandom own;
      const auto changed = TicketKeyring::update(file, [&](TicketKeyring& keys) {
        keys.rotate(WallTime{}, own);
        return true;
      });
      EXPECT_TRUE(changed);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(TicketKeyring::read(file).value().keys().size(), std::min(hands, htx::limits::ticket_keys_max));
}

TEST_F(TicketDeskTest, OldKeyWorksUntilItIsTakenAway) {
  auto here = desk();
  const auto old_1 = fresh(), old_2 = fresh();
  keyring.rotate(clock.wall(), random);
  here.set_keys(keyring.accepted());
  EXPECT_EQ(verdict(here, old_1), TicketVerdict::accepted);
  EXPECT_EQ(verdict(here, fresh()), TicketVerdict::accepted);
  clock.advance(std::chrono::minutes{61});
  EXPECT_TRUE(keyring.prune(clock.wall(), std::chrono::hours{1}));
  here.set_keys(keyring.accepted());
  EXPECT_EQ(verdict(here, old_2), TicketVerdict::unknown_key);
}

TEST_F(TicketDeskTest, OptionsChangeUnderWay) {
  auto here = desk();
  options.rules.bucket.capacity = 1;
  here.set_options(options);
  const auto ticket = fresh();
  EXPECT_EQ(verdict(here, ticket), TicketVerdict::accepted);
  EXPECT_EQ(verdict(here, ticket), TicketVerdict::replayed);
  EXPECT_EQ(verdict(here, fresh()), TicketVerdict::rate_limited);
  EXPECT_EQ(here.status().sources, 1U);
}

TEST_F(TicketDeskTest, ManyThreadsLetOneTicketInOnce) {
  auto here = desk();
  std::vector<htx::TicketText> tickets;
  for (int i = 0; i < 50; ++i) tickets.push_back(fresh());
  options.rules.bucket.capacity = 100'000;
  here.set_options(options);
  std::atomic<int> in{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const auto& ticket : tickets) in += here.admit(ticket, somewhere) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(in.load(), 50);
  EXPECT_EQ(file_bytes(), 40U * 51);
}

// --- TicketKeyring

TEST_F(TicketDeskTest, KeyFileComesBackAsItWas) {
  keyring.rotate(clock.wall(), random);
  const auto file = path("ticket.keys");
  ASSERT_TRUE(keyring.write(file));
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto read = TicketKeyring::read(file);
  ASSERT_TRUE(read);
  ASSERT_EQ(read->keys().size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->keys()[i].secret.open, keyring.keys()[i].secret.open);
    EXPECT_TRUE(equal(read->keys()[i].secret.key, keyring.keys()[i].secret.key));
    EXPECT_EQ(read->keys()[i].made, keyring.keys()[i].made);
  }
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_EQ(TicketKeyring::read(file).error().code, Errc::denied);
  EXPECT_EQ(TicketKeyring::read(path("none")).error(), fail(Errc::io, ENOENT));
}

TEST_F(TicketDeskTest, DamagedKeyFileIsRefusedWithItsLine) {
  const auto file = path("ticket.keys");
  ASSERT_TRUE(keyring.write(file));
  const auto good = test::read_file(file);
  const auto line = good.substr(good.find("\n", good.find("rotate")) + 1);
  EXPECT_TRUE(TicketKeyring::parse("").value().empty());
  EXPECT_EQ(TicketKeyring::parse("# comment\n\nnonsense\n").error(), fail(Errc::malformed, 3));
  EXPECT_EQ(TicketKeyring::parse(line + line).error(), fail(Errc::already_exists, 2));
  for (std::size_t i = 0; i + 1 < line.size(); ++i) {
    EXPECT_FALSE(TicketKeyring::parse(line.substr(0, i)).has_value() && i > 0 && i < 57) << i;
  }
  EXPECT_FALSE(TicketKeyring::parse(line.substr(0, line.size() - 1) + " more\n"));
}

TEST_F(TicketDeskTest, KeysRotateByAgeAndOverlap) {
  const auto day = std::chrono::hours{24};
  EXPECT_FALSE(keyring.is_due(clock.wall() + 29 * day, 30 * day));
  EXPECT_TRUE(keyring.is_due(clock.wall() + 30 * day, 30 * day));
  EXPECT_FALSE(keyring.is_due(clock.wall() + 3'000 * day, Duration{0})) << "0 = by hand";
  const auto first = keyring.keys().front().secret.open;
  clock.advance(30 * day);
  keyring.rotate(clock.wall(), random);
  ASSERT_EQ(keyring.keys().size(), 2U);
  EXPECT_EQ(keyring.keys()[1].secret.open, first);
  EXPECT_FALSE(keyring.prune(clock.wall() + 14 * day, 14 * day));
  EXPECT_TRUE(keyring.prune(clock.wall() + 14 * day + std::chrono::seconds{1}, 14 * day));
  EXPECT_EQ(keyring.keys().size(), 1U);
  for (int i = 0; i < 20; ++i) keyring.rotate(clock.wall(), random);
  EXPECT_EQ(keyring.keys().size(), htx::limits::ticket_keys_max);
}

TEST(TicketPublicText, ComesBackAndRefusesTheRest) {
  crypto::SystemRandom random;
  const auto ticket = htx::TicketSecret::generate(random).open;
  const auto text = ticket_text(ticket);
  EXPECT_EQ(text.size(), 11U + 1 + 43);
  EXPECT_EQ(parse_ticket_public(text).value(), ticket);
  for (std::size_t i = 0; i < text.size(); ++i) EXPECT_FALSE(parse_ticket_public(text.substr(0, i))) << i;
  EXPECT_FALSE(parse_ticket_public(text + "A"));
  EXPECT_FALSE(parse_ticket_public(""));
}

}  // namespace
}  // namespace village::service
