#include "daemon/node.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "daemon/core_services.hpp"
#include "daemon/process.hpp"
#include "daemon/reload.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/control/version.hpp"
#include "village/net/nursery.hpp"
#include "village/wire/node_id.hpp"

namespace village::daemon {
namespace {

metrics::Counter reloads_applied{"villaged_daemon_reloads_total", "Reloads of the configuration, by outcome.",
                                 "outcome=\"applied\""};
metrics::Counter reloads_refused{"villaged_daemon_reloads_total", "Reloads of the configuration, by outcome.",
                                 "outcome=\"refused\""};
metrics::Gauge ready_gauge{"villaged_daemon_ready", "1 while the node serves; 0 while it starts or drains."};
metrics::Gauge cores_gauge{"villaged_daemon_cores", "Worker threads."};

net::RuntimeOptions runtime_options(const control::NetOptions& options) {
  net::RuntimeOptions runtime;
  runtime.cores = options.cores;
  for (const auto& server : options.dns_servers) runtime.resolver.servers.push_back(literal_endpoint(server));
  return runtime;
}

}  // namespace

Node::Node(control::Config config, LogSink& log)
    : started_{config},
      config_{std::move(config)},
      log_{log},
      runtime_{runtime_options(config_.net)},
      tickets_{runtime_.core(0).clock()},
      reload_over_{runtime_.core(0)} {
  started_at_ = runtime_.core(0).clock().now();
  cores_gauge.add(static_cast<std::int64_t>(runtime_.cores()));
}

Node::~Node() = default;

std::string Node::open(const std::vector<InheritedSocket>& inherited) {
  auto outcome = open_listeners(config_, inherited, runtime_.cores());
  if (!outcome.problem.empty()) return outcome.problem;
  for (const auto& warning : outcome.warnings) VG_LOG(warn, "daemon", "{}", warning);
  listeners_ = std::move(outcome.listeners);
  for (const auto& entry : listeners_) VG_LOG(info, "daemon", "listen {}", entry.text);
  if (auto problem = tickets_.open(config_.htx); !problem.empty()) return problem;
  const auto tunnel = std::make_shared<const service::TunnelOptions>(config_.htx);
  const auto gateway = std::make_shared<const service::GatewayOptions>(config_.proxy);
  const auto counts = std::make_shared<service::TunnelCounts>();
  for (std::size_t i = 0; i < runtime_.cores(); ++i) {
    services_.push_back(std::make_unique<CoreServices>(runtime_.core(i), config_.net, tunnel, gateway, counts,
                                                       tickets_.desk()));
  }
  return config_.mix.roles.empty() ? std::string{} : open_mix();
}

std::string Node::open_mix() {
  service::MixNode::Setup setup;
  for (auto& services : services_) setup.ends.push_back({&services->core(), &services->tunnel()});
  setup.options = std::make_shared<const service::MixOptions>(config_.mix);
  setup.peers = config_.htx.peers;
  setup.software = "villaged " + std::string{control::version()};
  setup.use_peers = [this](std::vector<service::TunnelPeer> peers) { use_mix_peers(std::move(peers)); };
  for (const auto& entry : listeners_) {
    if (entry.kind == ListenKind::mix_directory) setup.authority_listener = entry.listener;
    const bool plain =
        entry.kind == ListenKind::htx && config_.htx.listen[entry.index].outer == service::Outer::none;
    if (!plain || setup.address.port != 0 || !entry.listener->local()) continue;
    const auto bound = *entry.listener->local();
    setup.address.port = bound.port;
    if (const auto* v4 = std::get_if<Ipv4Address>(&bound.ip)) setup.address.host = *v4;
    if (const auto* v6 = std::get_if<Ipv6Address>(&bound.ip)) setup.address.host = *v6;
  }
  if (config_.mix.address) setup.address = *config_.mix.address;
  mix_tasks_ = std::make_unique<net::Nursery>(runtime_.core(0));
  mix_ = std::make_unique<service::MixNode>(std::move(setup));
  return mix_->open();
}

std::shared_ptr<const service::TunnelOptions> Node::tunnel_options() const {
  auto options = std::make_shared<service::TunnelOptions>(config_.htx);
  for (const auto& peer : mix_peers_) {
    const auto same = std::find_if(options->peers.begin(), options->peers.end(),
                                   [&](const auto& each) { return each.key == peer.key; });
    if (same == options->peers.end()) {
      options->peers.push_back(peer);
    } else {
      *same = peer;
    }
  }
  return options;
}

void Node::use_mix_peers(std::vector<service::TunnelPeer> peers) {
  mix_peers_ = std::move(peers);
  mix_tasks_->spawn([this] { return apply_mix_peers(); });
}

asio::awaitable<void> Node::apply_mix_peers() {
  const auto tunnel = tunnel_options();
  for (auto& services : services_) co_await services->reload_tunnel(tunnel);
}

void Node::start() {
  sandbox_.confine_files(file_access(config_), config_.daemon.landlock);
  runtime_.start();
  for (std::size_t i = 0; i < runtime_.cores(); ++i) {
    runtime_.run_on(i, [this, i](net::Core&) { serve(i); });
  }
}

void Node::confine() { sandbox_.confine_calls(config_.daemon.seccomp); }

void Node::announce() {
  state_.store(State::ready);
  ready_gauge.add();
}

void Node::serve(std::size_t core) {
  auto& services = *services_[core];
  if (core == 0 && mix_) mix_->start();
  if (core == 0)
    control_ = std::make_unique<control::ControlServer>(runtime_.core(0), config_.control, hooks());
  for (const auto& entry : listeners_) {
    switch (entry.kind) {
      case ListenKind::mix_directory:
        break;  // the mixnet's
      case ListenKind::htx:
        services.serve_peers(entry.listener, entry.index);
        break;
      case ListenKind::proxy:
        services.serve_proxy(entry.listener, config_.proxy.inbounds[entry.index].name);
        break;
      case ListenKind::control:
        if (core == 0) control_->serve(entry.listener);
        break;
    }
  }
}

std::vector<std::string> Node::listening() const {
  std::vector<std::string> lines;
  for (const auto& entry : listeners_) lines.push_back(entry.text);
  return lines;
}

control::ControlHooks Node::hooks() {
  control::ControlHooks hooks;
  hooks.status = [this] { return status(); };
  hooks.ready = [this] { return state_.load() == State::ready; };
  hooks.config_json = [this] { return control::masked_json(config_); };
  hooks.reload = [this] { return reload(); };
  if (mix_ && config_.mix.has(service::MixRole::client)) hooks.mix = mix_hooks();
  return hooks;
}

control::MixHooks Node::mix_hooks() {
  control::MixHooks hooks;
  hooks.send = [this](service::MixOutgoing out) { return service::mix_send(*mix_, std::move(out)); };
  hooks.receive = [this](std::uint64_t after, Duration wait) {
    return service::mix_receive(*mix_, after, wait);
  };
  hooks.fate = [this](const std::string& id) { return service::mix_fate(*mix_, id); };
  hooks.ping = [this](Duration within) { return service::mix_ping(*mix_, within); };
  return hooks;
}

net::Task<control::NodeStatus> Node::status() {
  control::NodeStatus status;
  status.name = config_.node.name;
  if (config_.htx.identity) status.node = wire::NodeId::of(config_.htx.identity->public_key).name();
  status.version = std::string{control::version()};
  const auto state = state_.load();
  status.state = state == State::ready ? "ready" : state == State::starting ? "starting" : "draining";
  status.uptime = runtime_.core(0).clock().now() - started_at_;
  status.cores = runtime_.cores();
  status.listening = listening();
  status.sandbox = sandbox_.active();
  status.tickets = tickets_.status();
  status.last_errors = log_.last_errors();
  if (mix_) {
    auto mix = co_await mix_->status();
    if (mix) status.mix = *std::move(mix);
  }
  for (std::size_t i = 0; i < services_.size(); ++i) {
    auto part = co_await services_[i]->status();
    std::move(part.sessions.begin(), part.sessions.end(), std::back_inserter(status.sessions));
    status.gateway.connections += part.gateway.connections;
    status.gateway.udp_associations += part.gateway.udp_associations;
  }
  co_return status;
}

Result<control::Config> Node::read_changed_config() {
  // First without the files it names: what the sandbox hides is told as that, not as a missing file.
  for (const bool check_files : {false, true}) {
    auto outcome = control::load_config(started_.path, check_files);
    for (const auto& error : outcome.errors) VG_LOG(error, "daemon", "reload refused: {}", error.text());
    if (!outcome.config) return fail(Errc::bad_argument);
    if (check_files) return *std::move(outcome.config);
    for (const auto& file : files_of(*outcome.config)) {
      if (sandbox_.readable(file)) continue;
      VG_LOG(error, "daemon",
             "reload refused: {}: a file in a new place needs a restart (the sandbox hides it)", file);
      return fail(Errc::denied);
    }
  }
  return fail(Errc::internal);
}

net::Task<std::vector<std::string>> Node::reload() {
  const auto turn = ++reloads_.asked;
  while (reloads_.under_way) VG_CO_TRY_VOID(co_await reload_over_.wait());
  if (reloads_.answered >= turn) co_return reloads_.outcome;  // began after we asked: it read what we mean
  reloads_.under_way = true;
  reloads_.answered = reloads_.asked;
  reloads_.outcome = co_await reload_once();
  reloads_.under_way = false;
  reload_over_.notify();
  co_return reloads_.outcome;
}

net::Task<std::vector<std::string>> Node::reload_once() {
  auto changed = read_changed_config();
  if (!changed) {
    reloads_refused.add();
    co_return changed.error();
  }
  auto keys = control::restart_keys(started_, *changed);
  for (const auto& key : keys) VG_LOG(warn, "daemon", "reload key={} needs a restart", key);
  config_ = keep_restart_values(started_, *std::move(changed));
  co_await apply();
  reloads_applied.add();
  VG_LOG(info, "daemon", "reload applied keys_that_need_restart={}", keys.size());
  co_return keys;
}

asio::awaitable<void> Node::apply() {
  log::set_level(config_.log.level);
  tickets_.reload(config_.htx);
  if (mix_) mix_->reload(config_.htx.peers);
  const auto tunnel = tunnel_options();
  const auto gateway = std::make_shared<const service::GatewayOptions>(config_.proxy);
  for (auto& services : services_) co_await services->reload(tunnel, gateway);
}

asio::awaitable<void> Node::drain(Instant deadline) {
  if (state_.exchange(State::draining) == State::ready) ready_gauge.sub();
  if (mix_) {
    // Packets leave by the tunnel, which therefore drains after them; it keeps half of the time.
    const auto now = runtime_.core(0).clock().now();
    co_await mix_->drain(now + std::max(deadline - now, Duration{0}) / 2);
    mix_tasks_->cancel();
    co_await mix_tasks_->join();
  }
  net::Nursery cores{runtime_.core(0)};
  for (auto& services : services_) {
    cores.spawn([&services, deadline]() -> asio::awaitable<void> { co_await services->drain(deadline); });
  }
  co_await cores.join();
  if (control_) (void)co_await control_->stop(std::max(deadline, net::after(runtime_.core(0), 500ms)));
}

void Node::stop() {
  runtime_.stop();
  runtime_.join();
}

}  // namespace village::daemon
