#pragma once
// UDP in batches: one system call moves up to 64 datagrams, or 64 groups of them where the kernel segments
// (GSO, GRO).
#include <memory>
#include <span>
#include <vector>

#include "village/net/address.hpp"
#include "village/net/core.hpp"
#include "village/net/limits.hpp"
#include "village/net/stream.hpp"

namespace village::net {

/// Datagram is a payload and the other end. A view: of a UdpBatch when received, of the caller's memory when
/// sent.
struct Datagram {
  ByteView payload;
  Endpoint peer;
};

/// UdpBatch is the memory that datagrams are received into: `slots` buffers of `slot_bytes`. With GRO one
/// slot takes a whole group, so slots below 64 KiB cut groups short; without, a datagram longer than a slot
/// is dropped and counted. One batch may serve all sockets of a core as long as its datagrams are used up
/// before the next receive.
class UdpBatch {
 public:
  explicit UdpBatch(std::size_t slots = 16, std::size_t slot_bytes = 65'536);
  ~UdpBatch();
  UdpBatch(UdpBatch&&) noexcept;
  UdpBatch& operator=(UdpBatch&&) noexcept;
  /// datagrams are those of the last receive, in order, valid until the next one into this batch.
  std::span<const Datagram> datagrams() const;

 private:
  friend class UdpSocket;
  struct State;
  std::unique_ptr<State> state_;
};

struct UdpOptions {
  bool reuse_port = false;                     ///< several sockets (cores) on one port
  bool gso = true;                             ///< use UDP_SEGMENT where it works
  bool gro = true;                             ///< use UDP_GRO where it works
  std::size_t buffer_bytes = 4 * 1024 * 1024;  ///< SO_RCVBUF and SO_SNDBUF asked for
};

/// UdpSocket lives on one core. receive and send never wait; wait_readable and wait_writable do.
class UdpSocket {
 public:
  /// bind opens a socket on `local` (port 0: the kernel picks). IPv6 sockets take no IPv4. Errors as
  /// Listener::bind_tcp.
  static Result<std::unique_ptr<UdpSocket>> bind(Core& core, const Endpoint& local, UdpOptions options = {});
  ~UdpSocket();

  /// receive fills the batch with what is there and returns the number of datagrams; 0 = nothing.
  Result<std::size_t> receive(UdpBatch& batch);
  /// send hands datagrams to the kernel in order and returns how many it took; fewer than given =
  /// wait_writable first. Runs of equal size (the last may be shorter) to one peer leave as one group. A
  /// datagram the kernel refuses for its own sake (too long, no route, policy) is dropped, counted, and
  /// regarded as taken.
  Result<std::size_t> send(std::span<const Datagram> datagrams);
  /// send_all is send until everything is taken.
  Task<void> send_all(std::span<const Datagram> datagrams);
  Task<void> wait_readable();
  Task<void> wait_writable();
  /// close ends waits with `cancelled`. Idempotent.
  void close() noexcept;

  Endpoint local() const;
  bool gso() const;  ///< the kernel segments for us (may turn false when a device refuses)
  bool gro() const;
  int native() const;

 private:
  struct State;
  explicit UdpSocket(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  ///< shared with waits under way, which may end after the socket
};

}  // namespace village::net
