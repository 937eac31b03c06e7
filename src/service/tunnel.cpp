#include "village/service/tunnel.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "service/tunnel_acceptor.hpp"
#include "service/tunnel_context.hpp"
#include "service/tunnel_exit.hpp"
#include "service/tunnel_peer.hpp"
#include "service/tunnel_tls.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/crypto/random.hpp"
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
    const bool may_exit = from != nullptr && from->allow_inbound && from->may_exit;
    const StreamOrigin origin{raw->facts().key, may_exit};
    serving.spawn([this, origin, shared = std::shared_ptr<TunnelStream>{std::move(stream)}] {
      return serve_stream(*this, shared, origin);
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

std::shared_ptr<const crypto::Secret<80>> TunnelCounts::fresh() {
  auto keys = std::make_shared<crypto::Secret<80>>();
  crypto::SystemRandom{}.fill(keys->fill());
  return keys;
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
  /// admit is how listeners have tickets judged; empty when they ask for none.
  TicketAdmit admit() const {
    if (!desk) return nullptr;
    return [judge = desk](std::string_view text, const net::Ip& from) { return judge->admit(text, from); };
  }
  /// tls_style is what our listeners look like to strangers.
  ListenerTlsStyle tls_style() const {
    return {desk != nullptr, options->decoy.origin_h2.has_value() || shows_directory(), counts->resumption()};
  }
  bool shows_directory() const { return desk && !options->decoy.directory.empty() && !options->decoy.origin; }
  /// site reads the decoy's files, if there are to be any.
  std::shared_ptr<const DecoySite> site() const;
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
    VG_TRY(made, make_listener_tls(listen, state_->tls_style()));
    tls = std::move(made);
  }
  auto acceptor = std::make_unique<TunnelAcceptor>(*state_, std::move(listener), std::move(tls),
                                                   listen.outer == Outer::tls ? state_->admit() : nullptr);
  acceptor->use_site(state_->site());
  auto* raw = acceptor.get();
  state_->listening.push_back({std::move(acceptor), index});
  if (!state_->tasks.spawn([raw] { return raw->serve(); })) return fail(Errc::closed);
  return ok();
}

net::Dialer* Tunnel::dialer(std::string_view name) {
  const auto place = state_->dialers.find(name);
  return place == state_->dialers.end() ? nullptr : place->second.get();
}

void Tunnel::use_service(htx::Service service, StreamService with) {
  VG_CHECK(service != htx::Service::tcp && service != htx::Service::udp);
  state_->services[service] = std::move(with);
}

net::Task<std::shared_ptr<TunnelStream>> Tunnel::open(std::string name, htx::Service service,
                                                      Instant deadline) {
  const auto place = state_->dialers.find(name);
  if (place == state_->dialers.end()) co_return fail(Errc::not_found);
  auto opened = co_await place->second->open(service, deadline);
  if (!opened) co_return opened.error();
  std::shared_ptr<TunnelStream> shared{std::move(*opened)};
  co_return shared;
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

std::shared_ptr<const DecoySite> Tunnel::State::site() const {
  if (!shows_directory()) return nullptr;
  auto loaded = DecoySite::load(options->decoy.directory);
  if (loaded) return std::move(*loaded);
  VG_LOG(warn, "htx", "decoy directory unreadable path={} reason={}", options->decoy.directory,
         village::name(loaded.error().code));
  return nullptr;
}

void Tunnel::State::reload_certificates() {
  const auto files = site();
  for (const auto& [acceptor, index] : listening) {
    if (!acceptor->has_tls() || index >= options->listen.size()) continue;
    acceptor->use_site(files);
    const auto& listen = options->listen[index];
    auto made = make_listener_tls(listen, tls_style());
    if (made) {
      acceptor->use_tls(std::move(*made));
    } else {
      VG_LOG(warn, "htx", "certificate kept path={} reason={}", listen.certificate_pem_path,
             village::name(made.error().code));
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
