// Connections of the control interface.
#include <set>

#include "control/routes.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/control/limits.hpp"
#include "village/control/server.hpp"
#include "village/net/deadline.hpp"
#include "village/net/listener.hpp"
#include "village/net/nursery.hpp"

namespace village::control {
namespace {

namespace asio = net::asio;

metrics::Counter replies_fine{"villaged_control_replies_total", "Replies, by class of status.",
                              "class=\"2xx\""};
metrics::Counter replies_client{"villaged_control_replies_total", "Replies, by class of status.",
                                "class=\"4xx\""};
metrics::Counter replies_server{"villaged_control_replies_total", "Replies, by class of status.",
                                "class=\"5xx\""};
metrics::Counter refused_full{"villaged_control_refused_total", "Requests refused, by reason.",
                              "reason=\"connections\""};
metrics::Counter refused_slow{"villaged_control_refused_total", "Requests refused, by reason.",
                              "reason=\"slow\""};
metrics::Counter refused_malformed{"villaged_control_refused_total", "Requests refused, by reason.",
                                   "reason=\"malformed\""};
metrics::Gauge connections_open{"villaged_control_connections", "Connections to the control interface."};

constexpr std::size_t read_bytes = 4'096;
constexpr std::size_t linger_bytes_max = 256 * 1024;
constexpr auto linger_max = std::chrono::seconds{1};

void count(int status) {
  (status < 400 ? replies_fine : status < 500 ? replies_client : replies_server).add();
}

}  // namespace

struct ControlServer::State {
  State(net::Core& core, const ControlOptions& options, ControlHooks hooks)
      : core_{core}, patience_{hooks.patience}, routes_{options.token, std::move(hooks)}, acceptors_{core} {}

  void serve(std::shared_ptr<net::Listener> listener) {
    listeners_.push_back(listener);
    acceptors_.spawn([this, listener]() -> asio::awaitable<void> {
      return listener->serve(
          core_, [this](net::Core&, net::Accepted accepted) { return connection(std::move(accepted)); });
    });
  }

  net::Task<void> stop(Instant deadline) {
    stopping_ = true;
    for (const auto& listener : listeners_) listener->close();
    const auto waiting = idle_;
    for (auto* stream : waiting) stream->close();
    co_await acceptors_.drain(deadline);
    listeners_.clear();
    co_return ok();
  }

 private:
  /// Open counts a connection while it lives.
  struct Open {
    explicit Open(std::size_t& open) : count_{open} {
      ++count_;
      connections_open.add();
    }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    ~Open() {
      --count_;
      connections_open.sub();
    }
    std::size_t& count_;
  };

  asio::awaitable<void> connection(net::Accepted accepted) {
    const auto stream = std::move(accepted.stream);
    const auto access = accepted.peer ? Access::tcp : Access::unix_socket;
    if (open_ >= limits::http_connections_max) {
      refused_full.add();
      co_return;
    }
    const Open open{open_};
    RequestReader reader;
    for (bool more = true; more && !stopping_;) {
      const auto until = net::after(core_, patience_);
      auto reading = next_request(*stream, reader);
      const auto read = co_await net::with_deadline(core_, std::move(reading), until);
      if (!read) {
        if (read.error().code == Errc::timed_out && !reader.idle()) co_await refuse_slow(*stream);
        co_return;
      }
      if (*read == RequestReader::State::bad) {
        refused_malformed.add();
        co_await send(*stream, reader.refusal(), false, false);
        co_await linger(*stream);
        co_return;
      }
      more = co_await reply(*stream, reader.request(), access);
    }
  }

  /// next_request reads until a request is whole or wrong. Errors: end_of_stream and those of the stream.
  net::Task<RequestReader::State> next_request(net::Stream& stream, RequestReader& reader) {
    ByteArray<read_bytes> block;
    for (;;) {
      const auto state = reader.advance();
      if (state != RequestReader::State::need_more) co_return state;
      if (reader.idle()) idle_.insert(&stream);
      const auto size = co_await stream.read_some(block);
      idle_.erase(&stream);
      if (!size) co_return size.error();
      if (*size == 0) co_return fail(Errc::end_of_stream);
      reader.feed(ByteView{block}.first(*size));
    }
  }

  /// reply answers one request; false when the connection is over.
  asio::awaitable<bool> reply(net::Stream& stream, HttpRequest request, Access access) {
    const bool head = request.method == "HEAD";
    const bool wanted = request.keep_alive;
    const auto answer = co_await routes_.answer(std::move(request), access);
    const bool keep = wanted && !stopping_;
    const bool sent = co_await send(stream, answer, keep, head);
    if (sent && !keep) co_await linger(stream);
    co_return sent&& keep;
  }

  asio::awaitable<bool> send(net::Stream& stream, const HttpReply& reply, bool keep_alive, bool head) {
    count(reply.status);
    const auto text = reply_text(reply, keep_alive, head);
    const auto until = net::after(core_, patience_);
    auto writing = stream.write_all(as_bytes(text));
    const auto sent = co_await net::with_deadline(core_, std::move(writing), until);
    co_return sent.has_value();
  }

  asio::awaitable<void> refuse_slow(net::Stream& stream) {
    refused_slow.add();
    const auto reply = error_reply(408, "slow", "the request did not arrive within 10 s");
    co_await send(stream, reply, false, false);
    co_await linger(stream);
  }

  /// linger lets the reply arrive before the socket closes over bytes that nobody read.
  asio::awaitable<void> linger(net::Stream& stream) {
    const auto finished = co_await stream.shutdown_write();
    if (!finished) co_return;
    const auto until = net::after(core_, linger_max);
    auto discarding = discard(stream);
    const auto discarded = co_await net::with_deadline(core_, std::move(discarding), until);
    (void)discarded;
  }

  static net::Task<void> discard(net::Stream& stream) {
    ByteArray<read_bytes> block;
    for (std::size_t seen = 0; seen < linger_bytes_max;) {
      const auto size = co_await stream.read_some(block);
      if (!size) co_return size.error();
      if (*size == 0) break;
      seen += *size;
    }
    co_return ok();
  }

  net::Core& core_;
  Duration patience_;
  Routes routes_;
  std::vector<std::shared_ptr<net::Listener>> listeners_;
  std::set<net::Stream*> idle_;  ///< connections between two requests
  std::size_t open_ = 0;
  bool stopping_ = false;
  net::Nursery acceptors_;
};

ControlServer::ControlServer(net::Core& core, const ControlOptions& options, ControlHooks hooks)
    : state_{std::make_unique<State>(core, options, std::move(hooks))} {}
ControlServer::~ControlServer() = default;

void ControlServer::serve(std::shared_ptr<net::Listener> listener) { state_->serve(std::move(listener)); }
net::Task<void> ControlServer::stop(Instant deadline) { return state_->stop(deadline); }

}  // namespace village::control
