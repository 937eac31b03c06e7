#include "service/mix_core.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "service/mix_directory_streams.hpp"
#include "service/mix_metrics.hpp"
#include "service/record_cutter.hpp"
#include "service/tunnel_stream.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/mix/fast_random.hpp"
#include "village/service/mix_limits.hpp"

namespace village::service {

namespace {

constexpr std::byte frame_version{
    8};  // the first byte of each frame; a client's first record begins otherwise

}  // namespace

mix::Profile profile_of(MixProfile profile) {
  return profile == MixProfile::n2048 ? mix::Profile::n2048 : mix::Profile::nreg;
}

mix::DelayStatement delay_statement(const MixDelayOptions& options) {
  mix::DelayStatement out;
  out.delay_max = std::min<Duration>(options.max, mix::limits::delay_max);
  if (options.policy == MixDelayPolicy::header) return out;  // it draws nothing
  out.policy = options.policy == MixDelayPolicy::vrf ? mix::DelayPolicy::vrf : mix::DelayPolicy::max;
  double heaviest = 1;
  for (const auto& bin : options.distribution) heaviest = std::max(heaviest, bin.weight);
  const double unit = std::min(1e6, 4e9 / heaviest);  // of weights: 32 bits each
  const auto ns = [](double ms) { return Duration{static_cast<Duration::rep>(ms * 1e6)}; };
  for (const auto& bin : options.distribution)
    out.bins.push_back({ns(bin.from_ms), ns(bin.to_ms), static_cast<std::uint32_t>(bin.weight * unit)});
  return out;
}

mix::WorkerOptions worker_options(const MixOptions& options, std::size_t cores) {
  mix::WorkerOptions out;
  out.profile = profile_of(options.profile);
  out.epochs = options.epochs;
  auto rules = mix::delay_rules(delay_statement(options.delay), options.delay.mean, mix::limits::delay_max);
  if (rules) out.delays = *std::move(rules);
  out.rates.neighbour_pps = options.rate.peer_pps;
  out.rates.neighbour_burst = options.rate.burst;
  out.rates.node_pps =
      options.rate.node_pps == 0 ? 0 : std::max<std::uint64_t>(options.rate.node_pps / cores, 1);
  out.batch_packets = options.batch;
  out.batch_wait = options.batch_wait;
  out.ingress_packets = options.ring;
  out.held_packets = options.held_max;
  return out;
}

/// FrameIntake cuts a neighbour's stream into frames. Whole ones go to the worker from where they lie.
class MixCore::FrameIntake final : public StreamSink {
 public:
  FrameIntake(MixCore& core, mix::NeighbourIndex from)
      : core_{core}, from_{from}, frames_{mix::frame_bytes(core.profile_)} {}

  void take(ByteView bytes) override {
    const auto now = core_.now();
    const auto wall = core_.core_.clock().wall();
    frames_.cut(bytes, [&](ByteView frame) {
      (void)core_.worker_.submit(from_, frame, now, wall);  // counted there
      if (core_.worker_.batch_full()) core_.work();
      return true;
    });
  }
  void flush() override { core_.work(); }

