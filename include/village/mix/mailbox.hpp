#pragma once
// Mailbox: what a gateway keeps for its clients until they fetched it.
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/time.hpp"
#include "village/mix/message_limits.hpp"
#include "village/mix/moment.hpp"
#include "village/sphinx/types.hpp"
#include "village/wire/node_id.hpp"

namespace village::mix {

/// Mailbox is a gateway's store in memory: for each registered client a queue of payloads. One thread.
///
///   put -> next (handed over on the client's session) -> acknowledge, or expire after 24 h
///
/// Sequences are counted per client from 1, so that they tell nobody about other clients. A session remembers
/// the last sequence it handed over and asks for the next one behind it; a new session starts at 0 and so
/// gets again what was never acknowledged. Durability is the owner's: service/mix_mailbox_file repeats each
/// change in a file. Cost: put, next and acknowledge O(log n) of one client's queue, amortised.
class Mailbox {
 public:
  struct Options {
    std::size_t messages_per_client_max = limits::mailbox_messages_max;
    std::size_t clients_max = limits::mailbox_clients_max;
    std::size_t bytes_max = limits::mailbox_bytes_max;  ///< payloads and mailbox_entry_bytes of each. Half of
                                                        ///< it is dealt to the clients in equal parts, the
                                                        ///< other half is for whoever comes first
    Duration time_max = limits::mailbox_time_max;
  };
  /// Message is one stored payload. `payload` is a view that lives until the mailbox changes.
  struct Message {
    std::uint64_t sequence = 0;
    WallTime stored{};
    sphinx::Identifier identifier{};
    ByteView payload;
  };

  Mailbox() = default;
  explicit Mailbox(const Options& options) : options_{options} {}

  /// set_options applies from now on; what is stored already stays.
  void set_options(const Options& options) {
    options_ = options;
    parts_changed_ = true;
  }

  /// add_client registers a client; again is fine. Errors: busy (clients_max).
  Result<void> add_client(const wire::NodeId& client);
  /// remove_client forgets it and all it had; false if it was none.
  bool remove_client(const wire::NodeId& client);
  bool serves(const wire::NodeId& client) const { return clients_.contains(client); }

  /// put stores a payload and returns its sequence. Errors: not_found (not a client), busy (its 10,000, or
  /// its part and what is for all, are used up: nothing stored is dropped for it).
  Result<std::uint64_t> put(const wire::NodeId& client, const sphinx::Identifier& identifier,
                            ByteView payload, Moment now);
  /// next is the stored message with the lowest sequence above `after`.
  std::optional<Message> next(const wire::NodeId& client, std::uint64_t after) const;
  /// acknowledge deletes one; false if it is not there.
  bool acknowledge(const wire::NodeId& client, std::uint64_t sequence);
  /// expire deletes what was put longer ago than time_max on the monotonic clock; returns how many.
  /// O(clients + expired).
  std::size_t expire(Moment now);

  /// restore puts back what a file kept, in the order of sequences. Registers the client. Errors: busy,
  /// malformed (not above the sequences already there).
  /// Its age is what the wall clock says now; from then on the monotonic clock counts.
  Result<void> restore(const wire::NodeId& client, const Message& message, Moment now);
  /// raise_sequence makes the next sequence of a client higher than `sequence`: from a file.
  void raise_sequence(const wire::NodeId& client, std::uint64_t sequence);

  /// clients lists whom it serves, in no order; for the file and for status. O(clients).
  std::vector<wire::NodeId> clients() const;
  std::size_t waiting(const wire::NodeId& client) const;
  std::uint64_t last_sequence(const wire::NodeId& client) const;
  std::size_t client_count() const { return clients_.size(); }
  std::size_t messages() const { return messages_; }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::uint64_t sequence = 0;
    WallTime stored{};
    Instant until{};
    sphinx::Identifier identifier{};
    Bytes payload;  ///< empty once acknowledged
    bool gone = false;
  };
  struct Client {
    std::deque<Entry> entries;  ///< ascending sequences, acknowledged ones among them
    std::size_t live = 0;
    std::size_t bytes = 0;
    std::uint64_t last_sequence = 0;
  };
  Result<void> store(Client& client, const Message& message, Instant until);
  void release(Client& client, Entry& entry);
  static void sweep(Client& client);
  /// beyond_part is what of a client's bytes is not within its own part.
  std::size_t beyond_part(std::size_t bytes) const;
  void deal_parts();

  Options options_;
  std::unordered_map<wire::NodeId, Client> clients_;
  std::size_t messages_ = 0;
  std::size_t bytes_ = 0;
  std::size_t common_bytes_ = 0;  ///< beyond clients' parts
  bool parts_changed_ = false;
};

}  // namespace village::mix
