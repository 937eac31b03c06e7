#pragma once
// UdpOutlet: where datagrams leave this node: one socket for each address family, opened at first need, names
// looked up here. Full cone: what anybody sends to a socket comes back. Serves the gateway's direct way out
// and the tunnel's exit.
#include <functional>
#include <string>
#include <vector>

#include "village/net/nursery.hpp"
#include "village/net/udp.hpp"
#include "village/service/exit_policy.hpp"

namespace village::service {

/// UdpScratch is memory for one batch of datagrams; one for each thread, shared by all who never keep it
/// across a wait.
struct UdpScratch {
  static UdpScratch& local();
  net::UdpBatch batch;
  std::vector<net::Datagram> to_client;
  Bytes arena;  ///< datagrams for clients, with their headers
};

class UdpOutlet {
 public:
  enum class Drop : std::uint8_t { denied, name, names_full, socket, full };

  /// Owner hears what becomes of datagrams. It outlives the outlet's tasks.
  class Owner {
   public:
    virtual void on_datagrams(std::span<const net::Datagram> datagrams) = 0;  ///< of a batch: views
    virtual void on_sent(std::uint64_t packets, std::uint64_t bytes) = 0;
    virtual void on_drop(Drop reason, std::uint64_t packets) = 0;

   protected:
    ~Owner() = default;
  };

  /// `allow` judges each address actually sent to; empty = all are fine. Names must be known within
  /// `name_time`. Look-ups and receivers run in `tasks`, which the owner cancels and joins before the outlet
  /// dies.
  UdpOutlet(net::Core& core, net::Nursery& tasks, Owner& owner, AddressPolicy allow, Duration name_time);

  /// add puts a datagram into the batch that flush() sends; `data` must live until then. One for a name is
  /// copied and goes when the name is known.
  void add(const Target& target, ByteView data);
  void flush();

 private:
  boost::asio::awaitable<void> receive_loop(net::UdpSocket& socket);
  boost::asio::awaitable<void> send_to_name(std::string name, std::uint16_t port, Bytes payload);
  void add(const net::Ip& address, std::uint16_t port, ByteView data);
  void look_up(const std::string& name, std::uint16_t port, ByteView data);
  void send(net::UdpSocket* socket, std::vector<net::Datagram>& datagrams);
  net::UdpSocket* socket(bool v4);

  net::Core& core_;
  net::Nursery& tasks_;
  Owner& owner_;
  AddressPolicy allow_;
  Duration name_time_;
  std::unique_ptr<net::UdpSocket> v4_, v6_;
  std::vector<net::Datagram> to_v4_, to_v6_;
  std::size_t names_pending_ = 0;
  std::size_t names_pending_bytes_ = 0;
};

}  // namespace village::service
