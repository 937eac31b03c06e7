#pragma once
// MixLink: the way of one core to one next hop: an HTX stream of service `mix` that carries frames of
// constant size in one direction.
//
//   idle --frame--> connecting --ok--> open --lost--> waiting --back-off over, frames wait--> connecting
//                        | failed ------------------------^
//
// Frames that find the stream's buffer full wait in a queue of fixed size; beyond it the newest is refused,
// so that a next hop that is stuck costs its own frames and nothing else.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/buffer_pool.hpp"
#include "village/base/bytes.hpp"
#include "village/mix/worker.hpp"
#include "village/net/core.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/tunnel.hpp"

namespace village::service {

/// FrameOwner gets a worker's packets back.
class FrameOwner {
 public:
  virtual void sent(mix::HeldPacket packet) = 0;
  virtual void dropped(mix::HeldPacket packet, mix::Drop reason) = 0;

 protected:
  ~FrameOwner() = default;
};

struct MixLinkOptions {
  std::size_t frame_bytes = 0;
  std::size_t queue_max = 1'024;
  Duration dial_timeout = std::chrono::seconds{10};
  Duration backoff_min = std::chrono::milliseconds{100};
  Duration backoff_max = std::chrono::seconds{10};
  Duration frame_age_max = std::chrono::seconds{10};  ///< older ones are dropped while there is no stream
};

struct MixLinkCounts {
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;  ///< queue full
  std::uint64_t late = 0;     ///< waited too long
  std::uint64_t lost = 0;     ///< queued when a stream died, and cut in the middle
};

/// MixLink lives on one core. stop() must have ended before it dies.
class MixLink {
 public:
  /// `peer` is the name by which `tunnel` knows the next hop. All references outlive the link.
  MixLink(net::Core& core, Tunnel& tunnel, FrameOwner& owner, std::string peer,
          const MixLinkOptions& options);
  ~MixLink();
  MixLink(const MixLink&) = delete;
  MixLink& operator=(const MixLink&) = delete;

  /// send takes a worker's packet; the owner hears what became of it, perhaps before the call returns.
  void send(const mix::Released& packet);
  /// send_copy takes a frame of anybody's. false: refused, the queue is full.
  bool send_copy(ByteView frame);
  /// stop drops what waits and ends.
  boost::asio::awaitable<void> stop();

  bool open() const { return stream_ != nullptr; }
  std::size_t waiting() const { return count_; }
  const MixLinkCounts& counts() const { return counts_; }
  const std::string& peer() const { return peer_; }
  Instant last_used() const { return last_used_; }

 private:
  /// Entry is a frame that waits: a worker's, or a copy.
  struct Entry {
    ByteView frame;
    std::optional<mix::HeldPacket> held;
    Buffer copy;
    Instant since{};
  };
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> serve(std::shared_ptr<TunnelStream> stream);
  void pump();
  std::size_t offer_at_once(ByteView frame);
  bool has_room();
  void push(Entry entry);
  void pop();
  void drop_first(mix::Drop reason);
  void drop_late();
  void wake();
  Instant now() const { return core_.clock().now(); }

  net::Core& core_;
  Tunnel& tunnel_;
  FrameOwner& owner_;
  const std::string peer_;
  const MixLinkOptions options_;
  std::vector<Entry> ring_;  ///< queue_max places
  std::size_t first_ = 0, count_ = 0;
  std::size_t offered_ = 0;  ///< bytes of the first entry that the stream has taken
  std::shared_ptr<TunnelStream> stream_;
  bool running_ = false;
  bool stopping_ = false;
  unsigned failures_ = 0;
  Instant not_before_ = Instant::min();
  Instant last_used_{};
  MixLinkCounts counts_;
  net::Event changed_;
  net::Nursery tasks_;
};

}  // namespace village::service
