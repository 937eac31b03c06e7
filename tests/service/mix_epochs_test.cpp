// The epoch clock of a node: keys made ahead, installed, wiped; restarts.
#include "service/mix_epochs.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "village/crypto/random.hpp"

namespace village::service {
namespace {

using namespace std::chrono_literals;

/// Bench notes what the workers would be told.
struct Bench final : MixEpochs::Workers {
  void install(mix::EpochKeysPtr keys, std::vector<std::unique_ptr<mix::ReplayShard>> shards) override {
    EXPECT_EQ(shards.size(), 2U);
    installed[keys->epoch] = keys->sphinx_public;
    held[keys->epoch] = std::move(shards);
  }
  void remove(mix::Epoch epoch) override {
    installed.erase(epoch);
    held.erase(epoch);
  }
  std::map<mix::Epoch, crypto::X25519Public> installed;
  std::map<mix::Epoch, std::vector<std::unique_ptr<mix::ReplayShard>>> held;
};

class MixEpochsTest : public testing::Test {
 protected:
  MixEpochsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "village-epochs-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    options_.keys_path = folder_ + "/mix";
    options_.replay.capacity_pps = 10;
  }
  ~MixEpochsTest() override { std::filesystem::remove_all(folder_); }
  WallTime in(mix::Epoch epoch, Duration later) const { return options_.epochs.start(epoch) + later; }
  std::set<mix::Epoch> files() const {
    const auto store = MixKeyStore::make_folder(options_.keys_path);
    const auto epochs = store->epochs();
    return {epochs.begin(), epochs.end()};
  }

  void damage(std::string_view logs) const {
    for (const auto& entry : std::filesystem::directory_iterator{options_.keys_path}) {
      const auto name = entry.path().filename().string();
      if (name.starts_with(logs)) std::filesystem::resize_file(entry.path(), 100);
    }
  }

  std::string folder_;
  MixOptions options_;
  crypto::SystemRandom random_;
  Instant now_{1h};
};

TEST_F(MixEpochsTest, KeysAreMadeAheadAndWipedWhenTheirOverlapIsOver) {
  Bench bench;
  MixEpochs epochs{options_, bench, 2};
  ASSERT_EQ(epochs.open(random_, now_, in(1'000, 1min)), "");
  EXPECT_EQ(files(), (std::set<mix::Epoch>{1'000, 1'001, 1'002}));
  EXPECT_TRUE(bench.installed.contains(1'000));
  EXPECT_TRUE(bench.installed.contains(1'001));
  EXPECT_FALSE(bench.installed.contains(1'002)) << "published, not yet used";
  EXPECT_EQ(epochs.published(in(1'000, 1min)).keys.size(), 3U);
  const auto version = epochs.version();

  now_ += 20min;
  epochs.tick(random_, now_, in(1'001, 1min));
  EXPECT_TRUE(bench.installed.contains(1'000)) << "its overlap goes on";
  EXPECT_TRUE(bench.installed.contains(1'002));
  EXPECT_NE(epochs.version(), version);

  now_ += 1min;
  epochs.tick(random_, now_, in(1'001, 2min));
  EXPECT_FALSE(bench.installed.contains(1'000));
  EXPECT_EQ(files(), (std::set<mix::Epoch>{1'001, 1'002, 1'003}));
}

TEST_F(MixEpochsTest, ARestartKeepsKeysAndWhatTheySaw) {
  constexpr mix::Fingerprint tag = 0x1234;
  std::map<mix::Epoch, crypto::X25519Public> before;
  {
    Bench bench;
    MixEpochs epochs{options_, bench, 2};
    ASSERT_EQ(epochs.open(random_, now_, in(1'000, 1min)), "");
    before = bench.installed;
    const auto owner = mix::owner_of(tag, 2);
    EXPECT_EQ(bench.held[1'000][owner]->check(std::array{tag}).fresh, 1U);
  }
  Bench bench;
  MixEpochs epochs{options_, bench, 2};
  ASSERT_EQ(epochs.open(random_, now_, in(1'000, 2min)), "");
  EXPECT_EQ(bench.installed, before);
  EXPECT_EQ(bench.held[1'000][mix::owner_of(tag, 2)]->check(std::array{tag}).replayed, 1U);
}

TEST_F(MixEpochsTest, ARetiredKeyOfThisEpochIsNeitherUsedNorPublished) {
  {
    Bench bench;
    MixEpochs epochs{options_, bench, 2};
    ASSERT_EQ(epochs.open(random_, now_, in(1'000, 1min)), "");
  }
  damage("replay-1000-");
  for (int restart = 0; restart < 2; ++restart) {
    Bench bench;
    MixEpochs epochs{options_, bench, 2};
    ASSERT_EQ(epochs.open(random_, now_, in(1'000, 2min)), "");
    EXPECT_FALSE(bench.installed.contains(1'000)) << "after restart " << restart;
    const auto published = epochs.published(in(1'000, 2min)).keys;
    ASSERT_EQ(published.size(), 2U);
    EXPECT_EQ(published[0].first, 1'001U);
    epochs.tick(random_, now_, in(1'001, 1min));
    EXPECT_TRUE(bench.installed.contains(1'001)) << "it mixes again";
  }
}

TEST_F(MixEpochsTest, ARetiredKeyOfTheNextEpochIsReplacedAtOnce) {
  crypto::X25519Public former{};
  {
    Bench bench;
    MixEpochs epochs{options_, bench, 2};
    ASSERT_EQ(epochs.open(random_, now_, in(1'000, 1min)), "");
    former = bench.installed.at(1'001);
  }
  damage("replay-1000-");
  damage("replay-1001-");  // a power cut spares neither
  crypto::X25519Public fresh{};
  {
    Bench bench;
    MixEpochs epochs{options_, bench, 2};
    ASSERT_EQ(epochs.open(random_, now_, in(1'000, 2min)), "");
    ASSERT_TRUE(bench.installed.contains(1'001));
    fresh = bench.installed.at(1'001);
    EXPECT_NE(fresh, former) << "packets for the old one could be replayed";
    const auto published = epochs.published(in(1'000, 2min)).keys;
    ASSERT_EQ(published.size(), 2U);
    EXPECT_EQ(published[0], (std::pair<mix::Epoch, crypto::X25519Public>{1'001, fresh}));
    EXPECT_GT(epochs.version(), 0U) << "it is announced";
  }
  Bench bench;
  MixEpochs epochs{options_, bench, 2};
  ASSERT_EQ(epochs.open(random_, now_, in(1'000, 3min)), "");
  ASSERT_TRUE(bench.installed.contains(1'001));
  EXPECT_EQ(bench.installed.at(1'001), fresh) << "kept over a restart";
}

TEST_F(MixEpochsTest, AProofIsPublishedWhenTheLastPacketHasLeft) {
  Bench bench;
  MixEpochs epochs{options_, bench, 2};
  ASSERT_EQ(epochs.open(random_, now_, in(1'000, 1min)), "");
  now_ += 20min;
  epochs.tick(random_, now_, in(1'001, 1min));
  EXPECT_TRUE(epochs.published(in(1'001, 1min)).proofs.empty());
  now_ += 2min;
  epochs.tick(random_, now_, in(1'001, 3min));
  const auto published = epochs.published(in(1'001, 3min));
  ASSERT_EQ(published.proofs.size(), 1U);
  EXPECT_EQ(published.proofs[0].epoch, 1'000U);
  EXPECT_TRUE(mix::DelayAudit::open(published.vrf, published.proofs[0]));
}

}  // namespace
}  // namespace village::service
