#pragma once
// TunnelPeerDialer: the way through one configured peer on one core: at most one session, opened when a
// stream needs it.
//
//   idle --dial()--> connecting --ok--> connected --lost, idle, closed--> idle
//                        | failed, streams wait         ^
//                        v                              |
//                     waiting (back-off) --time--> connecting
//
// Dials that come while there is no session wait for one attempt together, until each one's deadline.
#include <memory>
#include <optional>
#include <string>

#include "service/tunnel_context.hpp"
#include "service/tunnel_way_in.hpp"

namespace village::service {

class TunnelPeerDialer final : public net::Dialer {
 public:
  TunnelPeerDialer(TunnelContext& context, TunnelPeer peer);

  /// dial opens a stream to `target` through the peer and waits for the exit's answer. Without a session it
  /// waits for one until `deadline`, then fails with the last error of connecting. A stream whose session
  /// dies before the answer is tried again. Errors: of net::Dialer, bad_certificate, not_found (the peer was
  /// removed), unsupported.
  net::Task<net::StreamPtr> dial(Target target, Instant deadline) override;

  /// associate opens a stream for datagrams through the peer. Errors: as dial.
  net::Task<net::DatagramPathPtr> associate(net::DatagramPath::Receive receive, Instant deadline) override;

  /// open opens a stream of a service that has no target. Errors: as dial.
  net::Task<std::unique_ptr<TunnelStream>> open(htx::Service service, Instant deadline);

  /// update takes a changed configuration; the session ends at once if the peer's key changed, else when its
  /// last stream does, and only if it would be made differently now.
  void update(const TunnelPeer& peer);
  /// remove ends the session; later dials fail with not_found.
  void remove();
  /// status is a row for this peer when it has no session; nullopt when the link's own row says it all.
  std::optional<SessionStatus> status() const;
  /// wake makes those who wait look at the state of things again (a drain began).
  void wake() { changed_.notify(); }
  const std::string& last_error() const { return last_error_text_; }
  const TunnelLink* link() const { return link_.get(); }

 private:
  net::Task<std::shared_ptr<TunnelLink>> session(Instant deadline);
  /// ask opens a stream and waits for the peer's answer to `header`, on one session after the other if they
  /// die.
  net::Task<std::unique_ptr<TunnelStream>> ask(htx::StreamHeader header, htx::Priority priority,
                                               Instant deadline);
  net::Task<std::unique_ptr<TunnelStream>> ask_over(std::shared_ptr<TunnelLink> link,
                                                    htx::StreamHeader header, htx::Priority priority,
                                                    Instant deadline);
  boost::asio::awaitable<void> connect_loop();
  net::Task<void> connect_once();
  boost::asio::awaitable<void> run(std::shared_ptr<TunnelLink> link, Bytes early);
  void failed(Error error);
  Instant now() const { return context_.core.clock().now(); }

  TunnelContext& context_;
  TunnelPeer peer_;
  bool removed_ = false;
  std::shared_ptr<TunnelLink> link_;
  enum class State : std::uint8_t { idle, connecting, waiting } state_ = State::idle;
  std::size_t dials_waiting_ = 0;
  unsigned failures_ = 0;
  std::uint64_t attempts_ = 0;
  Instant not_before_ = Instant::min();  ///< back-off: no attempt earlier
  std::optional<Error> last_error_;
  std::string last_error_text_;
  net::Event changed_;  ///< a session is there, or the peer was changed or removed
};

/// backoff draws the pause after the n-th failure in a row (n >= 1): uniform over [0, min * 2^(n-1)], capped.
Duration backoff(unsigned failures, Duration min, Duration max, RandomSource& random);

}  // namespace village::service
