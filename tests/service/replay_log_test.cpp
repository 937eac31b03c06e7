#include "village/service/replay_log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

#include "village/base/random.hpp"

namespace village::service {
namespace {

namespace fs = std::filesystem;
using mix::Fingerprint;
using Tags = std::vector<Fingerprint>;

constexpr std::size_t small_piece = 512;  // one page of tags

struct ReplayLogTest : testing::Test {
  ReplayLogTest() {
    std::string pattern = fs::temp_directory_path() / "village-replay-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    path = folder / "log";
  }
  ~ReplayLogTest() override {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  struct Opened {
    Result<std::shared_ptr<ReplayLogFile>> log;
    Tags tags;
  };
  Opened open(const std::string& boot = "boot 1", std::size_t piece = small_piece) {
    Tags tags;
    auto log = ReplayLogFile::open(
        path, name, boot,
        [&](std::span<const Fingerprint> part) { tags.insert(tags.end(), part.begin(), part.end()); }, piece);
    return {std::move(log), std::move(tags)};
  }
  Errc failure(const std::string& boot = "boot 1") {
    const auto opened = open(boot);
    EXPECT_FALSE(opened.log);
    return opened.log ? Errc::internal : opened.log.error().code;
  }
  static Tags numbers(Fingerprint first, std::size_t count) {
    Tags tags(count);
    std::iota(tags.begin(), tags.end(), first);
    return tags;
  }
  void overwrite(std::size_t offset, std::string_view bytes) {
    std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  fs::path folder, path;
  ReplayLogName name{77, {std::byte{1}, std::byte{2}}, 0, 1};
};

TEST_F(ReplayLogTest, GivesBackWhatWasAppendedInOrder) {
  const auto tags = numbers(1, 3 * small_piece + 7);
  {
    auto log = open().log.value();
    EXPECT_TRUE(log->append(std::span{tags}.first(100)));
    EXPECT_TRUE(log->append(std::span{tags}.subspan(100)));
    EXPECT_EQ(log->size(), tags.size());
  }
  auto again = open();
  ASSERT_TRUE(again.log);
  EXPECT_EQ(again.tags, tags);
  const Tags more{99'999};
  EXPECT_TRUE((*again.log)->append(more));
  again.log->reset();
  EXPECT_EQ(open().tags.size(), tags.size() + 1);
}

TEST_F(ReplayLogTest, GoesOnBehindAPieceThatIsExactlyFull) {
  for (Fingerprint round = 0; round < 4; ++round) {
    auto opened = open();
    ASSERT_TRUE(opened.log);
    EXPECT_EQ(opened.tags.size(), round * small_piece);
    EXPECT_TRUE((*opened.log)->append(numbers(1 + round * small_piece, small_piece)));
    ASSERT_TRUE((*opened.log)->maintain());
  }
}

TEST_F(ReplayLogTest, IsGoodAfterAnotherBootOnlyIfItWasClosed) {
  ASSERT_TRUE(open("boot 1").log.value()->append(Tags{5}));
  EXPECT_EQ(failure("boot 2"), Errc::auth_failed);
  EXPECT_EQ(failure(""), Errc::auth_failed);  // a system that does not say which boot this is
  ASSERT_TRUE(open("boot 1").log.value()->close());
  EXPECT_EQ(open("boot 2").tags, Tags{5});
  EXPECT_EQ(failure("boot 3"), Errc::auth_failed);  // the mark counts once
  EXPECT_EQ(open("boot 2").tags, Tags{5});
}

TEST_F(ReplayLogTest, RefusesWhatIsNotItsLogOrIsDamaged) {
  open().log.value()->append(numbers(1, 700));
  EXPECT_TRUE(open().log);
  const auto original = name;
  name.key[31] = std::byte{9};
  EXPECT_EQ(failure(), Errc::malformed);
  name = original;
  name.epoch = 78;
  EXPECT_EQ(failure(), Errc::malformed);
  name = original;
  name.shards = 2;
  EXPECT_EQ(failure(), Errc::malformed);
  name = original;
  overwrite(85, "x");  // the checksum
  EXPECT_EQ(failure(), Errc::malformed);
}

TEST_F(ReplayLogTest, RefusesAFileThatWasCutShort) {
  open().log.value()->append(numbers(1, 700));
  fs::resize_file(path, 4'096 + small_piece * 8 + 100);
  EXPECT_EQ(failure(), Errc::malformed);
  fs::resize_file(path, 100);
  EXPECT_EQ(failure(), Errc::malformed);
}

TEST_F(ReplayLogTest, RefusesHolesAmongTheTags) {
  open().log.value()->append(numbers(1, 100));
  overwrite(4'096 + 50 * 8, std::string_view{"\0\0\0\0\0\0\0\0", 8});
  EXPECT_EQ(failure(), Errc::malformed);
}

TEST_F(ReplayLogTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(failure(), Errc::malformed);
  fs::remove(path);
  fs::create_symlink("/dev/null", path);
  EXPECT_EQ(failure(), Errc::io);
}

TEST_F(ReplayLogTest, PreparesTheNextPieceAheadOfNeed) {
  auto log = open().log.value();
  const auto before = fs::file_size(path);
  log->append(numbers(1, small_piece / 2 - 1));
  ASSERT_TRUE(log->maintain());
  EXPECT_EQ(fs::file_size(path), before);
  log->append(numbers(1'000, 1));
  ASSERT_TRUE(log->maintain());
  EXPECT_EQ(fs::file_size(path), before + small_piece * 8);
  ASSERT_TRUE(log->maintain());
  EXPECT_EQ(fs::file_size(path), before + small_piece * 8);
  log.reset();
  EXPECT_EQ(open().tags.size(), small_piece / 2);  // a prepared piece is no hole
}

/// in_child runs f in a child process and gives its exit status, or 128 + signal.
template <class F>
int in_child(F f) {
  const auto child = ::fork();
  if (child == 0) {
    f();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(ReplayLogTest, LosesNothingToKillNine) {
  for (int round = 0; round < 5; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    const auto before = open().tags.size();
    const auto child = ::fork();
    if (child == 0) {
      auto log = open().log.value();
      for (Fingerprint tag = before + 1;; ++tag) {
        if (!log->append({&tag, 1})) ::_exit(1);
        // What the parent has read is "released".
        if (::write(pipe[1], &tag, sizeof tag) != static_cast<ssize_t>(sizeof tag)) ::_exit(1);
      }
    }
    ::close(pipe[1]);
    Fingerprint released = 0;
    for (int i = 0; i < 1'000 + 300 * round; ++i)
      ASSERT_EQ(::read(pipe[0], &released, sizeof released), static_cast<ssize_t>(sizeof released));
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &released, sizeof released) == static_cast<ssize_t>(sizeof released)) {
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    ::close(pipe[0]);
    const auto opened = open();
    ASSERT_TRUE(opened.log);
    ASSERT_GE(opened.tags.size(), released);
    EXPECT_EQ(opened.tags, numbers(1, opened.tags.size()));
  }
}

TEST_F(ReplayLogTest, MeetsALimitWithoutASignal) {
  const auto status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4'096 + 2 * small_piece * 8, 4'096 + 2 * small_piece * 8};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto log = open().log.value();
    if (!log->append(numbers(1, 2 * small_piece))) ::_exit(2);
    if (log->append(Tags{7})) ::_exit(3);
    if (log->maintain()) ::_exit(4);
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(open().tags.size(), 2 * small_piece);
}

TEST_F(ReplayLogTest, MeetsAFullDiskWithoutASignal) {
  constexpr int no_mount = 77;
  const auto status = in_child([&] {
    if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) ::_exit(no_mount);
    ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (::mount("none", folder.c_str(), "tmpfs", 0, "size=24k") != 0) ::_exit(no_mount);
    auto log = open().log.value();
    Fingerprint tag = 1;
    while (log->append({&tag, 1}) && tag < 100'000) ++tag;
    if (tag == 100'000 || tag < small_piece) ::_exit(2);  // it filled up, behind at least one piece
    if (log->append({&tag, 1})) ::_exit(3);
    log.reset();
    if (open().tags.size() != tag - 1) ::_exit(4);
    path = folder / "other";  // there is no room for a new one: refused, and nothing left behind
    const auto other = open();
    if (other.log || other.log.error() != fail(Errc::io, ENOSPC)) ::_exit(5);
    if (fs::exists(path)) ::_exit(6);
  });
  if (status == no_mount) GTEST_SKIP() << "cannot mount a tmpfs of its own here";
  EXPECT_EQ(status, 0);
}

TEST_F(ReplayLogTest, IsMaintainedByAKeeper) {
  auto log = open().log.value();
  ReplayKeeper keeper;
  keeper.add(log);
  const auto before = fs::file_size(path);
  log->append(numbers(1, small_piece - 1));
  for (int i = 0; i < 2'000 && fs::file_size(path) == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  EXPECT_GT(fs::file_size(path), before);
  EXPECT_EQ(keeper.failures(), 0U);
}

TEST(BootId, IsAUuid) { EXPECT_EQ(boot_id().size(), 36U); }

struct ReplayFolderTest : ReplayLogTest {
  using Shards = std::vector<std::unique_ptr<mix::ReplayShard>>;
  Result<Shards> shards(std::uint32_t workers, const std::string& boot = "boot 1") {
    return ReplayFolder{folder, boot, nullptr}.open(77, name.key, workers, {2, 10'000});
  }
  static std::size_t fresh(Shards& shards, const Tags& tags) {
    std::size_t count = 0;
    for (const auto tag : tags)
      count += shards[mix::owner_of(tag, static_cast<std::uint32_t>(shards.size()))]->check({&tag, 1}).fresh;
    return count;
  }
  Tags random_tags(std::size_t count, std::uint64_t seed = 1) {
    SeededRandom random{seed};
    Tags tags(count);
    for (auto& tag : tags) tag = random.next();
    return tags;
  }
};

TEST_F(ReplayFolderTest, KnowsReplaysAcrossRestarts) {
  const auto tags = random_tags(500), more = random_tags(100, 2);
  std::size_t expected = tags.size();
  for (const std::uint32_t workers : {2U, 2U, 3U, 1U, 2U}) {  // also when their number changes
    auto opened = shards(workers);
    ASSERT_TRUE(opened);
    EXPECT_EQ(fresh(*opened, tags), expected);
    expected = 0;
  }
  auto opened = shards(4);
  EXPECT_EQ(fresh(*opened, more), 100U);
}

TEST_F(ReplayFolderTest, ClosesInOrderWithItsShards) {
  {
    auto opened = shards(2);
    fresh(*opened, random_tags(50));
  }
  auto after = shards(2, "boot 2");
  ASSERT_TRUE(after);
  EXPECT_EQ(fresh(*after, random_tags(50)), 0U);
}

TEST_F(ReplayFolderTest, RefusesAKeyOneOfWhoseShardsIsLost) {
  {
    auto opened = shards(3);
    fresh(*opened, random_tags(50));
  }
  fs::remove(folder / "replay-77-1of3.log");
  EXPECT_EQ(shards(3).error().code, Errc::malformed);
  fs::remove(folder / "replay-77-1of3.log");
  EXPECT_EQ(shards(2).error().code, Errc::malformed);
}

TEST_F(ReplayFolderTest, DoesAwayWithOldEpochs) {
  ReplayFolder logs{folder, "boot 1", nullptr};
  for (const mix::Epoch epoch : {75U, 76U, 77U}) ASSERT_TRUE(logs.open(epoch, name.key, 2, {1, 100}));
  std::ofstream{folder / "something else"};
  logs.remove_before(76);
  EXPECT_FALSE(fs::exists(folder / "replay-75-0of2.log"));
  EXPECT_TRUE(fs::exists(folder / "replay-76-1of2.log"));
  logs.remove(77);
  EXPECT_FALSE(fs::exists(folder / "replay-77-1of2.log"));
  EXPECT_TRUE(fs::exists(folder / "something else"));
}

}  // namespace
}  // namespace village::service
