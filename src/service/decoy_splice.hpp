#pragma once
// DecoySplice: a stranger and the web server behind us, joined so that the stranger meets nobody else.
//
//   stranger --bytes--> [gate: judged while they may still be a way in] --> origin
//            <------------------------------------------------------------
//
// The connection to the origin begins before a stranger's first byte (DecoyOrigin), so that what he sends
// never waits for it, whoever he is. While the gate is undecided it holds the bytes (a head that any server
// takes in silence); then they go as they came, and everything after them.
//
// How either side ends is passed on as a web server with TLS of its own would have ended it: the table stands
// in the README. Sources: nginx 1.22 (ngx_http_request.c, ngx_event_openssl.c), seen from outside.
#include <functional>
#include <optional>

#include "service/decoy_origin.hpp"
#include "service/decoy_vigil.hpp"
#include "village/base/bytes.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"
#include "village/net/tls.hpp"

namespace village::service {

/// SpliceEnd says how it came out.
enum class SpliceEnd : std::uint8_t { admitted, finished, origin_down, timed_out, cancelled };

class DecoySplice {
 public:
  /// Judge looks at what the stranger sends. undecided = hold it, ask me again with what comes next.
  enum class Judgement : std::uint8_t { undecided, admit, stranger };
  using Judge = std::function<Judgement(ByteView)>;

  struct Options {
    Duration connection_timeout = std::chrono::hours{24};
    bool http2 = false;  ///< HTTP/2 says goodbye itself
  };

  /// `client` is a TlsStream or, for strangers without TLS, plain TCP; all outlive the splice. No judge =
  /// everything goes through.
  DecoySplice(net::Core& core, DecoyVigil& vigil, DecoyOrigin& origin, net::Stream& client, Options options,
              Judge judge);

  /// run returns `admitted` with the client untouched but for what the judge saw, and nothing sent to the
  /// origin but the beginning of a connection; else both sides are over when it returns.
  boost::asio::awaitable<SpliceEnd> run();

 private:
  using Void = boost::asio::awaitable<void>;
  Void connect();
  Void up();
  Void down();
  Void watch();
  net::Task<void> move_up();
  net::Task<void> move_down();
  net::Task<void> forward(ByteView bytes);
  net::Task<void> client_done(bool with_notice);
  net::Task<void> end_client();
  net::Task<void> notice_gone_origin();
  net::Task<void> await_origin();
  bool ends_silently() const;
  void note_head(ByteView bytes);
  void over(SpliceEnd end);
  void client_failed(Error error);
  void origin_failed(Error error);
  void reset_client();
  Instant now() const { return core_.clock().now(); }

  net::Core& core_;
  DecoyVigil& vigil_;
  DecoyOrigin& source_;
  net::Stream& client_;
  net::TlsStream* tls_;
  Options options_;
  Judge judge_;
  net::Nursery children_;
  net::Event changed_;  ///< the origin is there, or the deadline has moved
  std::unique_ptr<net::TcpStream> origin_;
  std::optional<SpliceEnd> end_;
  Bytes held_;  ///< until the judge has spoken
  Instant deadline_;
  bool client_finished_ = false;
  bool origin_finished_ = false;
  bool unanswered_ = false;  ///< the stranger has sent something since the origin's last byte
  Instant last_up_{};
  std::size_t blank_lines_ = 0;  ///< line ends in a row at the end of what was sent
  bool head_open_ = false;       ///< what was sent last is no whole head
};

}  // namespace village::service
