#include "village/service/mix_node.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/bounded_posts.hpp"
#include "service/mix_client_service.hpp"
#include "service/mix_core.hpp"
#include "service/mix_directory_streams.hpp"
#include "service/mix_epochs.hpp"
#include "service/mix_gateway.hpp"
#include "service/mix_loops.hpp"
#include "service/mix_metrics.hpp"
#include "service/mix_observations.hpp"
#include "service/tunnel_stream.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/mix/fast_random.hpp"
#include "village/mix/way.hpp"
#include "village/net/deadline.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tcp.hpp"
#include "village/net/visit.hpp"
#include "village/service/mix_authority.hpp"
#include "village/service/mix_directory.hpp"
#include "village/service/mix_limits.hpp"
#include "village/sphinx/payload.hpp"

namespace village::service {
namespace {

namespace asio = boost::asio;

constexpr village::limits::Row rows[] = {
    {"mix", "mix_posted_max", limits::mix_posted_max, 2'413, "payloads on their way to the mailboxes"},
    {"mix", "mix_loops_posted_max", limits::mix_loops_posted_max, 2'413,
     "own loops that came back, on their way"},
    {"mix", "mix_deliveries_max", limits::mix_deliveries_max, 2'065, "per client session: fetched ahead"},
    {"mix", "mix_inbox_bytes_max", 1, limits::mix_inbox_bytes_max,
     "a client's messages until they are fetched"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

std::string word(MixRole role) {
  switch (role) {
    case MixRole::mix:
      return "mix";
    case MixRole::gateway:
      return "gateway";
    case MixRole::authority:
      return "authority";
    case MixRole::client:
      break;
  }
  return "client";
}

MixAuthoritySettings authority_settings(const MixOptions& options) {
  MixAuthoritySettings settings;
  settings.authorities = options.directory.authorities;
  settings.threshold = options.directory.threshold;
  settings.epochs = options.epochs;
  settings.folder = options.keys_path;
  for (const auto& key : options.directory.admitted) settings.admitted.push_back(wire::NodeId::of(key));
  settings.open = options.directory.open;
  auto& parameters = settings.parameters;
  parameters.delay_mean = options.delay.mean;
  parameters.delay_max = options.delay.max;
  parameters.client_mean = options.cover.client;
  parameters.loop_mean = options.cover.loop;
  parameters.drop_mean = options.cover.drop;
  parameters.hops = options.hops;
  parameters.profile = options.profile == MixProfile::n2048 ? "n2048" : "nreg";
  parameters.distinct_networks = options.directory.distinct_networks;
  return settings;
}

std::string_view profile_word(MixProfile profile) { return profile == MixProfile::n2048 ? "n2048" : "nreg"; }

}  // namespace

struct MixNode::State final : MixEpochs::Workers {
  explicit State(Setup with)
      : setup{std::move(with)},
        options{*setup.options},
        home{*setup.ends.front().core},
        id{wire::NodeId::of(options.identity->public_key)},
        random{home.random()},
        dialer{home},
        neighbour_table{options.identity->public_key},
        mesh{static_cast<std::uint32_t>(setup.ends.size())},
        returned_loops{home, limits::mix_loops_posted_max},
        tasks{home} {}

  // --- MixEpochs::Workers
  void install(mix::EpochKeysPtr keys, std::vector<std::unique_ptr<mix::ReplayShard>> shards) override;
  void remove(mix::Epoch epoch) override;

  std::string open();
  void start();
  void take_views(const MixViews& views);
  void use(std::vector<std::shared_ptr<const mix::MixView>> views);
  void take_neighbours();
  Result<mix::SignedDescriptor> describe(mix::Epoch epoch);
  void delivered(const mix::Delivered& payload);
  void loop_back(ByteView message);
  void observe_loops();
  asio::awaitable<void> control_loop();
  asio::awaitable<void> loops_loop();
  void tick();
  void warn_of_skew();
  void send_loop(const sphinx::NodeAddress& first, std::byte rotation, Bytes packet);
  template <class Work>
  void on_core(std::size_t i, Work work) {
    asio::post(setup.ends[i].core->io(),
               [core = cores[i], work = std::move(work)]() mutable { work(*core); });
  }
  Instant now() const { return home.clock().now(); }
  WallTime wall() const { return home.clock().wall(); }
  MixCore::Hooks hooks();
  net::Dialer* htx_way(const crypto::Ed25519Public& authority);
  asio::awaitable<void> answer_directory(net::Core& at, crypto::Ed25519Public peer,
                                         std::shared_ptr<TunnelStream> stream);
  void serve_directory();
  void admit_to_directory(std::vector<TunnelPeer>& peers) const;
  const mix::MixView* current() const {
    return views_in_force.empty() ? nullptr : views_in_force.front().get();
  }

  Setup setup;
  const MixOptions& options;
  net::Core& home;
  const wire::NodeId id;
  mix::FastRandom random;
  net::TcpDialer dialer;
  MixNeighbourTable neighbour_table;
  std::shared_ptr<const MixNeighbours> neighbours = std::make_shared<const MixNeighbours>();
  mix::WorkerMesh mesh;
  std::vector<std::shared_ptr<MixCore>> cores;
  std::unique_ptr<MixEpochs> epochs;
  std::uint64_t described = 0;
  std::unique_ptr<MixLoops> loops;
  std::unique_ptr<MixObservations> observations;
  bool observations_failed = false;
  BoundedPosts returned_loops;
  std::shared_ptr<MixGateway> gateway;
  std::unique_ptr<MixClientService> client;
  std::unique_ptr<MixDirectory> directory;
  std::unique_ptr<MixAuthority> authority;
  std::map<crypto::Ed25519Public, std::unique_ptr<MixStreamDialer>> htx_ways;  ///< of authorities
  std::vector<std::shared_ptr<const mix::MixView>> views_in_force;             ///< current first
  bool injected_views = false;
  bool skewed = false;
  bool draining = false;
  Instant expire_at = Instant::min();
  net::Nursery tasks;
};

// --- the beginning

MixNode::MixNode(Setup setup) : state_{std::make_unique<State>(std::move(setup))} {}
MixNode::~MixNode() = default;
std::string MixNode::open() { return state_->open(); }
void MixNode::start() { state_->start(); }
MixClientService* MixNode::client() { return state_->client.get(); }

std::string MixNode::State::open() {
  VG_CHECK(options.identity != nullptr && !setup.ends.empty());
  if (options.has(MixRole::gateway)) gateway = std::make_shared<MixGateway>(home, options);
  if (options.has(MixRole::client)) {
    for (const auto& peer : setup.peers) {
      if (peer.name == options.gateway)
        client = std::make_unique<MixClientService>(home, *setup.ends.front().tunnel, options,
                                                    wire::NodeId::of(peer.key));
    }
    if (!client) return "mix: there is no peer \"" + options.gateway + "\"";
  }
  auto made = MixKeyStore::make_folder(options.keys_path);
  if (!made) return options.keys_path + ": cannot make this folder";
  if (gateway && !gateway->open_file(options.keys_path + "/mailboxes"))
    return options.keys_path + "/mailboxes: cannot be used";
  if (client && !client->open_file(options.keys_path + "/seen"))
    return options.keys_path + "/seen: cannot be used";
  if (options.moves_packets()) {
    for (std::uint32_t i = 0; i < setup.ends.size(); ++i) {
      const auto& end = setup.ends[i];
      cores.push_back(std::make_shared<MixCore>(*end.core, *end.tunnel, options, mesh, i, hooks()));
    }
    epochs = std::make_unique<MixEpochs>(options, *this, cores.size());
    if (auto problem = epochs->open(random, now(), wall()); !problem.empty()) return problem;
    loops = std::make_unique<MixLoops>(id, profile_of(options.profile), random, now());
    if (options.delay.policy != MixDelayPolicy::header) observe_loops();
  }
  if (options.directory.authorities.empty()) return {};
  MixDirectorySettings settings{options.directory.authorities, options.directory.threshold, options.epochs,
                                options.keys_path};
  settings.htx = [this](const crypto::Ed25519Public& of) { return htx_way(of); };
  directory = std::make_unique<MixDirectory>(home, dialer, std::move(settings));
  if (epochs) directory->describe_by([this](mix::Epoch epoch) { return describe(epoch); });
  directory->on_change([this](const MixViews& views) { take_views(views); });
  if (!options.has(MixRole::authority)) return {};
  auto authority_with = authority_settings(options);
  authority_with.htx = [this](const crypto::Ed25519Public& of) { return htx_way(of); };
  authority = std::make_unique<MixAuthority>(home, dialer, std::move(authority_with), *options.identity);
  return {};
}

MixCore::Hooks MixNode::State::hooks() {
  MixCore::Hooks hooks;
  hooks.delivered = [this](const mix::Delivered& payload) { delivered(payload); };
  hooks.wake = [this](std::uint64_t workers) {
    for (std::size_t i = 0; i < cores.size(); ++i) {
      if ((workers >> i & 1) != 0) on_core(i, [](MixCore& core) { core.run(); });
    }
  };
  hooks.is_client = [gate = gateway](const crypto::Ed25519Public& key) {
    return gate && gate->is_client(key);
  };
  hooks.client = [gate = gateway](MixCore& at, crypto::Ed25519Public key,
                                  std::shared_ptr<TunnelStream> stream) {
    return gate->serve(at, key, std::move(stream));
  };
  if (options.has(MixRole::authority)) {
    hooks.directory = [this](net::Core& at, crypto::Ed25519Public peer,
                             std::shared_ptr<TunnelStream> stream) {
      return answer_directory(at, peer, std::move(stream));
    };
  }
  return hooks;
}

void MixNode::State::start() {
  for (std::size_t i = 0; i < cores.size(); ++i) on_core(i, [](MixCore& core) { core.start(); });
  if (client) client->start();
  if (directory) tasks.spawn([this] { return directory->run(); });
  if (authority) serve_directory();
  if (authority) tasks.spawn([this] { return authority->run(); });
  if (authority && setup.authority_listener)
    tasks.spawn([this] { return authority->serve(*setup.authority_listener); });
  tasks.spawn([this] { return control_loop(); });
  if (loops) tasks.spawn([this] { return loops_loop(); });
}

// --- the directory over HTX

net::Dialer* MixNode::State::htx_way(const crypto::Ed25519Public& of) {
  for (const auto& peer : setup.peers) {
    if (peer.key != of || !peer.address) continue;
    auto& way = htx_ways[of];
    if (!way) way = std::make_unique<MixStreamDialer>(*setup.ends.front().tunnel, peer.name);
    return way.get();
  }
  return nullptr;
}

/// answer_directory hands a stream to the authority, which lives on core 0. It keeps the stream, which must
/// die on its own core.
asio::awaitable<void> MixNode::State::answer_directory(net::Core& at, crypto::Ed25519Public peer,
                                                       std::shared_ptr<TunnelStream> stream) {
  auto* const elsewhere = &at == &home ? nullptr : &at;
  auto visit =
      authority->connection(std::make_unique<StreamElsewhere>(stream, elsewhere), network_of_peer(peer));
  if (elsewhere == nullptr) {
    co_await std::move(visit);
  } else {
    co_await net::visit(home, std::move(visit));
  }
}

/// serve_directory lets those in whom the authority serves. A node that moves packets has its own service on
/// each core already.
void MixNode::State::serve_directory() {
  take_neighbours();
  if (!cores.empty()) return;
  for (const auto& end : setup.ends) {
    asio::post(end.core->io(), [this, end] {
      StreamService service;
      service.admits = [](const crypto::Ed25519Public&) { return true; };
      service.serve = [this, end](crypto::Ed25519Public peer, std::shared_ptr<TunnelStream> stream) {
        return answer_directory(*end.core, peer, std::move(stream));
      };
      end.tunnel->use_service(htx::Service::mix, std::move(service));
    });
  }
}

/// admit_to_directory adds those who may ask by HTX though no entry of htx.peers lets them in.
void MixNode::State::admit_to_directory(std::vector<TunnelPeer>& peers) const {
  auto keys = options.directory.admitted;
  for (const auto& entry : options.directory.authorities) keys.push_back(entry.key);
  for (const auto& key : keys) {
    const auto is_it = [&](const TunnelPeer& peer) { return peer.key == key; };
    if (key == options.identity->public_key || std::any_of(peers.begin(), peers.end(), is_it)) continue;
    TunnelPeer peer;
    const auto own = std::find_if(setup.peers.begin(), setup.peers.end(), is_it);
    if (own != setup.peers.end()) {
      peer = *own;
    } else {
      peer.name = mix_peer_name(key);
      peer.key = key;
    }
    peer.may_exit = own != setup.peers.end() && own->may_exit && own->allow_inbound;
    peer.allow_inbound = true;
    peers.push_back(std::move(peer));
  }
}

// --- keys and directory

void MixNode::State::install(mix::EpochKeysPtr keys, std::vector<std::unique_ptr<mix::ReplayShard>> shards) {
  for (std::size_t i = 0; i < cores.size(); ++i) {
    on_core(i, [keys, shard = std::make_shared<std::unique_ptr<mix::ReplayShard>>(std::move(shards[i]))](
                   MixCore& core) {
      const auto installed = core.install(keys, std::move(*shard));
      if (!installed) VG_LOG(error, "mix", "key not installed reason={}", name(installed.error().code));
    });
  }
}

void MixNode::State::remove(mix::Epoch epoch) {
  for (std::size_t i = 0; i < cores.size(); ++i) on_core(i, [epoch](MixCore& core) { core.remove(epoch); });
}

Result<mix::SignedDescriptor> MixNode::State::describe(mix::Epoch epoch) {
  const auto published = epochs->published(wall());
  mix::Descriptor descriptor;
  descriptor.link = setup.address;
  const auto* v4 = std::get_if<Ipv4Address>(&setup.address.host);
  const auto* v6 = std::get_if<Ipv6Address>(&setup.address.host);
  if (v4 == nullptr && v6 == nullptr) return fail(Errc::bad_argument);
  descriptor.mix_address = v4 != nullptr ? sphinx::node_address(*v4, setup.address.port)
                                         : sphinx::node_address(*v6, setup.address.port);
  for (const auto& [of, key] : published.keys) {
    if (of >= epoch && of < epoch + mix::limits::sphinx_keys_max) descriptor.sphinx_keys.push_back({of, key});
  }
  descriptor.vrf_key = published.vrf;
  descriptor.operator_name = options.operator_name;
  descriptor.roles.mix = options.has(MixRole::mix);
  descriptor.roles.gateway = options.has(MixRole::gateway);
  descriptor.roles.authority = options.has(MixRole::authority);
  descriptor.capacity_pps = options.capacity_pps;
  descriptor.delay = delay_statement(options.delay);
  descriptor.profiles = {std::string{profile_word(options.profile)}};
  descriptor.software = setup.software;
  const auto since_1970 = wall().time_since_epoch();
  descriptor.sequence =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count());
  for (const auto& proof : published.proofs) {
    if (proof.epoch < epoch) descriptor.vrf_proofs.push_back({proof.epoch, proof.proof});
  }
  return mix::sign(std::move(descriptor), *options.identity);
}

void MixNode::State::take_views(const MixViews& views) {
  if (injected_views) return;
  // Packets of the epoch before are on their way for a while: their next hops stay known, as those of the
  // next epoch are known ahead. Without a document of this epoch nothing is forwarded.
  std::vector<std::shared_ptr<const mix::MixView>> known;
  if (views.current) {
    known.push_back(views.current);
    if (views.next) known.push_back(views.next);
    if (views.previous) known.push_back(views.previous);
  }
  use(std::move(known));
}

void MixNode::State::use(std::vector<std::shared_ptr<const mix::MixView>> views) {
  views_in_force = std::move(views);
  const auto* view = current();
  mix_metrics::set(mix_metrics::directory_valid, view != nullptr ? 1 : 0);
  mix_metrics::set(mix_metrics::nodes, view != nullptr ? static_cast<std::int64_t>(view->nodes().size()) : 0);
  take_neighbours();
  if (client) {
    for (auto each = views_in_force.rbegin(); each != views_in_force.rend(); ++each) client->set_view(*each);
  }
  if (view == nullptr) {
    if (loops) loops->set_view(nullptr, Duration{0}, now());
    return;
  }
  if (loops) {
    // Who is not in the document cannot be the end of a loop.
    const bool listed = view->find(id) != nullptr;
    loops->set_view(listed ? views_in_force.front() : nullptr, options.cover.loop, now());
  }
  if (gateway) gateway->set_stream_mean(view->parameters().client_mean);
  const auto& parameters = view->parameters();
  auto rules = mix::delay_rules(delay_statement(options.delay), parameters.delay_mean, parameters.delay_max);
  if (!rules) return;
  for (std::size_t i = 0; i < cores.size(); ++i)
    on_core(i, [rules = *rules](MixCore& core) { core.set_delays(rules); });
}

void MixNode::State::take_neighbours() {
  std::vector<TunnelPeer> peers;
  if (!cores.empty()) {
    neighbours = neighbour_table.update(views_in_force, setup.peers, random);
    peers = MixNeighbourTable::peers(*neighbours, setup.peers);
  }
  if (options.has(MixRole::authority)) admit_to_directory(peers);
  if (!cores.empty() || !peers.empty()) setup.use_peers(std::move(peers));
  for (std::size_t i = 0; i < cores.size(); ++i)
    on_core(i, [table = neighbours](MixCore& core) { core.set_neighbours(table); });
}

void MixNode::use_views(std::vector<std::shared_ptr<const mix::MixView>> views) {
  state_->injected_views = true;
  state_->use(std::move(views));
}

Result<mix::SignedDescriptor> MixNode::describe(mix::Epoch epoch) { return state_->describe(epoch); }

void MixNode::reload(std::vector<TunnelPeer> peers) {
  state_->setup.peers = std::move(peers);
  state_->take_neighbours();
}

// --- payloads whose last hop is here; on any core

void MixNode::State::delivered(const mix::Delivered& payload) {
  const auto recipient = mix::client_of(payload.destination);
  if (!recipient) {
    mix_metrics::final_drop.add();
    return;
  }
  if (gateway && gateway->is_client(*recipient)) {
    gateway->put(*recipient, payload.identifier, payload.payload);
    return;
  }
  if (*recipient != id) {
    mix_metrics::final_unknown.add();
    return;
  }
  const auto message = sphinx::open_payload(payload.payload);
  if (!message) return mix_metrics::final_loop.add();
  // Anybody can send such packets; more than the home core follows are no loops of ours.
  const bool posted = returned_loops.post([this, copy = to_bytes(*message)] { loop_back(copy); });
  (posted ? mix_metrics::final_loop : mix_metrics::final_crowded).add();
}

void MixNode::State::loop_back(ByteView message) {
  if (loops && !draining) (void)loops->returned(message, now());
}

void MixNode::State::observe_loops() {
  observations = std::make_unique<MixObservations>(options.keys_path, limits::mix_observations_bytes_max);
  loops->observe_by([this](const MixLoops::Observed& loop) {
    const auto written = observations->write(loop);
    if (!written && !std::exchange(observations_failed, true))
      VG_LOG(error, "mix", "observations not written errno={}", written.error().detail);
    if (written) observations_failed = false;
  });
}

// --- control

asio::awaitable<void> MixNode::State::control_loop() {
  for (;;) {
    tick();
    const auto slept = co_await net::sleep_until(home, now() + limits::mix_control_interval);
    if (!slept) co_return;
  }
}

void MixNode::State::tick() {
  mix_metrics::set(mix_metrics::epoch, static_cast<std::int64_t>(options.epochs.at(wall())));
  if (epochs) {
    const auto version = epochs->version();
    epochs->tick(random, now(), wall());
    if (directory && epochs->version() != version) directory->publish_soon();
  }
  if (directory) warn_of_skew();
  if (gateway && now() >= expire_at) {
    expire_at = now() + std::chrono::minutes{1};
    gateway->expire();
  }
  if (loops) {
    mix_metrics::set(mix_metrics::loss_alarm, loops->monitor().alarm() ? 1 : 0);
    mix_metrics::set(mix_metrics::loss_ppm,
                     static_cast<std::int64_t>(loops->monitor().missing_share() * 1e6));
  }
}

// Told once when it begins: by a wrong clock a node opens nothing, and wipes keys too early or too late.
void MixNode::State::warn_of_skew() {
  const auto skew = directory->status().clock_skew;
  const bool wrong = std::max(skew, -skew) > options.epochs.length / 10;
  if (wrong && !std::exchange(skewed, true))
    VG_LOG(error, "mix", "clock wrong by_ms={}: the authorities say so; set it (NTP)",
           std::chrono::duration_cast<std::chrono::milliseconds>(-skew).count());
  if (!wrong) skewed = false;
  mix_metrics::set(mix_metrics::clock_skew_ms,
                   std::chrono::duration_cast<std::chrono::milliseconds>(skew).count());
}

asio::awaitable<void> MixNode::State::loops_loop() {
  const MixLoops::Out out = [this](const auto& first, std::byte rotation, Bytes packet) {
    send_loop(first, rotation, std::move(packet));
  };
  for (;;) {
    loops->tick(now(), out);
    const auto due =
        std::min(loops->next_deadline().value_or(Instant::max()), now() + limits::mix_control_interval);
    const auto slept = co_await net::sleep_until(home, std::max(due, now() + std::chrono::microseconds{100}));
    if (!slept) co_return;
  }
}

void MixNode::State::send_loop(const sphinx::NodeAddress& first, std::byte rotation, Bytes packet) {
  on_core(random.below(cores.size()), [first, rotation, packet = std::move(packet)](MixCore& core) {
    (void)core.inject(first, rotation, packet);
  });
}

// --- the end

asio::awaitable<void> MixNode::drain(Instant deadline) {
  auto& state = *state_;
  state.draining = true;
  if (state.client) co_await state.client->stop();
  state.tasks.cancel();
  co_await state.tasks.join();
  net::Nursery draining{state.home};
  for (std::size_t i = 0; i < state.cores.size(); ++i) {
    draining.spawn([&state, i, deadline]() -> asio::awaitable<void> {
      auto work = state.cores[i]->drain(deadline);
      co_await net::visit(*state.setup.ends[i].core, std::move(work));
    });
  }
  co_await draining.join();
  // The replay logs close with their shards, on this thread; the cores no longer touch them.
}

// --- the figures

namespace {

asio::awaitable<MixTotals> totals_of(MixCore& core) { co_return core.totals(); }

void add(MixStatus& status, const MixTotals& totals, mix::DropCounts& drops) {
  status.links += totals.links_known;
  status.links_open += totals.links_open;
  status.held += totals.held;
  status.packets_in += totals.worker.received;
  status.forwarded += totals.worker.forwarded;
  status.delivered += totals.worker.delivered;
  for (std::size_t i = 0; i < mix::drop_count; ++i) drops.by_reason[i] += totals.worker.drops.by_reason[i];
  if (totals.replay_closed) status.problem = "the memory of packets of a key is full or its log failed";
}

}  // namespace

net::Task<MixStatus> MixNode::status() {
  auto& state = *state_;
  MixStatus status;
  for (const auto role : state.options.roles) status.roles.push_back(word(role));
  const auto wall = state.wall();
  status.epoch = state.options.epochs.at(wall);
  status.epoch_left = state.options.epochs.end(status.epoch) - wall;
  if (const auto* view = state.current()) {
    status.directory_valid = true;
    status.nodes = view->nodes().size();
    if (const auto* self = view->find(state.id)) status.layer = self->layer;
  }
  mix::DropCounts drops;
  for (std::size_t i = 0; i < state.cores.size(); ++i) {
    auto asked = totals_of(*state.cores[i]);
    const auto totals = co_await net::visit(*state.setup.ends[i].core, std::move(asked));
    add(status, totals, drops);
  }
  for (std::size_t i = 0; i < mix::drop_count; ++i) {
    if (drops.by_reason[i] != 0)
      status.drops.emplace_back(mix::name(static_cast<mix::Drop>(i)), drops.by_reason[i]);
  }
  if (state.loops) {
    const auto& monitor = state.loops->monitor();
    status.loops_sent = monitor.sent_total();
    status.loops_back = monitor.returned_total();
    status.loops_lost = monitor.missing_total();
    status.loss_alarm = monitor.alarm();
  }
  if (state.gateway) {
    status.clients_connected = state.gateway->sessions();
    status.mailbox_messages = state.gateway->mailbox().messages();
  }
  if (state.client) status.client = state.client->status();
  if (state.directory && status.problem.empty()) status.problem = state.directory->status().problem;
  co_return status;
}

net::Task<std::string> mix_send(MixNode& node, MixOutgoing out) {
  if (node.client() == nullptr) co_return fail(Errc::unsupported);
  co_return node.client()->send(out);
}

net::Task<std::vector<MixIncoming>> mix_receive(MixNode& node, std::uint64_t after, Duration wait) {
  if (node.client() == nullptr) co_return fail(Errc::unsupported);
  auto received = co_await node.client()->receive(after, wait);
  co_return received;
}

MixFate mix_fate(MixNode& node, const std::string& id) {
  return node.client() == nullptr ? MixFate::unknown : node.client()->fate(id);
}

net::Task<Duration> mix_ping(MixNode& node, Duration within) {
  if (node.client() == nullptr) co_return fail(Errc::unsupported);
  auto time = co_await node.client()->ping(within);
  co_return time;
}

}  // namespace village::service
