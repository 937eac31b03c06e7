#pragma once
// MixDirectoryWorld: authorities and nodes on one core, whose wall clock the test turns.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "blocking_client.hpp"
#include "control/temporary_folder.hpp"
#include "mix/directory_world.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/mix_authority.hpp"
#include "village/service/mix_directory.hpp"

namespace village::service::test {

namespace asio = boost::asio;

/// TurnedCore is a core whose wall clock stands still until it is turned.
class TurnedCore final : public net::Core {
 public:
  explicit TurnedCore(net::Core& core) : core_{core}, clock_{core.clock()} {}
  asio::io_context& io() override { return core_.io(); }
  std::size_t index() const override { return core_.index(); }
  const village::Clock& clock() const override { return clock_; }
  RandomSource& random() override { return core_.random(); }
  net::Resolver& resolver() override { return core_.resolver(); }
  void turn(WallTime to) { clock_.wall_time = to.time_since_epoch().count(); }
  WallTime wall() const { return clock_.wall(); }

 private:
  struct TurnedClock final : village::Clock {
    explicit TurnedClock(const village::Clock& real) : real_{real} {}
    Instant now() const override { return real_.now(); }
    WallTime wall() const override { return WallTime{Duration{wall_time.load()}}; }
    const village::Clock& real_;
    std::atomic<Duration::rep> wall_time{0};
  };
  net::Core& core_;
  TurnedClock clock_;
};

class MixDirectoryWorld {
 public:
  static constexpr mix::Epochs epochs{std::chrono::seconds{60}, std::chrono::seconds{5}};
  static constexpr mix::Epoch first = 1'000;

  /// Authority is one of the world's, and what it runs on.
  struct Authority {
    std::unique_ptr<MixAuthority> service;
    std::shared_ptr<net::Listener> listener;
    std::unique_ptr<net::Nursery> nursery;
    control::TemporaryFolder folder;
  };
  /// Node is a node that publishes itself, or a client that does not.
  struct Node {
    std::unique_ptr<MixDirectory> directory;
    std::unique_ptr<net::Nursery> nursery;
    std::uint64_t sequence = 0;
    std::atomic<int> changes{0};  ///< of its views
  };

  explicit MixDirectoryWorld(std::size_t count, std::uint32_t threshold)
      : runtime_{1}, core_{runtime_.core(0)}, dialer_{core_} {
    core_.turn(epochs.start(first) + 1s);
    for (std::size_t i = 0; i < count; ++i) {
      auto& authority = *authorities_.emplace_back(std::make_unique<Authority>());
      authority.listener = *net::Listener::bind_tcp(net::loopback_v4(), 1);
      entries_.push_back({"authority " + std::to_string(i), mix::test::key_of(9'000 + i).public_key,
                          net::to_target(*authority.listener->local())});
    }
    runtime_.start();
    threshold_ = threshold;
    for (std::size_t i = 0; i < count; ++i) start_authority(i, authorities_[i]->folder.path(""));
  }
  ~MixDirectoryWorld() {
    for (auto& node : nodes_) stop(*node);
    for (std::size_t i = 0; i < authorities_.size(); ++i) stop_authority(i);
    runtime_.stop();
    runtime_.join();
  }

  template <class Make>
  void on_core(Make make) {
    runtime_.call(0, [&make](net::Core&) -> asio::awaitable<void> { co_await make(); });
  }

  /// add_node runs a node; seed 0 = a client, which has no descriptor.
  Node& add_node(std::uint64_t seed, mix::Roles roles = {true, false, false},
                 const std::string& folder = {}) {
    auto& node = *nodes_.emplace_back(std::make_unique<Node>());
    MixDirectorySettings settings;
    settings.authorities = entries_;
    settings.threshold = threshold_;
    settings.epochs = epochs;
    settings.folder = folder;
    on_core([&]() -> asio::awaitable<void> {
      node.directory = std::make_unique<MixDirectory>(core_, dialer_, std::move(settings));
      if (seed != 0) {
        node.directory->describe_by([&node, seed, roles](mix::Epoch epoch) {
          auto descriptor = mix::test::descriptor_of(seed, epoch, roles);
          descriptor.sequence = ++node.sequence;
          return mix::sign(std::move(descriptor), mix::test::key_of(seed));
        });
      }
      node.directory->on_change([&node](const MixViews&) { ++node.changes; });
      node.nursery = std::make_unique<net::Nursery>(core_);
      node.nursery->spawn([&node]() -> asio::awaitable<void> { return node.directory->run(); });
      co_return;
    });
    return node;
  }
  void stop(Node& node) {
    if (!node.nursery) return;
    on_core([&node]() -> asio::awaitable<void> {
      node.nursery->cancel();
      co_await node.nursery->join();
      node.nursery.reset();
      node.directory.reset();
    });
  }

  /// until waits for a condition, twenty seconds at most.
  template <class Condition>
  static bool until(Condition condition) {
    for (int look = 0; look < 20'000; ++look) {
      if (condition()) return true;
      std::this_thread::sleep_for(1ms);
    }
    return false;
  }

  /// settle waits until the authorities have nothing more to say to each other.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      std::vector<std::uint64_t> before;
      for (const auto& each : authorities_) before.push_back(each->service->status().turns);
      ASSERT_TRUE(until([&] {
        for (std::size_t i = 0; i < before.size(); ++i) {
          if (authorities_[i]->service->status().turns < before[i] + 2) return false;
        }
        return true;
      }));
      bool silent = true;
      for (const auto& each : authorities_) silent = silent && each->service->status().posts == 0;
      quiet = silent ? quiet + 1 : 0;
    }
  }

