// The files of mailboxes and seen messages: nothing is lost by kill -9, a damaged tail costs only itself.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "service/mix_mailbox_file.hpp"
#include "service/mix_seen_file.hpp"
#include "support/vectors.hpp"
#include "village/base/random.hpp"

namespace village::service {
namespace {

constexpr WallTime now{std::chrono::hours{490'000}};

wire::NodeId node(std::uint8_t seed) {
  crypto::Ed25519Public key{};
  key[0] = std::byte{seed};
  return wire::NodeId::of(key);
}

class MixFiles : public testing::Test {
 protected:
  MixFiles() {
    std::string name = (std::filesystem::temp_directory_path() / "village-mix-XXXXXX").string();
    directory = ::mkdtemp(name.data());
    path = (directory / "file").string();
  }
  ~MixFiles() override { std::filesystem::remove_all(directory); }

  static void add_clients(mix::Mailbox& mailbox) {
    ASSERT_TRUE(mailbox.add_client(node(1)));
    ASSERT_TRUE(mailbox.add_client(node(2)));
  }
  static std::uint64_t put(mix::Mailbox& mailbox, MixMailboxFile& file, std::uint8_t client,
                           ByteView payload) {
    const auto sequence = mailbox.put(node(client), {std::byte{7}}, payload, now).value();
    EXPECT_TRUE(file.stored(node(client), {sequence, now, {std::byte{7}}, payload}, mailbox));
    return sequence;
  }
  static void acknowledge(mix::Mailbox& mailbox, MixMailboxFile& file, std::uint8_t client,
                          std::uint64_t sequence) {
    EXPECT_TRUE(mailbox.acknowledge(node(client), sequence));
    EXPECT_TRUE(file.acknowledged(node(client), sequence, mailbox));
  }
  /// messages of a client after a restart.
  std::vector<std::string> found(std::uint8_t client, WallTime at = now) {
    mix::Mailbox mailbox;
    add_clients(mailbox);
    const auto file = MixMailboxFile::open(path, mailbox, at, &dropped);
    EXPECT_TRUE(file);
    std::vector<std::string> list;
    std::uint64_t after = 0;
    while (const auto message = mailbox.next(node(client), after)) {
      list.emplace_back(as_text(message->payload));
      EXPECT_EQ(message->identifier, (sphinx::Identifier{std::byte{7}}));
      after = message->sequence;
    }
    last = mailbox.last_sequence(node(client));
    return list;
  }
  void write_file(const std::string& content) {
    std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
  }

  std::filesystem::path directory;
  std::string path;
  std::size_t dropped = 0;
  std::uint64_t last = 0;
};

using Strings = std::vector<std::string>;

TEST_F(MixFiles, MailboxesComeBackWithoutWhatWasAcknowledged) {
  {
    mix::Mailbox mailbox;
    add_clients(mailbox);
    auto file = MixMailboxFile::open(path, mailbox, now).value();
    for (const auto* text : {"one", "two", "three"}) put(mailbox, file, 1, as_bytes(text));
    put(mailbox, file, 2, as_bytes("other"));
    acknowledge(mailbox, file, 1, 2);
    acknowledge(mailbox, file, 1, 3);
  }
  EXPECT_EQ(found(1), Strings{"one"});
  EXPECT_EQ(last, 3U) << "sequences are not used twice";
  EXPECT_EQ(found(2), Strings{"other"});
  EXPECT_EQ(found(1, now + 24h), Strings{});
  EXPECT_EQ(last, 3U);
}

TEST_F(MixFiles, MailOfNoClientIsDropped) {
  {
    mix::Mailbox mailbox;
    add_clients(mailbox);
    auto file = MixMailboxFile::open(path, mailbox, now).value();
    put(mailbox, file, 1, as_bytes("one"));
  }
  mix::Mailbox other;
  ASSERT_TRUE(other.add_client(node(2)));
  ASSERT_TRUE(MixMailboxFile::open(path, other, now));
  EXPECT_EQ(other.messages(), 0U);
  EXPECT_FALSE(other.serves(node(1)));
}

TEST_F(MixFiles, DamageCostsOnlyWhatStandsBehindIt) {
  {
    mix::Mailbox mailbox;
    add_clients(mailbox);
    auto file = MixMailboxFile::open(path, mailbox, now).value();
    for (const auto* text : {"one", "two", "three"}) put(mailbox, file, 1, as_bytes(text));
  }
  const auto whole = test::read_file(path);
  for (std::size_t cut = 1; cut < 20; ++cut) {
    write_file(whole.substr(0, whole.size() - cut));
    EXPECT_EQ(found(1), (Strings{"one", "two"})) << cut;
    EXPECT_GT(dropped, 0U);
  }
  auto damaged = whole;
  damaged[damaged.size() - 70] = static_cast<char>(damaged[damaged.size() - 70] ^ 1);
  write_file(damaged);
  EXPECT_LE(found(1).size(), 2U);
  write_file(whole + "trailing garbage of any length, as a disk may leave it behind");
  EXPECT_EQ(found(1), (Strings{"one", "two", "three"}));
  write_file("");
  EXPECT_EQ(found(1), Strings{});
  write_file("this is somebody's own file, not one of ours");
  mix::Mailbox mailbox;
  EXPECT_EQ(MixMailboxFile::open(path, mailbox, now).error().code, Errc::unsupported);
  EXPECT_EQ(test::read_file(path), "this is somebody's own file, not one of ours");
}

TEST_F(MixFiles, MailboxFileShrinks) {
  mix::Mailbox mailbox;
  add_clients(mailbox);
  auto file = MixMailboxFile::open(path, mailbox, now).value();
  const Bytes payload(1'700, std::byte{1});
  put(mailbox, file, 1, as_bytes("stays"));
  std::size_t largest = 0;
  for (int i = 0; i < 25'000; ++i) {
    acknowledge(mailbox, file, 2, put(mailbox, file, 2, payload));
    largest = std::max(largest, file.bytes());
  }
  EXPECT_LT(largest, 18U * 1024 * 1024);
  EXPECT_GT(largest, 15U * 1024 * 1024);
  EXPECT_EQ(std::filesystem::file_size(path), file.bytes());
  EXPECT_EQ(found(1), Strings{"stays"});
}

/// killed runs `work` in a child that tells numbers through a pipe, kills it when `count` came, and returns
/// them.
template <class Work>
std::vector<std::uint64_t> killed(std::size_t count, Work work) {
  int pipe[2];
  EXPECT_EQ(::pipe(pipe), 0);
  const auto child = ::fork();
  if (child == 0) {
    work([&](std::uint64_t number) {
      if (::write(pipe[1], &number, sizeof number) != sizeof number) ::_exit(1);
    });
    for (;;) ::pause();
  }
  std::vector<std::uint64_t> numbers(count);
  for (auto& number : numbers) EXPECT_EQ(::read(pipe[0], &number, sizeof number), ssize_t{sizeof number});
  EXPECT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  ::close(pipe[0]);
  ::close(pipe[1]);
  return numbers;
}

TEST_F(MixFiles, Kill9LosesNothingThatWasTakenOver) {
  std::size_t before = 0;
  for (int round = 0; round < 3; ++round) {
    const auto taken = killed(500, [&](const auto& tell) {
      mix::Mailbox mailbox;
      add_clients(mailbox);
      auto file = MixMailboxFile::open(path, mailbox, now).value();
      for (int i = 0; i < 5'000; ++i) {
        const auto sequence = mailbox.last_sequence(node(1)) + 1;
        tell(put(mailbox, file, 1, as_bytes(std::to_string(sequence))));
      }
    });
    const auto list = found(1);
    ASSERT_GE(list.size(), before + taken.size());
    for (std::size_t i = 0; i < list.size(); ++i) EXPECT_EQ(list[i], std::to_string(i + 1));
    for (const auto sequence : taken) EXPECT_LE(sequence, list.size());
    before = list.size();
  }
}

class MixSeenFiles : public MixFiles {
 protected:
  SeededRandom random{5};
  crypto::Ed25519KeyPair key = crypto::Ed25519KeyPair::generate(random);
  mix::Client client{key, mix::ClientOptions{node(1)}, random, Instant{}};
  static mix::MessageId id(std::uint64_t n) {
    mix::MessageId id{};
    for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::byte>(n >> 8 * i);
    return id;
  }
};

TEST_F(MixSeenFiles, Kill9ForgetsNoMessageThatWasDelivered) {
  const auto told = killed(300, [&](const auto& tell) {
    auto file = MixSeenFile::open(path, client, now).value();
    for (std::uint64_t n = 1; n < 3'000; ++n) {
      const mix::SeenMessage message{id(n), now + 26h, {std::byte(n)}};
      client.restore_seen(message, now);
      EXPECT_TRUE(file.append(message, client.seen()));
      tell(n);
    }
  });
  ASSERT_TRUE(MixSeenFile::open(path, client, now));
  for (const auto n : told) {
    ASSERT_TRUE(client.seen().contains(id(n)));
    EXPECT_EQ(*client.seen().proof(id(n)), mix::DeliveryProof{std::byte(n)});
  }
  mix::Client later{key, mix::ClientOptions{node(1)}, random, Instant{}};
  ASSERT_TRUE(MixSeenFile::open(path, later, now + 26h));
  EXPECT_FALSE(later.seen().contains(id(1))) << "long enough";
}

TEST_F(MixSeenFiles, AClockThatWasAheadKeepsNothingForEver) {
  {
    auto file = MixSeenFile::open(path, client, now + 1'000h).value();
    const mix::SeenMessage message{id(1), now + 1'026h, {}};
    client.restore_seen(message, now + 1'000h);
    ASSERT_TRUE(file.append(message, client.seen()));
  }
  mix::Client later{key, mix::ClientOptions{node(1)}, random, Instant{}};
  ASSERT_TRUE(MixSeenFile::open(path, later, now));
  ASSERT_TRUE(later.seen().contains(id(1)));
  EXPECT_LE(later.seen().entries().front().expires, mix::Moment{now + 26h}.now);
}

TEST_F(MixSeenFiles, RemembersWhatMayBeForgottenOverRestarts) {
  const auto was_forgotten = [&](WallTime at) {
    mix::Client later{key, mix::ClientOptions{node(1)}, random, Instant{}};
    EXPECT_TRUE(MixSeenFile::open(path, later, at));
    return later.seen().is_forgotten(now);
  };
  {
    auto file = MixSeenFile::open(path, client, now).value();
    const mix::SeenMessage message{id(1), now + 26h, {}};
    client.restore_seen(message, now);
    ASSERT_TRUE(file.append(message, client.seen()));
  }
  EXPECT_FALSE(was_forgotten(now + 1h));
  EXPECT_TRUE(was_forgotten(now + 27h)) << "it has expired";
  EXPECT_TRUE(was_forgotten(now + 1h)) << "and the clock was set back";
}

}  // namespace
}  // namespace village::service
