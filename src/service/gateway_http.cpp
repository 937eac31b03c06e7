#include "service/gateway_http.hpp"

#include <algorithm>

#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/net/socket_stream.hpp"
#include "village/service/gateway_limits.hpp"

namespace village::service {

namespace asio = boost::asio;
using gateway_metrics::Refusal;
using net::Task;
using proxy::HttpFraming;

namespace {

std::string_view sentence_of_request(Errc code) {
  switch (code) {
    case Errc::bad_argument:
      return "This is a proxy: ask for a whole URL, or use CONNECT.";
    case Errc::limit_exceeded:
      return "The request head is too long.";
    case Errc::unsupported:
      return "This transfer coding is not supported.";
    case Errc::version:
      return "This version of HTTP is not supported.";
    default:
      return "The request is malformed.";
  }
}

std::string_view sentence_of_dial(Errc code) {
  switch (code) {
    case Errc::denied:
      return "A rule forbids this target.";
    case Errc::refused:
      return "The target refused the connection.";
    case Errc::net_unreachable:
    case Errc::host_unreachable:
      return "The target cannot be reached.";
    case Errc::name_not_found:
      return "There is no such host name.";
    case Errc::name_failed:
      return "The host name could not be looked up.";
    case Errc::timed_out:
      return "The target did not answer in time.";
    case Errc::not_found:
      return "The configured way out is not available.";
    case Errc::busy:
      return "Too much is going on; try again later.";
    default:
      return "The connection to the target failed.";
  }
}

/// RFC 9110 9.2.2: a request that may be sent again when a kept connection turns out to be dead.
bool repeatable(const proxy::HttpRequest& request) {
  constexpr std::string_view methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
  const bool idempotent =
      std::find(std::begin(methods), std::end(methods), request.method) != std::end(methods);
  return idempotent && proxy::HttpBody{request.body}.complete();
}

/// Whether a kept connection is quiet and open, when the stream can tell.
enum class Health { quiet, dead, unknown };
Health health_of(net::Stream& stream) {
  auto* socket = dynamic_cast<net::SocketStream*>(&stream);
  if (socket == nullptr) return Health::unknown;
  ByteArray<1> byte;
  const auto read = socket->try_read(byte);
  return !read && read.error().code == Errc::busy ? Health::quiet : Health::dead;
}

}  // namespace

HttpConnection::HttpConnection(GatewayContext& context, std::shared_ptr<const GatewayPlan> plan,
                               const GatewayPlan::Inbound& inbound, net::Stream& client, Inbox& inbox)
    : context_{context},
      plan_{std::move(plan)},
      inbound_{inbound},
      client_{client},
      inbox_{inbox},
      last_{context.core.clock().now()} {}

// ------------------------------------------------------------------ the connection

asio::awaitable<void> HttpConnection::run(Instant first_deadline) {
  net::Nursery children{context_.core};
  children.spawn([this] { return watch(); });
  co_await serve(first_deadline);
  children.cancel();
  co_await children.join();
}

/// Closes both sides when nothing has moved for the idle time; cheaper than a deadline for each read and
/// write.
asio::awaitable<void> HttpConnection::watch() {
  for (;;) {
    const auto slept = co_await net::sleep_until(context_.core, plan_->idle_deadline(last_));
    if (!slept) co_return;
    if (context_.core.clock().now() < plan_->idle_deadline(last_)) continue;
    client_.close();
    if (upstream_) upstream_->stream->close();
    co_return;
  }
}

asio::awaitable<void> HttpConnection::serve(Instant first_deadline) {
  auto deadline = first_deadline;
  for (bool first = true;; first = false) {
    if (!first) {
      const auto waited = co_await wait_for_request();
      if (!waited) co_return;
      deadline = net::after(context_.core, plan_->options().handshake_timeout);
    }
    answered_ = heard_ = false;
    const auto read = co_await net::with_deadline(context_.core, read_head(client_, inbox_, head_), deadline);
    if (!read) {
      const auto code = read.error().code;
      if (!first && code == Errc::end_of_stream && !head_.started()) co_return;  // an orderly end
      gateway_metrics::refuse(gateway_metrics::refusal_of_handshake(code));
      if (code == Errc::malformed || code == Errc::limit_exceeded) {
        co_await refuse(proxy::http_status_of_request(code), sentence_of_request(code));
      }
      co_return;
    }
    const auto request = proxy::parse_request_head(head_.text());
    if (!request) {
      gateway_metrics::refuse(gateway_metrics::refusal_of_handshake(request.error().code));
      co_await refuse(proxy::http_status_of_request(request.error().code),
                      sentence_of_request(request.error().code));
      co_return;
    }
    const auto ending = co_await serve_request(*request);
    if (!ending && answered_) cut();
    if (!ending || *ending == Ending::close) co_return;
    head_.reset();
    answer_head_.reset();
  }
}

/// Waits for the first byte of a further request. While it waits a drain may close the connection.
Task<void> HttpConnection::wait_for_request() {
  if (!inbox_.empty()) co_return ok();
  if (context_.draining) co_return fail(Errc::closed);
  touch();
  context_.idle.insert(&client_);
  const auto read = co_await inbox_.fill(client_, gateway_limits::handshake_read_bytes);
  context_.idle.erase(&client_);
  touch();
  if (!read) co_return read.error();
  if (*read == 0) co_return fail(Errc::end_of_stream);
  co_return ok();
}

Task<void> HttpConnection::read_head(net::Stream& stream, Inbox& inbox, proxy::HttpHeadCollector& head) {
  for (;;) {
    VG_CO_TRY(taken, head.on_bytes(inbox.view()));
    inbox.consume(taken);
    if (head.complete()) co_return ok();
    VG_CO_TRY(read, co_await inbox.fill(stream, gateway_limits::handshake_read_bytes));
    touch();
    if (read == 0) co_return fail(Errc::end_of_stream);
  }
}

/// An answer whose end did not come must not look whole: a reset, not a FIN, where bodies end with the
/// connection.
void HttpConnection::cut() {
  farewell_due_ = false;
  if (auto* socket = dynamic_cast<net::SocketStream*>(&client_)) socket->reset();
}

asio::awaitable<void> HttpConnection::refuse(unsigned status, std::string_view sentence, bool head_only) {
  farewell_due_ = true;
  const auto text = proxy::error_response(status, sentence, head_only);
  const auto deadline = net::after(context_.core, gateway_limits::reply_time_max);
  (void)co_await net::with_deadline(context_.core, client_.write_all(as_bytes(text)), deadline);
}

Task<HttpConnection::Ending> HttpConnection::serve_request(const proxy::HttpRequest& request) {
  const bool head_only = request.method == "HEAD";
  if (!inbound_.users.empty() && !inbound_.users.allows_basic(request.credentials)) {
    gateway_metrics::refuse(Refusal::auth_failed);
    co_await refuse(407, "This proxy wants a user name and a password.", head_only);
    co_return Ending::close;
  }
  if (request.connect) {
    co_await open_tunnel(request);
    co_return Ending::close;
  }
  gateway_metrics::http_requests.add();
  for (bool fresh = false;; fresh = true) {
    const auto ready = co_await ready_upstream(request, fresh);
    if (!ready) {
      const auto code = ready.error().code;
      co_await refuse(proxy::http_status_of_dial(code), sentence_of_dial(code), head_only);
      co_return Ending::close;
    }
    auto ending = co_await exchange(request);
    if (ending || answered_) co_return ending;
    const bool kept_was_dead = !heard_ && upstream_->used && repeatable(request);
    if (fresh || !kept_was_dead) break;
  }
  gateway_metrics::refuse(Refusal::upstream_protocol);
  co_await refuse(502, "The target's answer was cut short or malformed.", head_only);
  co_return Ending::close;
}

asio::awaitable<void> HttpConnection::open_tunnel(const proxy::HttpRequest& request) {
  gateway_metrics::connect_requests.add();
  upstream_.reset();
  auto stream = co_await context_.open(plan_, inbound_, request.target);
  if (!stream) {
    co_await refuse(proxy::http_status_of_dial(stream.error().code), sentence_of_dial(stream.error().code));
    co_return;
  }
  const auto deadline = net::after(context_.core, gateway_limits::reply_time_max);
  const auto said = co_await net::with_deadline(
      context_.core, client_.write_all(as_bytes(proxy::connect_established())), deadline);
  if (said) tunnel_ = *std::move(stream);
}

// ------------------------------------------------------------------ the way to the origin

bool HttpConnection::reusable(const proxy::HttpRequest& request, const GatewayOutbound& outbound) {
  if (!upstream_ || upstream_->spent || upstream_->outbound != &outbound ||
      upstream_->target != request.target)
    return false;
  switch (health_of(*upstream_->stream)) {
    case Health::quiet:
      return true;
    case Health::dead:
      return false;
    case Health::unknown:
      break;
  }
  return repeatable(request);
}

Task<void> HttpConnection::ready_upstream(const proxy::HttpRequest& request, bool fresh) {
  const auto& outbound = plan_->route(inbound_.name, Network::tcp, request.target);
  if (!fresh && reusable(request, outbound)) {
    gateway_metrics::upstreams_reused.add();
    upstream_->used = true;
    co_return ok();
  }
  upstream_.reset();
  auto stream = co_await context_.open(plan_, inbound_, request.target);
  touch();
  if (!stream) co_return stream.error();
  upstream_.emplace();
  upstream_->stream = *std::move(stream);
  upstream_->target = request.target;
  upstream_->outbound = &outbound;
  co_return ok();
}

// ------------------------------------------------------------------ one request and its answer

Task<HttpConnection::Ending> HttpConnection::exchange(const proxy::HttpRequest& request) {
  const auto head = proxy::forward_request(request);
  VG_CO_TRY_VOID(co_await upstream_->stream->write_all(as_bytes(head)));
  gateway_metrics::bytes_up.add(head.size());
  HttpUpload upload{request.body};
  net::Nursery uploads{context_.core};
  upload.finished = upload.body.complete();
  if (!upload.finished) uploads.spawn([this, &upload] { return send_body(upload); });
  auto ending = co_await receive_answer(request, upload);
  // An answer that came before the whole body: the rest is not worth waiting for.
  const bool whole = upload.finished;
  uploads.cancel();
  co_await uploads.join();
  if (upload.client_failed && !answered_) {
    gateway_metrics::refuse(Refusal::malformed);
    co_await refuse(400, "The request's body is malformed or incomplete.");
    co_return Ending::close;
  }
  if (!ending) co_return ending.error();
  co_return whole ? *ending : Ending::close;
}

asio::awaitable<void> HttpConnection::send_body(HttpUpload& upload) {
  auto& stream = *upstream_->stream;
  while (!upload.body.complete()) {
    if (inbox_.empty()) {
      const auto read = co_await inbox_.fill(client_, gateway_limits::copy_bytes);
      touch();
      upload.client_failed = !read || *read == 0;
      if (upload.client_failed) break;
    }
    const auto taken = upload.body.on_bytes(inbox_.view());
    upload.client_failed = !taken;
    if (upload.client_failed) break;
    const auto sent = co_await stream.write_all(inbox_.view().first(*taken));
    if (!sent) co_return;  // the origin wants no more; its answer may be there all the same
    touch();
    inbox_.consume(*taken);
    gateway_metrics::bytes_up.add(*taken);
  }
  upload.finished = upload.body.complete();
  if (upload.client_failed) stream.close();  // ends the wait for the answer
}

Task<HttpConnection::Ending> HttpConnection::receive_answer(const proxy::HttpRequest& request,
                                                            const HttpUpload& upload) {
  for (std::size_t interim = 0; interim <= gateway_limits::interim_answers_max; ++interim) {
    answer_head_.reset();
    const auto read = co_await read_head(*upstream_->stream, upstream_->inbox, answer_head_);
    heard_ = heard_ || answer_head_.started();
    if (!read) co_return read.error();
    const auto response = proxy::parse_response_head(answer_head_.text(), request.method);
    if (!response) co_return response.error();
    if (response->status >= 200) co_return co_await pass_answer(request, *response, upload);
    if (request.minor == 0) continue;  // HTTP/1.0 knows no interim answers
    const auto head = proxy::forward_response(*response, request.minor, true);
    VG_CO_TRY_VOID(co_await client_.write_all(as_bytes(head)));
    touch();
  }
  co_return fail(Errc::limit_exceeded);
}

Task<HttpConnection::Ending> HttpConnection::pass_answer(const proxy::HttpRequest& request,
                                                         const proxy::HttpResponse& response,
                                                         const HttpUpload& upload) {
  if (request.minor == 0 && response.body.kind == HttpFraming::Kind::chunked) co_return fail(Errc::version);
  const bool keep = request.keep_alive && response.body.kind != HttpFraming::Kind::until_close &&
                    upload.body.complete() && !context_.draining;
  const auto head = proxy::forward_response(response, request.minor, keep);
  answered_ = true;
  VG_CO_TRY_VOID(co_await client_.write_all(as_bytes(head)));
  gateway_metrics::bytes_down.add(head.size());
  proxy::HttpBody body{response.body};
  auto& upstream = *upstream_;
  while (!body.complete()) {
    if (upstream.inbox.empty()) {
      VG_CO_TRY(read, co_await upstream.inbox.fill(*upstream.stream, gateway_limits::copy_bytes));
      touch();
      if (read == 0) {
        VG_CO_TRY_VOID(body.on_end());
        break;
      }
    }
    VG_CO_TRY(taken, body.on_bytes(upstream.inbox.view()));
    VG_CO_TRY_VOID(co_await client_.write_all(upstream.inbox.view().first(taken)));
    touch();
    upstream.inbox.consume(taken);
    gateway_metrics::bytes_down.add(taken);
  }
  // What follows an answer that nobody asked for would be taken for the next one.
  upstream.spent = !response.keep_alive || !upstream.inbox.empty() || !upload.body.complete();
  if (upstream.spent) upstream.stream->close();
  farewell_due_ = !keep;
  co_return keep ? Ending::keep : Ending::close;
}

}  // namespace village::service