  /// make_document takes the clock through the rounds for an epoch.
  void make_document(mix::Epoch epoch) {
    const mix::AuthoritySchedule schedule{authority_set(entries_, threshold_), epochs, epoch};
    core_.turn(schedule.collect_end - 1ms);
    settle();
    for (std::size_t slot = 0; slot <= schedule.slots(); ++slot) {
      core_.turn(schedule.start_of(slot) + 1ms);
      settle();
    }
  }

  TurnedCore& core() { return core_; }
  net::Dialer& dialer() { return dialer_; }
  MixAuthority& authority(std::size_t i) { return *authorities_[i]->service; }
  std::string folder(std::size_t i) const { return authorities_[i]->folder.path(""); }
  net::Endpoint endpoint(std::size_t i) { return *authorities_[i]->listener->local(); }
  const std::vector<MixAuthorityEntry>& entries() const { return entries_; }
  std::uint32_t threshold() const { return threshold_; }

  void start_authority(std::size_t i, const std::string& folder) {
    MixAuthoritySettings settings;
    settings.authorities = entries_;
    settings.threshold = threshold_;
    settings.epochs = epochs;
    settings.parameters.distinct_networks = false;
    for (std::uint64_t seed = 1; seed <= 64; ++seed)
      settings.admitted.push_back(wire::NodeId::of(mix::test::key_of(seed).public_key));
    settings.folder = folder;
    on_core([&]() -> asio::awaitable<void> {
      auto& authority = *authorities_[i];
      authority.service =
          std::make_unique<MixAuthority>(core_, dialer_, settings, mix::test::key_of(9'000 + i));
      authority.nursery = std::make_unique<net::Nursery>(core_);
      authority.nursery->spawn([&authority]() -> asio::awaitable<void> { return authority.service->run(); });
      authority.nursery->spawn(
          [&authority]() -> asio::awaitable<void> { return authority.service->serve(*authority.listener); });
      co_return;
    });
  }
  void stop_authority(std::size_t i) {
    on_core([&]() -> asio::awaitable<void> {
      authorities_[i]->nursery->cancel();
      co_await authorities_[i]->nursery->join();
      authorities_[i]->nursery.reset();
      authorities_[i]->service.reset();
    });
    authorities_[i]->listener = *net::Listener::bind_tcp(net::loopback_v4(), 1);  // another port
  }

 private:
  net::Runtime runtime_;
  TurnedCore core_;
  net::TcpDialer dialer_;
  std::vector<std::unique_ptr<Authority>> authorities_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<MixAuthorityEntry> entries_;
  std::uint32_t threshold_ = 1;
};

}  // namespace village::service::test
