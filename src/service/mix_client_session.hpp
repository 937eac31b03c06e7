#pragma once
// MixClientSession: one client's stream at its gateway. Records of one size in both directions
// (mix/gateway_records.hpp); ours leave at the times of a Poisson stream.
#include <memory>
#include <optional>
#include <vector>

#include "service/mix_gateway.hpp"
#include "service/record_cutter.hpp"
#include "service/tunnel_stream.hpp"
#include "village/mix/cover_stream.hpp"
#include "village/mix/gateway_records.hpp"

namespace village::service {

/// MixClientSession lives on the core of its stream, in the frame of the coroutine that runs it.
class MixClientSession final : public StreamSink {
 public:
  MixClientSession(MixGateway& gateway, MixCore& at, const wire::NodeId& client,
                   std::shared_ptr<TunnelStream> stream, const MixOptions& options);
  ~MixClientSession();
  boost::asio::awaitable<void> run();

 private:
  void take(ByteView bytes) override;
  void on_record(ByteView record);
  void on_hello(const mix::UpRecord& hello);
  void on_packet(const mix::UpRecord& record);
  void acknowledge(const mix::UpRecord& record);
  /// next_record writes what is to be sent now; false: nothing (without a stream of cover).
  bool next_record(bool with_cover);
  void fetch_ahead();
  boost::asio::awaitable<bool> wait(std::optional<Instant> due);

  MixGateway& gateway_;
  MixCore& at_;
  const wire::NodeId client_;
  std::shared_ptr<TunnelStream> stream_;
  const mix::GatewayRecords records_;
  mix::TokenBucket rate_;
  mix::CoverStream times_;
  std::shared_ptr<MixInbox> inbox_;
  RecordCutter cutter_;  ///< of what the client sends
  Bytes out_;
  bool greeted_ = false;  ///< hello came
  bool broken_ = false;   ///< a record made no sense
  mix::Answer answer_ = mix::Answer::accepted;
  bool welcomed_ = false;
};

}  // namespace village::service
