#pragma once
// MixClientService: a node as sender and recipient of messages. Keeps a session with its gateway, feeds
// mix::Client with it, and keeps what came in until programs fetch it.
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/mix_seen_file.hpp"
#include "service/record_cutter.hpp"
#include "village/mix/client.hpp"
#include "village/mix/gateway_records.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/mix_options.hpp"
#include "village/service/mix_status.hpp"
#include "village/service/stream_service.hpp"
#include "village/service/tunnel.hpp"

namespace village::service {

/// MixClientService lives on one core. stop() must have ended before it dies.
class MixClientService final : private StreamSink {
 public:
  /// `gateway` is the id of the peer options.gateway. References outlive the service.
  MixClientService(net::Core& core, Tunnel& tunnel, const MixOptions& options, const wire::NodeId& gateway);
  ~MixClientService();

  /// open_file makes ids of messages received outlive the process. Errors: as MixSeenFile::open.
  Result<void> open_file(const std::string& path);
  void start();
  boost::asio::awaitable<void> stop();
  void set_view(std::shared_ptr<const mix::MixView> view);

  /// What programs ask; see control::MixHooks.
  Result<std::string> send(const MixOutgoing& out);
  net::Task<std::vector<MixIncoming>> receive(std::uint64_t after, Duration wait);
  MixFate fate(const std::string& id) const;
  net::Task<Duration> ping(Duration within);
  MixClientStatus status() const;

 private:
  void take(ByteView bytes) override;
  void flush() override;
  void on_record(ByteView record);
  boost::asio::awaitable<void> session_loop();
  boost::asio::awaitable<void> one_session(std::shared_ptr<TunnelStream> stream);
  boost::asio::awaitable<bool> send_records(TunnelStream& stream);
  net::Task<void> say_hello(TunnelStream& stream);
  boost::asio::awaitable<void> timer_loop();
  void work();
  void on(const mix::MessageDelivered& event);
  void on(const mix::MessageFailed& event);
  void on(const mix::MessageReceived& event);
  void remember(const mix::MessageId& id, MixFate fate);
  Instant now() const { return core_.clock().now(); }
  WallTime wall() const { return core_.clock().wall(); }

  struct Ping {
    Instant sent{};
    std::optional<Duration> time;
  };

  net::Core& core_;
  Tunnel& tunnel_;
  const MixOptions& options_;
  const wire::NodeId gateway_;
  const mix::GatewayRecords records_;
  std::unique_ptr<RandomSource> random_;
  mix::Client client_;
  std::optional<MixSeenFile> file_;

  std::shared_ptr<TunnelStream> stream_;
  RecordCutter cutter_;  ///< of what the gateway sends
  Bytes packet_, record_;
  bool connected_ = false;  ///< welcome came
  bool broken_ = false;
  bool stopping_ = false;

  std::deque<MixIncoming> inbox_;
  std::size_t inbox_bytes_ = 0;
  std::uint64_t sequence_ = 0;
  std::map<std::string, mix::MessageId> repliable_;
  std::deque<std::string> repliable_order_;
  std::map<std::string, MixFate> fates_;
  std::deque<std::string> fate_order_;
  std::map<std::string, Ping> pings_;  ///< by id of the message to ourselves
  MixClientStatus counts_;
  net::Event changed_, arrived_;
  net::Nursery tasks_;
};

}  // namespace village::service
