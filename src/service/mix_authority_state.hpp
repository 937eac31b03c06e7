#pragma once
// MixAuthority::State: what mix_authority.cpp (time, other authorities, disk) and mix_authority_requests.cpp
// (those who ask) share.
#include <array>
#include <atomic>
#include <mutex>

#include "service/mix_http.hpp"
#include "village/htx/source_buckets.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/connection_places.hpp"
#include "village/service/mix_authority.hpp"

namespace village::service {

struct MixAuthority::State {
  State(net::Core& owner, net::Dialer& way, MixAuthoritySettings given, const crypto::Ed25519KeyPair& node);

  /// Visit is one connection: what it may send, and the place that a large body takes.
  class Visit final : public MixHttpHandler {
   public:
    Visit(State& state, std::optional<Host> from) : state_{state}, from_{std::move(from)} {}
    Result<std::size_t> on_head(const MixHttpRequest& head) override;
    MixHttpReply answer(const MixHttpRequest& request) override;

   private:
    State& state_;
    std::optional<Host> from_;  ///< its address, where it has one
    std::optional<Place> place_;
  };

  net::asio::awaitable<void> connection(net::StreamPtr stream, std::optional<net::Ip> from);
  net::asio::awaitable<void> run();

  void load();
  bool remember();
  void pump();
  void note_reports();
  void keep_document(mix::Epoch epoch);
  net::asio::awaitable<void> post(mix::AuthorityMessage message);
  net::asio::awaitable<void> ask_others(std::optional<mix::Epoch> present, std::optional<mix::Epoch> next);
  const MixAuthorityEntry* entry_of(const crypto::Ed25519Public& of) const;
  bool is_authority(const crypto::Ed25519Public& of) const { return entry_of(of) != nullptr; }
  WallTime wall() const { return core.clock().wall(); }
  std::string path(std::string_view file) const { return settings.folder + "/" + std::string{file}; }

  net::Core& core;
  net::Dialer& dialer;
  MixAuthoritySettings settings;
  crypto::Ed25519KeyPair key;
  mix::Authority authority;
  htx::SourceBuckets buckets;
  AddressShares shares;
  std::atomic<std::uint32_t> places{0}, statements{0};
  net::Event wake;
  net::Nursery children;
  std::optional<std::uint64_t> remembered;  ///< memory_version on disk
  Instant remember_at{};
  mix::Epoch kept_epoch = 0;  ///< newest document on disk
  Instant ask_at{};
  bool asking = false;
  bool loaded = false;

  mutable std::mutex mutex;  ///< guards `status`
  MixAuthorityStatus status;
};

}  // namespace village::service
