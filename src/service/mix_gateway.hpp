#pragma once
// MixGateway: the last hop of messages to its clients. Mailboxes live on one core; a client's session lives
// where its connection does, fetches from its mailbox ahead of need, and hands over at the times of a Poisson
// stream, full or not, so that the wire does not tell whether there was mail.
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "service/mix_core.hpp"
#include "service/mix_mailbox_file.hpp"
#include "village/mix/gateway_records.hpp"
#include "village/mix/mailbox.hpp"
#include "village/service/mix_options.hpp"

namespace village::service {

/// StoredPayload is a mailbox's message on its way to a session.
struct StoredPayload {
  std::uint64_t sequence = 0;
  sphinx::Identifier identifier{};
  Bytes payload;
};

/// MixInbox is what a session has been given of its mailbox. It belongs to the session's core.
struct MixInbox {
  explicit MixInbox(net::Core& on) : core{on}, changed{on} {}
  net::Core& core;
  std::vector<StoredPayload> ready;  ///< from `first` on, ascending
  std::size_t first = 0;
  std::uint64_t fetched = 0;  ///< last sequence asked for and got
  bool fetching = false;
  bool more = false;                     ///< something came while we asked
  std::optional<std::uint32_t> waiting;  ///< what there was when it was attached; to be told in welcome
  net::Event changed;
};

class MixGateway : public std::enable_shared_from_this<MixGateway> {
 public:
  /// `home` is the core of the mailboxes; it outlives the gateway.
  MixGateway(net::Core& home, const MixOptions& options);

  // --- any core
  /// is_client tells whether a node is a client of this gateway.
  bool is_client(const crypto::Ed25519Public& key) const { return clients_.contains(key); }
  bool is_client(const wire::NodeId& id) const { return ids_.contains(id); }
  /// put stores a payload for a client. Bounded: what the mailboxes cannot follow is dropped and counted.
  void put(const wire::NodeId& client, const sphinx::Identifier& identifier, ByteView payload);
  void acknowledge(const wire::NodeId& client, std::vector<std::uint64_t> sequences);
  /// fetch gives the inbox what follows inbox->fetched, at most mix_deliveries_max.
  void fetch(const wire::NodeId& client, std::shared_ptr<MixInbox> inbox);
  /// attach makes mail for a client known to a session's inbox while that lives, and sets inbox->waiting.
  void attach(const wire::NodeId& client, std::shared_ptr<MixInbox> inbox);
  /// stream_mean is the mean pause between records to a client.
  void set_stream_mean(Duration mean) { stream_mean_.store(mean.count()); }
  Duration stream_mean() const { return Duration{stream_mean_.load()}; }
  /// serve runs one client's session on the core of `at`.
  boost::asio::awaitable<void> serve(MixCore& at, crypto::Ed25519Public key,
                                     std::shared_ptr<TunnelStream> stream);

  // --- the home core
  mix::Mailbox& mailbox() { return mailbox_; }
  /// open_file makes the mailboxes outlive the process. Errors: as MixMailboxFile::open.
  Result<void> open_file(const std::string& path);
  void expire();
  /// attached counts the sessions that mail is made known to. O(clients).
  std::size_t attached() const;

  std::size_t sessions() const { return sessions_.load(); }

 private:
  void put_here(const wire::NodeId& client, const sphinx::Identifier& identifier, ByteView payload);
  void fetch_here(const wire::NodeId& client, const std::shared_ptr<MixInbox>& inbox, std::uint64_t after);
  template <class Work>
  void at_home(Work work);
  mix::Moment moment() const { return {home_.clock().wall(), home_.clock().now()}; }

  net::Core& home_;
  const MixOptions& options_;
  std::map<crypto::Ed25519Public, std::string> clients_;
  std::map<wire::NodeId, std::string> ids_;
  mix::Mailbox mailbox_;
  std::optional<MixMailboxFile> file_;
  std::map<wire::NodeId, std::vector<std::weak_ptr<MixInbox>>> attached_;
  std::atomic<std::size_t> posted_{0}, sessions_{0};
  std::atomic<Duration::rep> stream_mean_{0};
};

}  // namespace village::service