 private:
  MixCore& core_;
  mix::NeighbourIndex from_;
  RecordCutter frames_;
};

MixCore::MixCore(net::Core& core, Tunnel& tunnel, const MixOptions& options, mix::WorkerMesh& mesh,
                 std::uint32_t worker, Hooks hooks)
    : core_{core},
      tunnel_{tunnel},
      options_{options},
      profile_{profile_of(options.profile)},
      hooks_{std::move(hooks)},
      random_{std::make_unique<mix::FastRandom>(core.random())},
      worker_{worker_options(options, mesh.workers()), mesh, worker, *random_, core.clock().now()},
      neighbours_{std::make_shared<const MixNeighbours>()},
      frame_(mix::frame_bytes(profile_)),
      timer_changed_{core},
      drained_{core},
      tasks_{core} {
  worker_.set_bell([this](std::uint64_t workers) { hooks_.wake(workers); });
}

MixCore::~MixCore() = default;

void MixCore::start() {
  StreamService service;
  service.admits = [this](const crypto::Ed25519Public& peer) {
    const bool known = neighbours_->find(peer).has_value() || hooks_.is_client(peer) || hooks_.directory;
    if (!known) ++gone_.strangers;
    return known && !stopping_;
  };
  service.serve = [this](crypto::Ed25519Public peer, std::shared_ptr<TunnelStream> stream) {
    return serve(peer, std::move(stream));
  };
  tunnel_.use_service(htx::Service::mix, std::move(service));
  tasks_.spawn([this] { return timer_loop(); });
}

// --- in

boost::asio::awaitable<void> MixCore::serve(crypto::Ed25519Public peer,
                                            std::shared_ptr<TunnelStream> stream) {
  if (stopping_) co_return;
  streams_.insert(stream);
  const auto there = co_await stream->wait_readable();
  const bool frames = there && !stream->buffered().empty() && stream->buffered()[0] == frame_version;
  const bool request = there && !stream->buffered().empty() && is_directory_request(stream->buffered()[0]);
  const auto index = neighbours_->find(peer);
  if (request && hooks_.directory) {
    co_await hooks_.directory(core_, peer, stream);
  } else if (frames && index) {
    co_await serve_neighbour(*index, stream);
  } else if (there && !frames && hooks_.is_client(peer)) {
    co_await hooks_.client(*this, peer, stream);
  }
  streams_.erase(stream);
}

boost::asio::awaitable<void> MixCore::serve_neighbour(mix::NeighbourIndex index,
                                                      std::shared_ptr<TunnelStream> stream) {
  FrameIntake intake{*this, index};
  stream->set_sink(&intake);
  (void)co_await stream->wait_over();
  stream->set_sink(nullptr);
}

// --- the worker

void MixCore::work() {
  worker_.run(now());
  std::array<mix::Released, 64> released;
  while (const auto ready = worker_.poll_released(released)) {
    for (std::size_t i = 0; i < ready; ++i) forward(released[i]);
  }
  std::array<mix::Delivered, 16> delivered;
  while (const auto ready = worker_.poll_delivered(delivered)) {
    for (std::size_t i = 0; i < ready; ++i) {
      hooks_.delivered(delivered[i]);
      worker_.done(delivered[i].held);
    }
  }
  if (const auto workers = worker_.take_wakeups(); workers != 0) hooks_.wake(workers);
  if (now() >= count_at_) count();
  if (stopping_ && worker_.in_flight() == 0) drained_.notify();
  const auto due = worker_.next_deadline();
  if (due && *due < armed_) timer_changed_.notify();
}

boost::asio::awaitable<void> MixCore::timer_loop() {
  for (;;) {
    armed_ = worker_.next_deadline().value_or(Instant::max());
    armed_ = std::min(armed_, now() + limits::mix_idle_wake);
    const auto changed = co_await timer_changed_.wait_until(armed_);
    if (!changed && changed.error().code == Errc::cancelled) co_return;
    armed_ = Instant::min();
    work();
    close_idle_links();
  }
}

// --- out

MixLink* MixCore::link(mix::NeighbourIndex index) {
  if (index >= neighbours_->by_index.size() || !neighbours_->by_index[index]) return nullptr;
  if (links_.size() <= index) links_.resize(neighbours_->by_index.size());
  auto& place = links_[index];
  if (!place) {
    MixLinkOptions options;
    options.frame_bytes = frame_.size();
    options.queue_max = options_.link_queue;
    FrameOwner& owner = *this;
    place = std::make_unique<MixLink>(core_, tunnel_, owner, neighbours_->by_index[index]->peer, options);
  }
  return place.get();
}

void MixCore::forward(const mix::Released& packet) {
  if (auto* next = link(packet.next)) {
    next->send(packet);
  } else {
    worker_.drop(packet.held, mix::Drop::route);
  }
}

bool MixCore::inject(const sphinx::NodeAddress& first, std::byte rotation, ByteView packet) {
  ++gone_.injected;
  if (std::find(neighbours_->own.begin(), neighbours_->own.end(), first) != neighbours_->own.end())
    return inject_here(rotation, packet);
  const auto index = neighbours_->routes ? neighbours_->routes->find(first) : std::nullopt;
  auto* next = index ? link(*index) : nullptr;
  if (next != nullptr && packet.size() + mix::frame_header_bytes == frame_.size() && !stopping_) {
    const auto head = ByteSpan{frame_}.first<mix::frame_header_bytes>();
    mix::write_frame_header(profile_, rotation, head);
    std::copy(packet.begin(), packet.end(), frame_.begin() + mix::frame_header_bytes);
    if (next->send_copy(frame_)) return true;
  }
  ++gone_.injected_lost;
  return false;
}

/// inject_here: a client's path that begins with its own gateway (5 hops, few gateways) goes through the
/// worker like any neighbour's packet, held and shuffled with the others.
bool MixCore::inject_here(std::byte rotation, ByteView packet) {
  bool taken = false;
  if (packet.size() + mix::frame_header_bytes == frame_.size()) {
    mix::write_frame_header(profile_, rotation, ByteSpan{frame_}.first<mix::frame_header_bytes>());
    std::copy(packet.begin(), packet.end(), frame_.begin() + mix::frame_header_bytes);
    taken = worker_.submit(own_neighbour, frame_, now(), core_.clock().wall());
  }
  if (!taken) {
    ++gone_.injected_lost;
    return false;
  }
  if (worker_.batch_full()) {
    work();
  } else if (const auto due = worker_.next_deadline(); due && *due < armed_) {
    timer_changed_.notify();
  }
  return true;
}

// --- neighbours

void MixCore::set_neighbours(std::shared_ptr<const MixNeighbours> neighbours) {
  const auto before = std::exchange(neighbours_, std::move(neighbours));
  const auto& now_known = neighbours_->by_index;
  for (mix::NeighbourIndex i = 0; i < std::max(before->by_index.size(), now_known.size()); ++i) {
    const auto* old = i < before->by_index.size() && before->by_index[i] ? &*before->by_index[i] : nullptr;
    const auto* fresh = i < now_known.size() && now_known[i] ? &*now_known[i] : nullptr;
    const bool same =
        old != nullptr && fresh != nullptr && old->key == fresh->key && old->peer == fresh->peer;
    if (same && old->capacity_pps == fresh->capacity_pps) continue;
    if (old != nullptr && !same) retire(i);
    // A node says its capacity itself; 0 is the rules' rate, which is the operator's.
    if (fresh != nullptr)
      worker_.set_neighbour(i, std::min<std::uint64_t>(fresh->capacity_pps, options_.rate.peer_pps));
  }
  worker_.set_routes(neighbours_->routes);
}

/// close_idle_links gives up those that carried nothing for a while; with loops about all carry some.
void MixCore::close_idle_links() {
  if (now() < idle_at_) return;
  idle_at_ = now() + limits::mix_idle_wake;
  for (mix::NeighbourIndex i = 0; i < links_.size(); ++i) {
    const bool idle =
        links_[i] && links_[i]->waiting() == 0 && now() - links_[i]->last_used() >= options_.link_idle;
    if (idle) retire(i);
  }
}

void MixCore::retire(mix::NeighbourIndex index) {
  if (index >= links_.size() || !links_[index]) return;
  std::shared_ptr<MixLink> old{std::move(links_[index])};
  const auto& counts = old->counts();
  gone_.links.sent += counts.sent;
  gone_.links.refused += counts.refused;
  gone_.links.late += counts.late;
  gone_.links.lost += counts.lost;
  tasks_.spawn([old] { return old->stop(); });
}

// --- the end and the figures

boost::asio::awaitable<void> MixCore::drain(Instant deadline) {
  stopping_ = true;
  worker_.stop();
  work();
  const auto held = worker_.in_flight();
  while (worker_.in_flight() != 0) {
    const auto woken = co_await drained_.wait_until(deadline);
    if (!woken) break;
  }
  const auto left = worker_.abandon();
  VG_LOG(info, "mix", "held packets at the end core={} held={} left={} abandoned={}", core_.index(), held,
         held - std::min(held, left), left);
  for (auto& each : links_) {
    if (each) co_await each->stop();
  }
  for (const auto& stream : std::set{streams_}) stream->close();
  tasks_.cancel();
  co_await tasks_.join();
  count();
}

MixTotals MixCore::totals() const {
  auto totals = gone_;
  totals.worker = worker_.counters();
  totals.held = worker_.held();
  totals.in_flight = worker_.in_flight();
  totals.replay_closed = worker_.replay_closed();
  for (const auto& each : links_) {
    if (!each) continue;
    const auto& counts = each->counts();
    totals.links.sent += counts.sent;
    totals.links.refused += counts.refused;
    totals.links.late += counts.late;
    totals.links.lost += counts.lost;
    ++totals.links_known;
    totals.links_open += each->open() ? 1 : 0;
  }
  return totals;
}

void MixCore::count() {
  count_at_ = now() + limits::mix_count_interval;
  auto totals = this->totals();
  mix_metrics::add(counted_, totals);
  counted_ = std::move(totals);
}

}  // namespace village::service
