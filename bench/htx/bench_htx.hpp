#pragma once
// The parts of bench_htx, and two sessions joined in memory that most of them use.
#include <functional>
#include <vector>

#include "support/report.hpp"
#include "village/base/random.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/session.hpp"

namespace village::bench {

void run_single_stream(const Options& options, Report& report);
void run_loopback(const Options& options, Report& report);
void run_messages(const Options& options, Report& report);
void run_many_streams(const Options& options, Report& report);
void run_wan(const Options& options, Report& report);
void run_multi_stream(const Options& options, Report& report);
void run_rtt(const Options& options, Report& report);
void run_handshakes(const Options& options, Report& report);
void run_frame_ops(const Options& options, Report& report);
void run_memory(const Options& options, Report& report);
void run_alloc(const Options& options, Report& report);

/// shake runs a whole handshake in memory and returns the keys of client and server.
std::pair<htx::SessionKeys, htx::SessionKeys> shake(htx::Suite suite, RandomSource& random);

/// JoinedSessions is a client and a server in one thread: what one transmits the other receives at once.
class JoinedSessions {
 public:
  using OnData = std::function<void(htx::StreamId, ByteView)>;
  JoinedSessions(htx::Suite suite, const htx::Settings& settings);
  htx::Session& client() { return client_; }
  htx::Session& server() { return server_; }
  /// open opens a stream from the client and makes it known to the server.
  htx::StreamId open();
  /// pump moves everything from client to server and the credit back, until neither has more to say. Returns
  /// the number of stream bytes that arrived; each slice is shown to `on_data` and consumed.
  std::uint64_t pump(const OnData& on_data = {});

 private:
  std::uint64_t move(htx::Session& from, htx::Session& to, const OnData& on_data);
  SeededRandom random_{1};
  std::pair<htx::SessionKeys, htx::SessionKeys> keys_;
  htx::Session client_, server_;
  Bytes wire_;
  Instant now_{std::chrono::hours{1}};
};

}  // namespace village::bench
