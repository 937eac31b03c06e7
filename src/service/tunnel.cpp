#include "village/service/tunnel.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "service/tunnel_acceptor.hpp"
#include "service/tunnel_context.hpp"
#include "service/tunnel_exit.hpp"
#include "service/tunnel_peer.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"
#include "village/service/tunnel_limits.hpp"
#include "village/wire/node_id.hpp"

namespace village::service {

using tunnel_metrics::Ending;

namespace {

constexpr village::limits::Row rows[] = {
    {"htx", "tunnel_io_buffer_bytes", 2, limits::tunnel_io_buffer_bytes,
     "per busy session: one to read into, one to write from; an idle one has none"},
    {"htx", "tunnel_io_buffers_kept_max", limits::tunnel_io_buffers_kept_max, limits::tunnel_io_buffer_bytes,
     "per core, free list"},
    {"htx", "tunnel_queue_blocks_kept_max", limits::tunnel_queue_blocks_kept_max,
     limits::tunnel_queue_block_bytes, "per core, free list of receive queues"},
    {"htx", "tunnel_dials_waiting_max", limits::tunnel_dials_waiting_max, 1'024,
     "per peer and core: dials before a session"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

Result<std::string> read_text(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad()) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  return text;
}

struct Pem {
  std::string certificate, key;
  ~Pem() { crypto::wipe(ByteSpan{reinterpret_cast<std::byte*>(key.data()), key.size()}); }
};

Result<void> read_pem(const TunnelListen& listen, Pem& pem) {
  VG_TRY(certificate, read_text(listen.certificate_pem_path));
  pem.certificate = certificate;
  VG_TRY(key, read_text(listen.key_pem_path));
  pem.key = std::move(key);
  return ok();
}

Result<std::shared_ptr<net::TlsServerContext>> make_tls(const TunnelListen& listen) {
  Pem pem;
  VG_TRY_VOID(read_pem(listen, pem));
  net::TlsServerOptions options;
  options.certificate_pem = pem.certificate;
  options.key_pem = pem.key;
  options.alpn = {"http/1.1"};
  auto made = net::TlsServerContext::make(options);
  crypto::wipe(ByteSpan{reinterpret_cast<std::byte*>(options.key_pem.data()), options.key_pem.size()});
  return made;
}

}  // namespace

boost::asio::awaitable<Error> TunnelContext::run_link(std::shared_ptr<TunnelLink> link, Bytes early,
                                                      std::function<void()> on_ready) {
  links.push_back(link);
  net::Nursery serving{core};
  TunnelLink::Hooks hooks;
  hooks.on_stream = [this, &serving, raw = link.get()](std::unique_ptr<TunnelStream> stream) {
    // A stream that is opened and reset at once leaves its dial behind, so what counts is what is still
    // served.
    if (serving.live() >= options->session.peer_streams_max) {
      tunnel_metrics::stream_served(tunnel_metrics::outcome_of(Error{Errc::busy}));
      stream->refuse(htx::Status::general_failure, htx::Code::policy_rejected);
      return;
    }
    const auto* from = peer(raw->facts().key);
    const bool may_exit = from != nullptr && from->allow_inbound;
    serving.spawn([this, may_exit, shared = std::shared_ptr<TunnelStream>{std::move(stream)}] {
      return serve_stream(*this, shared, may_exit);
    });
  };
  hooks.on_ready = std::move(on_ready);
  const auto error = co_await link->run(std::move(early), std::move(hooks));
  serving.cancel();
  co_await serving.join();
  std::erase(links, link);
  changed.notify();
  co_return error;
}

// --- Tunnel

struct Tunnel::State : TunnelContext {
  using TunnelContext::TunnelContext;

  struct Listening {
    std::unique_ptr<TunnelAcceptor> acceptor;
    std::size_t index;
  };
  std::vector<Listening> listening;
  std::map<std::string, std::unique_ptr<TunnelPeerDialer>, std::less<>>
      dialers;  // never shrinks: users hold pointers

