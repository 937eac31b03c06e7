// The network, the clocks and the drivers of both nodes. Streams: network_simulation_streams.cpp; tickets
// and wall clocks: network_simulation_door.cpp.
#include "htx/network_simulation.hpp"

#include <cstdio>
#include <cstring>

#include "village/htx/limits.hpp"

namespace village::test {
namespace {

constexpr std::size_t io_buffer_bytes = 131'072;  // as service::TunnelLink
constexpr Duration handshake_time_max = std::chrono::seconds{10};
constexpr Duration linger_time = std::chrono::seconds{2};
constexpr std::uint64_t slowest_link = 20'000;   // bytes per second
constexpr std::uint64_t turns_max = 20'000'000;  // a run needs some ten thousand

}  // namespace

void NetworkSimulation::Report::add(const Report& other) {
  connections += other.connections;
  sessions += other.sessions;
  streams += other.streams;
  bytes += other.bytes;
  key_updates += other.key_updates;
  resets += other.resets;
  cuts += other.cuts;
  deaths += other.deaths;
  damages += other.damages;
  stalls += other.stalls;
  jumps += other.jumps;
  settled += other.settled;
  timeouts += other.timeouts;
  datagrams += other.datagrams;
  given_up += other.given_up;
  rekeys += other.rekeys;
  wall_jumps += other.wall_jumps;
  refused_tickets += other.refused_tickets;
  thefts += other.thefts;
  restarts += other.restarts;
}

NetworkSimulation::NetworkSimulation(std::uint64_t seed, bool trace)
    : seed_{seed},
      trace_{trace},
      random_{seed},
      session_random_{seed + 0x5EED},
      nodes_{Node{crypto::Ed25519KeyPair::generate(session_random_)},
             Node{crypto::Ed25519KeyPair::generate(session_random_)}} {
  ticket_keys_.secrets.push_back(TicketSecret::generate(session_random_));
  gate_.emplace(TicketRules{}, session_random_);
  plan();
}

// --- the plan

Settings NetworkSimulation::settings() {
  Settings settings;
  if (chance(30)) settings.chunk_bytes = static_cast<std::uint32_t>(1 + below(chance(50) ? 65'498 : 300));
  if (chance(40)) settings.stream_window_start = static_cast<std::uint32_t>(below(100'000));
  if (chance(40)) settings.connection_window_max = static_cast<std::uint32_t>(65'536 + below(1 << 20));
  if (chance(30)) settings.peer_streams_max = static_cast<std::uint32_t>(1 + below(20));
  if (chance(40)) settings.send_buffer_bytes = 1 + below(100'000);
  if (chance(40)) settings.key_update_frames = 1 + below(3'000);
  if (chance(20)) settings.key_update_bytes = 1 + below(100'000);
  if (chance(50)) settings.handshake_rtt = std::chrono::microseconds{1 + below(300'000)};
  return settings;
}

PipeShape NetworkSimulation::shape() {
  PipeShape shape;
  shape.capacity = chance(30) ? 40 + below(3'000) : 1'000 + below(500'000);
  shape.delay = std::chrono::microseconds{chance(30) ? 0 : below(chance(50) ? 2'000 : 400'000)};
  if (chance(40)) shape.bytes_per_second = slowest_link + below(chance(50) ? 100'000 : 10'000'000);
  // The kernels' buffers hold a round trip of the slowest link at least.
  const auto round_trip = std::chrono::duration<double>(shape.delay).count() * 2;
  shape.capacity = std::max(shape.capacity, static_cast<std::size_t>(round_trip * slowest_link));
  return shape;
}

void NetworkSimulation::plan() {
  for (const int who : {0, 1}) {
    settings_[who] = settings();
    shapes_[who] = shape();
    nodes_[who].skew = std::chrono::milliseconds{below(1'000'000'000)};
    nodes_[who].input.resize(io_buffer_bytes);
    nodes_[who].output.resize(io_buffer_bytes);
  }
  static constexpr std::size_t sizes[] = {16, 300, 1'460, 65'536, io_buffer_bytes};
  read_max_ = sizes[below(5)];
  write_max_ = sizes[below(5)];
  gap_ = std::chrono::microseconds{1 + below(chance(50) ? 1'000 : 500'000)};
  acts_each_ = static_cast<int>(20 + below(200));
  bool slow =
      read_max_ <= 16 || write_max_ <= 16;  // byte by byte takes the computer's time, not the simulated
  for (const int who : {0, 1}) slow |= shapes_[who].capacity < 1'000 || settings_[who].chunk_bytes < 300;
  send_max_ = slow ? 300 : 1 + below(chance(20) ? 60'000 : 6'000);
  if (seed_ % 16 == 0) plan_upload();
  connections_left_ = static_cast<int>(1 + below(3));
  for (const auto& shape : shapes_) {
    note("pipe: capacity, bytes per second", shape.capacity, shape.bytes_per_second);
    note("pipe: delay in us", static_cast<std::uint64_t>(shape.delay / std::chrono::microseconds{1}));
  }
  note("read, write", read_max_, write_max_);
}

/// plan_upload: one side sends as much as it can over a narrow link behind large buffers; the other only
/// reads.
void NetworkSimulation::plan_upload() {
  uploads_ = true;
  read_max_ = write_max_ = io_buffer_bytes;
  for (const int who : {0, 1}) {
    settings_[who] = Settings{};
    shapes_[who].bytes_per_second = 4'000 + below(50'000);
    shapes_[who].capacity = 100'000 + below(4'000'000);
  }
  gap_ = std::chrono::milliseconds{300 + below(1'000)};
  acts_each_ = 100;
  send_max_ = 200'000;
}

// --- time

bool NetworkSimulation::turn() {
  ++turns_;
  bool moved = false;
  const auto note = [&moved](bool step) { moved = moved || step; };  // every step is taken
  for (const int who : {0, 1}) {
    note(write(who));
    note(read(who));
    note(meet_deadline(who));
    note(hang_up(who));
  }
  for (const int who : {0, 1}) note(act(who));
  note(settle());
  note(strike());
  note(connect_or_rest());
  return moved;
}

Instant NetworkSimulation::next() const {
  auto next = Instant::max();
  const auto sooner = [&next](Instant time) { next = std::min(next, time); };
  if (!connection_) return dial_at_;
  for (const int who : {0, 1}) {
    const auto& node = nodes_[who];
    if (const auto arrival = connection_->pipes[1 - who].next_arrival(now_);
        arrival && node.phase != Phase::down)
      sooner(*arrival);
    if (node.phase == Phase::shaking) sooner(node.up_at + handshake_time_max - node.skew);
    if (node.phase == Phase::closing) sooner(node.closing_until - node.skew);
    if (node.phase == Phase::open) {
      if (const auto due = node.session->next_deadline()) sooner(*due - node.skew);
      if (!connection_->calm) sooner(node.act_at);
    }
  }
  if (connection_->calm && !connection_->was_settled) sooner(connection_->calm_until);
  return next;
}

NetworkSimulation::Report NetworkSimulation::run() {
  dial_at_ = now_;
  while (connections_left_ > 0 || connection_) {
    while (turn()) check(turns_ < turns_max, "the run comes to an end", turns_);
    if (connections_left_ == 0 && !connection_) break;
    const auto at = next();
    check(at != Instant::max(), "somebody waits for something");
    check(at > now_ || !connection_, "time goes on");
    now_ = std::max(now_, at);
  }
  return report_;
}

// --- connections

bool NetworkSimulation::connect_or_rest() {
  if (connection_ && nodes_[0].phase == Phase::down && nodes_[1].phase == Phase::down) {
    end_connection();
    return true;
  }
  if (connection_ || connections_left_ == 0 || now_ < dial_at_) return false;
  if (knock()) dial();
  return true;
}

void NetworkSimulation::dial() {
  connection_.emplace(shapes_[0], shapes_[1]);
  connection_->fate = static_cast<Fate>(below(6));
  connection_->fate_at =
      chance(15) ? 2 * acts_each_ : static_cast<int>(below(static_cast<unsigned>(2 * acts_each_)));
  static constexpr Suite suites[] = {Suite::xk_chacha_sha256, Suite::xk_aesgcm_sha256,
                                     Suite::ik_chacha_sha256};
  const auto suite = suites[below(3)];
  for (const int who : {0, 1}) {
    auto& at = node(who);
    at.phase = Phase::shaking;
    at.filled = at.output_at = at.output_end = 0;
    at.up_at = now(at);
    at.acts = acts_each_;
    at.told_closed = at.ready = at.ping_timeout = false;
    at.error.reset();
    at.session.reset();
    auto made = who == 0 ? Handshake::initiator(at.identity, node(1).identity.public_key, suite, {}, {},
                                                session_random_)
                         : Handshake::responder(at.identity, {suites, suites + 3}, {}, {}, session_random_);
    check(made.has_value(), "a handshake can begin");
    at.handshake.emplace(std::move(*made));
  }
  ++report_.connections;
  note("dial, fate", static_cast<std::uint64_t>(connection_->fate));
}

void NetworkSimulation::end_connection() {
  for (const int who : {0, 1}) {
    auto& at = node(who);
    if (!at.session) continue;
    report_.key_updates += at.session->statistics().key_updates_out;
    report_.rekeys += at.session->statistics().rekeys;
    at.session.reset();
  }
  report_.streams += connection_->flows.size();
  connection_.reset();
  --connections_left_;
  if (chance(30)) restart_server();
  dial_at_ = now_ + std::chrono::milliseconds{below(2'000)};
}

bool NetworkSimulation::read(int who) {
  auto& at = node(who);
  if (at.phase == Phase::down || !connection_) return false;
  auto& pipe = connection_->pipes[1 - who];
  if (pipe.ended(now_)) {
    lost(who);
    return true;
  }
  const auto room = std::min<std::size_t>(at.input.size() - at.filled, 1 + below(read_max_));
  const auto count = pipe.read(ByteSpan{at.input}.subspan(at.filled, room), now_);
  if (count == 0) return false;
  at.filled += count;
  at.phase == Phase::shaking ? shake(who) : take_input(who);
  return true;
}

/// shake feeds the handshake; what comes behind its last message is the session's.
void NetworkSimulation::shake(int who) {
  auto& at = node(who);
  const auto used = at.handshake->receive(ByteView{at.input}.first(at.filled));
  if (!used) {
    check(connection_->damaged, "a handshake that nobody touched succeeds");
    go_down(who);
    return;
  }
  at.filled -= *used;
  std::memmove(at.input.data(), at.input.data() + *used, at.filled);
  if (at.handshake->done() && at.output_at == at.output_end) start_session(who);
}

void NetworkSimulation::start_session(int who) {
  auto& at = node(who);
  // Its last message may wait to be polled.
  at.output_at = 0;
  at.output_end = at.handshake->poll_transmit(at.output);
  check(at.handshake->done(), "the handshake is done");
  at.session.emplace(who == 0 ? Role::client : Role::server, at.handshake->finish(), settings_[who],
                     session_random_, now(at));
  at.handshake.reset();
  at.phase = Phase::open;
  at.act_at = now_ + std::chrono::milliseconds{below(20)};
  at.heard = now(at);
  ++report_.sessions;
  take_input(who);
}

void NetworkSimulation::take_input(int who) {
  auto& at = node(who);
  if (at.error) {  // it has hung up in spirit
    at.filled = 0;
    return;
  }
  const auto frames = at.session->statistics().frames_in;
  const auto used = at.session->receive(ByteSpan{at.input}.first(at.filled), now(at));
  if (at.session->statistics().frames_in != frames) at.heard = now(at);
  drain_events(who);
  if (!used) {
    at.error = used.error();
    note("receive fails", static_cast<std::uint64_t>(used.error().code), static_cast<std::uint64_t>(who));
    // A node whose clock jumped may change keys too often for its peer.
    const bool rushed = connection_->jumped && used.error().code == Errc::protocol;
    check(connection_->damaged || rushed, "receive() fails only after damage",
          static_cast<std::uint64_t>(used.error().code));
    at.filled = 0;
    return;
  }
  check(*used <= at.filled, "no more is used than there was");
  at.filled -= *used;
  std::memmove(at.input.data(), at.input.data() + *used, at.filled);
  check(at.filled < 65'535, "what is left is less than a frame", at.filled);
}

bool NetworkSimulation::write(int who) {
  auto& at = node(who);
  if (at.phase == Phase::down || !connection_) return false;
  bool moved = false;
  if (at.output_at == at.output_end) {
    at.output_at = at.output_end = 0;
    if (at.phase == Phase::shaking) {
      at.output_end = at.handshake->poll_transmit(at.output);
      if (at.output_end == 0 && at.handshake->done()) {
        start_session(who);
        return true;
      }
    } else {
      const bool wanted = at.session->wants_transmit();
      const auto room = chance(50) ? at.output.size() : 65'535 + below(1'000);
      at.output_end = at.session->poll_transmit(ByteSpan{at.output}.first(room), now(at));
      drain_events(who);
      check((at.output_end > 0) == wanted, "wants_transmit tells whether there is something");
    }
    moved = at.output_end > 0;
  }
  const auto count = std::min<std::size_t>(at.output_end - at.output_at, 1 + below(write_max_));
  const auto written = connection_->pipes[who].write(ByteView{at.output}.subspan(at.output_at, count), now_);
  at.output_at += written;
  return moved || written > 0;
}

bool NetworkSimulation::meet_deadline(int who) {
  auto& at = node(who);
  if (at.phase == Phase::shaking && now(at) >= at.up_at + handshake_time_max) {
    check(connection_->disturbed || connection_->damaged, "a handshake takes less than its time");
    go_down(who);
    return true;
  }
  if (at.phase != Phase::open) return false;
  const auto due = at.session->next_deadline();
  // Nothing heard for so long: by now it has asked, waited, and given up.
  const auto silence_max = settings_[who].ping_interval + settings_[who].ping_timeout;
  check(now(at) <= at.heard + silence_max || at.told_closed, "silence ends a session in time");
  if (!due || now(at) < *due) return false;
  at.session->on_deadline(now(at));
  drain_events(who);
  const auto later = at.session->next_deadline();
  check(!later || *later > now(at), "a deadline that was served moves on");
  return true;
}

void NetworkSimulation::lost(int who) {
  auto& at = node(who);
  if (at.phase == Phase::shaking) {
    check(connection_->disturbed || connection_->damaged, "nobody hangs up in a handshake");
  } else if (at.phase == Phase::open) {
    check(connection_->disturbed || connection_->damaged, "a session is not lost without a reason");
  }
  go_down(who);
}

void NetworkSimulation::begin_closing(int who) {
  auto& at = node(who);
  if (at.phase != Phase::open) return;
  at.phase = Phase::closing;
  at.closing_until = now(at) + linger_time;
}

/// hang_up closes the connection of a session that has ended.
bool NetworkSimulation::hang_up(int who) {
  auto& at = node(who);
  if (at.phase != Phase::closing) return false;
  const bool out = at.output_at == at.output_end && !at.session->wants_transmit();
  const bool late = now(at) >= at.closing_until;
  if (late) check(at.session->closed() || !out, "the drain ends in time");
  if (!late && !(out && at.session->closed())) return false;
  go_down(who);
  return true;
}

void NetworkSimulation::go_down(int who) {
  auto& at = node(who);
  if (at.phase == Phase::down) return;
  at.phase = Phase::down;
  at.handshake.reset();
  connection_->pipes[who].finish(now_);
  note("down", static_cast<std::uint64_t>(who));
}

// --- misfortune

/// strike lets the connection's fate happen when its time has come, and small misfortunes before.
bool NetworkSimulation::strike() {
  if (!connection_ || connection_->calm) return false;
  const int left = node(0).acts + node(1).acts;
  auto& connection = *connection_;
  const bool by_fault = connection.fate >= Fate::cut;
  if (!by_fault || connection.disturbed || connection.damaged || left > connection.fate_at) return false;
  note("fate strikes");
  switch (connection.fate) {
    case Fate::cut:
      connection.disturbed = true;
      ++report_.cuts;
      if (chance(50)) {  // a reset: bytes on their way are gone
        for (const int who : {0, 1}) go_down(who);
      } else {
        go_down(static_cast<int>(below(2)));
      }
      return true;
    case Fate::die: {
      connection.disturbed = true;
      ++report_.deaths;
      const auto which = below(3);
      if (which != 0) connection.pipes[0].die();
      if (which != 1) connection.pipes[1].die();
      return true;
    }
    default: {
      const auto way = below(2);
      const bool hit =
          connection.pipes[way].damage(random_.next()) || connection.pipes[1 - way].damage(random_.next());
      if (!hit) return false;  // nothing is on its way; at the next opportunity
      connection.damaged = true;
      ++report_.damages;
      return true;
    }
  }
}

/// disturb happens between the acts: a stall, a jump of a node's clock (a machine that was suspended) or of
/// its wall clock, a visit of the thief.
void NetworkSimulation::disturb() {
  auto& connection = *connection_;
  if (chance(2)) {
    const auto time = std::chrono::milliseconds{below(chance(3) ? 60'000 : 3'000)};
    if (connection.pipes[below(2)].stall(now_, time) > handshake_time_max * 9 / 10)
      connection.disturbed = true;
    ++report_.stalls;
  }
  if (below(2'000) == 0) {
    auto& at = node(static_cast<int>(below(2)));
    const auto time = std::chrono::seconds{below(3 * 3'600)};
    at.skew += time;
    at.heard += time;  // the bound counts from when it woke
    at.up_at += time;
    connection.jumped = connection.disturbed = true;  // a PING may have waited through the jump
    ++report_.jumps;
  }
  if (below(100) == 0) jump_wall(node(static_cast<int>(below(2))));
  if (below(50) == 0) steal();
}

// --- words

void NetworkSimulation::check(bool holds, const char* rule, std::uint64_t detail) const {
  if (holds) return;
  throw SimulationFailure{std::string{"seed "} + std::to_string(seed_) + ": broken rule: " + rule + " (" +
                          std::to_string(detail) + ") at " + std::to_string(now_.time_since_epoch().count()) +
                          " ns; replay: VILLAGE_SEED=" + std::to_string(seed_) +
                          " village_test_htx --gtest_filter='NetworkSimulation.*'"};
}

void NetworkSimulation::note(const char* what, std::uint64_t a, std::uint64_t b) const {
  if (!trace_) return;
  std::fprintf(stderr, "%14.6f %s %llu %llu\n",
               std::chrono::duration<double>(now_.time_since_epoch()).count() - 3.6e6, what,
               static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
}

}  // namespace village::test
