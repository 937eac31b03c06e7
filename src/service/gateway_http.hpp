#pragma once
// HttpConnection: one client that speaks HTTP to the proxy port: CONNECT, or plain requests one after the
// other. Sources: RFC 9110, RFC 9112, proxy.md section 3.
//
//   idle -> head -> (407 | 400 ...) -> CONNECT -> take_tunnel()
//     ^              \-> exchange: request head and body up | interim answers, final head and body down
//     \____________________/ keep-alive
//
// Bodies stream both ways at once, 32 KiB of each under way. Requests that come early wait in the inbox and
// are answered in order. The connection to the origin is kept for the next request with the same authority.
#include <optional>
#include <string>

#include "service/gateway_context.hpp"
#include "service/inbox.hpp"
#include "village/net/nursery.hpp"
#include "village/proxy/http_body.hpp"
#include "village/proxy/http_forward.hpp"
#include "village/proxy/http_head.hpp"

namespace village::service {

/// HttpUpstream is the connection to an origin, kept for the next request to the same authority.
struct HttpUpstream {
  net::StreamPtr stream;
  Inbox inbox;
  Target target;
  const GatewayOutbound* outbound = nullptr;
  bool used = false;   ///< a request went over it before
  bool spent = false;  ///< takes no further request
};

/// HttpUpload is the way of one request's body.
struct HttpUpload {
  explicit HttpUpload(proxy::HttpFraming framing) : body{framing} {}
  proxy::HttpBody body;
  bool client_failed = false;
  bool finished = false;  ///< the whole body went up
};

/// HttpConnection serves one client; see the top of the file.
class HttpConnection {
 public:
  /// All of them outlive it. The inbox may hold the first bytes.
  HttpConnection(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                 const GatewayPlan::Inbound& inbound, net::Stream& client, Inbox& inbox);

  /// run serves requests until the client or an error ends it, or until a CONNECT succeeded and was answered.
  boost::asio::awaitable<void> run(Instant first_deadline);
  /// take_tunnel gives the stream of that CONNECT; nullptr if there was none.
  net::StreamPtr take_tunnel() { return std::move(tunnel_); }
  /// farewell_due tells that the last thing sent should still reach the client before the connection closes.
  bool farewell_due() const { return farewell_due_; }

 private:
  enum class Ending { keep, close };

  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<void> serve(Instant first_deadline);
  net::Task<void> wait_for_request();
  net::Task<void> read_head(net::Stream& stream, Inbox& inbox, proxy::HttpHeadCollector& head);
  net::Task<Ending> serve_request(const proxy::HttpRequest& request);
  boost::asio::awaitable<void> open_tunnel(const proxy::HttpRequest& request);

  net::Task<void> ready_upstream(const proxy::HttpRequest& request, bool fresh);
  bool reusable(const proxy::HttpRequest& request, const GatewayOutbound& outbound);
  net::Task<Ending> exchange(const proxy::HttpRequest& request);
  boost::asio::awaitable<void> send_body(HttpUpload& upload);
  net::Task<Ending> receive_answer(const proxy::HttpRequest& request, const HttpUpload& upload);
  net::Task<Ending> pass_answer(const proxy::HttpRequest& request, const proxy::HttpResponse& response,
                                const HttpUpload& upload);

  boost::asio::awaitable<void> refuse(unsigned status, std::string_view sentence, bool head_only = false);
  void cut();
  void touch() { last_ = context_.core.clock().now(); }

  GatewayContext& context_;
  std::shared_ptr<const GatewayPlan> plan_;
  const GatewayPlan::Inbound& inbound_;
  net::Stream& client_;
  Inbox& inbox_;
  proxy::HttpHeadCollector head_;
  proxy::HttpHeadCollector answer_head_;
  std::optional<HttpUpstream> upstream_;
  net::StreamPtr tunnel_;
  Instant last_;           // something moved
  bool answered_ = false;  // a final answer to the present request has begun
  bool heard_ = false;     // the origin said something to the present request
  bool farewell_due_ = false;
};

}  // namespace village::service