  void add_dialers() {
    for (const auto& peer : options->peers) {
      auto& place = dialers[peer.name];
      if (place) {
        place->update(peer);
      } else if (peer.address) {
        place = std::make_unique<TunnelPeerDialer>(*this, peer);
      } else {
        dialers.erase(peer.name);
      }
    }
  }
  void reload_certificates();
  void end_sessions_not_allowed();
};

Tunnel::Tunnel(net::Core& core, std::shared_ptr<const TunnelOptions> options, net::Dialer& exit,
               std::shared_ptr<TunnelCounts> counts, std::shared_ptr<TicketDesk> desk)
    : state_{std::make_unique<State>(core, std::move(options), exit,
                                     counts ? std::move(counts) : std::make_shared<TunnelCounts>(),
                                     std::move(desk))} {
  state_->add_dialers();
}

Tunnel::~Tunnel() = default;

Result<void> Tunnel::serve(std::shared_ptr<net::Listener> listener, std::size_t index) {
  if (index >= state_->options->listen.size()) return fail(Errc::bad_argument);
  const auto& listen = state_->options->listen[index];
  std::shared_ptr<net::TlsServerContext> tls;
  if (listen.outer == Outer::tls) {
    VG_TRY(made, make_tls(listen));
    tls = std::move(made);
  }
  auto acceptor = std::make_unique<TunnelAcceptor>(*state_, std::move(listener), std::move(tls));
  auto* raw = acceptor.get();
  state_->listening.push_back({std::move(acceptor), index});
  if (!state_->tasks.spawn([raw] { return raw->serve(); })) return fail(Errc::closed);
  return ok();
}

net::Dialer* Tunnel::dialer(std::string_view name) {
  const auto place = state_->dialers.find(name);
  return place == state_->dialers.end() ? nullptr : place->second.get();
}

void Tunnel::reload(std::shared_ptr<const TunnelOptions> options) {
  state_->options = std::move(options);
  const auto& peers = state_->options->peers;
  for (const auto& entry : state_->dialers) {
    const bool known =
        std::any_of(peers.begin(), peers.end(), [&](const auto& peer) { return peer.name == entry.first; });
    if (!known) entry.second->remove();
  }
  state_->add_dialers();
  state_->end_sessions_not_allowed();
  state_->reload_certificates();
}

void Tunnel::State::end_sessions_not_allowed() {
  const auto held = links;  // close() may change the list
  for (const auto& link : held) {
    if (!link->facts().inbound) continue;
    const auto* from = peer(link->facts().key);
    if (from == nullptr || !from->allow_inbound)
      link->close(htx::Code::policy_rejected, "not allowed", Ending::removed);
  }
}

void Tunnel::State::reload_certificates() {
  for (const auto& [acceptor, index] : listening) {
    if (acceptor->tls() == nullptr || index >= options->listen.size()) continue;
    Pem pem;
    auto read = read_pem(options->listen[index], pem);
    if (read) read = acceptor->tls()->reload(pem.certificate, pem.key);
    if (!read) {
      VG_LOG(warn, "htx", "certificate kept path={} reason={}", options->listen[index].certificate_pem_path,
             village::name(read.error().code));
    }
  }
}

net::Task<void> Tunnel::drain(Instant deadline) {
  auto& state = *state_;
  state.draining = true;
  for (const auto& listening : state.listening) listening.acceptor->close();
  for (const auto& [name, dialer] : state.dialers) dialer->wake();
  const auto retiring = state.links;
  for (const auto& link : retiring) link->retire(Ending::drained, "drained");
  bool cut = false;
  while (!state.links.empty()) {
    const auto changed = co_await state.changed.wait_until(deadline);
    if (changed) continue;
    cut = std::any_of(state.links.begin(), state.links.end(),
                      [](const auto& link) { return link->streams() != 0; });
    break;
  }
  const auto closing = state.links;
  for (const auto& link : closing) link->close(htx::Code::ok, "drained", Ending::drained);
  const auto last = state.core.clock().now() + limits::tunnel_linger_max;
  while (!state.links.empty()) {
    const auto changed = co_await state.changed.wait_until(last);
    if (!changed) break;
  }
  state.tasks.cancel();
  co_await state.tasks.join();
  if (cut) co_return fail(Errc::timed_out);
  co_return ok();
}

std::vector<SessionStatus> Tunnel::status() const {
  std::vector<SessionStatus> rows_out;
  const auto now = state_->core.clock().now();
  for (const auto& link : state_->links) {
    const auto& facts = link->facts();
    SessionStatus row;
    row.peer = facts.peer;
    row.node = wire::NodeId::of(facts.key).name();
    row.inbound = facts.inbound;
    row.state = link->state();
    row.outer = facts.outer;
    row.suite = static_cast<int>(facts.suite);
    row.core = state_->core.index();
    row.statistics = link->statistics();
    for (const auto& stream : link->busiest_streams())
      row.streams.push_back({stream, now - stream.opened_at});
    row.age = link->age(now);
    row.key_age = link->key_age(now);
    if (!facts.inbound) {
      const auto dialer = state_->dialers.find(facts.peer);
      if (dialer != state_->dialers.end()) row.last_error = dialer->second->last_error();
    }
    rows_out.push_back(std::move(row));
  }
  for (const auto& [name, dialer] : state_->dialers) {
    if (auto row = dialer->status()) rows_out.push_back(std::move(*row));
  }
  return rows_out;
}

}  // namespace village::service
