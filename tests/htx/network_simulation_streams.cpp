// What the programs above the nodes do, and the ledger of all streams.
#include "htx/network_simulation.hpp"

namespace village::test {
namespace {

/// byte_of is the byte that side `who` sends at `offset` of a stream.
std::byte byte_of(int who, StreamId id, std::uint64_t offset) {
  std::uint64_t x =
      offset + (std::uint64_t{id} << 40) + static_cast<std::uint64_t>(who) * 0x9E37'79B9'7F4A'7C15;
  x = (x ^ (x >> 29)) * 0xBF58'476D'1CE4'E5B9;
  return static_cast<std::byte>(x >> 56);
}

/// datagram_of is the n-th datagram of side `who` on a stream.
Bytes datagram_of(int who, StreamId id, std::uint64_t n) {
  const auto size = std::to_integer<std::size_t>(byte_of(who, id, n)) * (n % 7 == 0 ? 30 : 4);
  Bytes datagram(size);
  for (std::size_t i = 0; i < size; ++i) datagram[i] = byte_of(who, id + 1'000'000, (n << 20) + i);
  return datagram;
}

constexpr std::size_t flows_max = 60;  // of one connection

}  // namespace

// --- acts

bool NetworkSimulation::act(int who) {
  auto& at = node(who);
  if (at.phase != Phase::open || !connection_ || connection_->calm || now_ < at.act_at) return false;
  if (at.acts == 0) {
    at.act_at = Instant::max();
    return false;
  }
  --at.acts;
  at.act_at =
      now_ + Duration{static_cast<Duration::rep>(below(static_cast<std::uint64_t>(2 * gap_.count())))};
  if (uploads_) {
    upload(who);
  } else {
    for (auto times = 1 + below(4); times > 0; --times) act_once(who);
  }
  disturb();
  return true;
}

void NetworkSimulation::act_once(int who) {
  auto& at = session(who);
  const auto kind = below(100);
  if (kind < 10) return open(who);
  if (kind < 12) return at.update_key();
  if (kind < 13) return at.ping(now(node(who)));
  if (kind < 14) return rekey(who);
  const auto id = pick(who);
  if (!id) return open(who);
  auto& half = connection_->flows[*id][static_cast<std::size_t>(who)];
  if (kind < 55) {
    send(who, *id, below(send_max_), kind < 20);
  } else if (kind < 85) {
    consume(who, *id, kind < 70 ? below(1'000) : half.received - half.consumed);
  } else if (kind < 88) {
    if (half.dead) return;
    note("reset", *id, static_cast<std::uint64_t>(who));
    at.reset(*id, static_cast<Code>(below(11)), chance(30) ? "no longer wanted" : "");
    half.dead = true;
    ++report_.resets;
  } else if (kind < 93) {
    at.set_priority(*id, static_cast<Priority>(below(3)));
  } else if (kind < 96) {
    if (!half.fin_sent && !half.dead) at.finish(*id);
    half.fin_sent = true;
  } else if (kind < 97) {
    at.set_deadline(*id, now(node(who)) + std::chrono::milliseconds{below(chance(50) ? 100 : 20'000)});
  } else {
    send_datagram(who, *id);
  }
}

void NetworkSimulation::rekey(int who) {
  const auto begun = session(who).rekey(now(node(who)));
  if (begun) return note("rekey", static_cast<std::uint64_t>(who));
  const auto code = begun.error().code;
  check(code == Errc::busy || (code == Errc::unsupported && !node(who).ready) ||
            (code == Errc::closed && node(who).told_closed),
        "rekey() fails only while it must", static_cast<std::uint64_t>(code));
}

/// send_datagram: its number, and bytes that follow from it; some of it in the head.
void NetworkSimulation::send_datagram(int who, StreamId id) {
  auto& half = connection_->flows[id][static_cast<std::size_t>(who)];
  if (half.dead) return;
  const auto datagram = datagram_of(who, id, half.datagrams_sent);
  const auto head = below(datagram.size() + 1);
  const auto sent =
      session(who).send_datagram(id, ByteView{datagram}.first(head), ByteView{datagram}.subspan(head));
  if (sent) ++half.datagrams_sent;
}

void NetworkSimulation::on_datagram(int who, const DatagramReceived& received) {
  const auto self = static_cast<std::size_t>(who);
  auto& flow = connection_->flows[received.stream];
  check(flow[self].known, "datagrams come on an open stream", received.stream);
  while (flow[self].datagrams < flow[1 - self].datagrams_sent) {  // some may be lost, none moved or repeated
    const auto expected = datagram_of(1 - who, received.stream, flow[self].datagrams++);
    if (std::equal(expected.begin(), expected.end(), received.data.begin(), received.data.end())) {
      ++report_.datagrams;
      return;
    }
  }
  check(false, "a datagram is one that was sent, once, in order", received.stream);
}

/// upload: the client keeps four streams full, the server reads whatever is there.
void NetworkSimulation::upload(int who) {
  if (chance(5)) rekey(who);
  if (who == 0 && connection_->flows.size() < 4) open(who);
  for (auto& [id, flow] : connection_->flows) {
    if (!flow[static_cast<std::size_t>(who)].known) continue;
    if (who == 0) {
      send(who, id, send_max_, false);
    } else {
      consume(who, id, flow[1].received);
    }
  }
}

/// pick chooses a stream that this side knows, mostly a young one.
std::optional<StreamId> NetworkSimulation::pick(int who) {
  std::vector<StreamId> known;
  for (const auto& [id, flow] : connection_->flows) {
    if (flow[static_cast<std::size_t>(who)].known) known.push_back(id);
  }
  if (known.empty()) return std::nullopt;
  const auto from = known.size() > 12 && chance(80) ? known.size() - 12 : 0;
  return known[from + below(known.size() - from)];
}

void NetworkSimulation::open(int who) {
  if (connection_->flows.size() >= flows_max) return;
  const auto id = session(who).open(static_cast<Priority>(below(3)));
  if (!id) {
    check(id.error().code == Errc::busy || node(who).told_closed, "open() fails only at the limit");
    return;
  }
  auto& flow = connection_->flows[*id];
  check(!flow[0].known && !flow[1].known, "an id is never used twice", *id);
  flow[static_cast<std::size_t>(who)].known = true;
}

void NetworkSimulation::send(int who, StreamId id, std::size_t size, bool fin) {
  auto& half = connection_->flows[id][static_cast<std::size_t>(who)];
  if (half.dead || half.fin_sent) return;
  scratch_.resize(size);
  for (std::size_t i = 0; i < size; ++i) scratch_[i] = byte_of(who, id, half.sent + i);
  const auto room = session(who).send_room(id);
  const auto taken = session(who).send(id, scratch_, fin);
  check(taken == std::min(room, size) || node(who).told_closed, "send() takes what there is room for", taken);
  half.sent += taken;
  half.fin_sent = fin && taken == size;
}

void NetworkSimulation::consume(int who, StreamId id, std::uint64_t size) {
  auto& half = connection_->flows[id][static_cast<std::size_t>(who)];
  if (half.dead) return;
  const auto count = std::min(size, half.received - half.consumed);
  if (count == 0) return;
  half.consumed += count;
  session(who).consume(id, count, now(node(who)));
}

// --- events

void NetworkSimulation::drain_events(int who) {
  auto& at = node(who);
  const auto self = static_cast<std::size_t>(who);
  while (auto event = at.session->poll_event()) {
    check(!at.told_closed, "SessionClosed is the last event");
    if (const auto* opened = std::get_if<StreamOpened>(&*event)) {
      auto& flow = connection_->flows[opened->stream];
      check(flow[1 - self].known, "only what the peer has opened is opened", opened->stream);
      check(!flow[self].known, "a stream is opened once", opened->stream);
      flow[self].known = true;
    } else if (const auto* data = std::get_if<StreamData>(&*event)) {
      on_data(who, *data);
    } else if (const auto* finished = std::get_if<StreamFinished>(&*event)) {
      auto& flow = connection_->flows[finished->stream];
      check(!flow[self].fin_received, "FIN is told once", finished->stream);
      check(flow[1 - self].fin_sent, "FIN is told only if it was said", finished->stream);
      check(flow[self].dead || flow[self].received == flow[1 - self].sent, "FIN comes behind the last byte");
      flow[self].fin_received = true;
    } else if (const auto* reset = std::get_if<StreamReset>(&*event)) {
      auto& flow = connection_->flows[reset->stream];
      const bool refused = reset->code == Code::policy_rejected && !flow[1 - self].known;
      check(!reset->by_peer || flow[1 - self].dead || refused, "a reset is told only if it was said",
            reset->stream);
      if (!reset->by_peer) ++report_.given_up;
      flow[self].dead = true;
    } else if (std::holds_alternative<PeerReady>(*event)) {
      check(!at.ready, "PeerReady is told once");
      at.ready = true;
    } else if (const auto* datagram = std::get_if<DatagramReceived>(&*event)) {
      on_datagram(who, *datagram);
    } else if (const auto* closed = std::get_if<SessionClosed>(&*event)) {
      at.told_closed = true;
      note("closed", static_cast<std::uint64_t>(closed->code), static_cast<std::uint64_t>(who));
      if (closed->code == Code::path_invalid && !closed->by_peer) ++report_.timeouts;
      const bool reason = connection_->disturbed || connection_->damaged || connection_->close_asked;
      check(reason, "nobody ends a session without a reason", static_cast<std::uint64_t>(closed->code));
      if (!connection_->disturbed && !connection_->damaged)
        check(closed->code == Code::ok, "and then with 0");
      begin_closing(who);
    }
  }
}

void NetworkSimulation::on_data(int who, const StreamData& data) {
  const auto self = static_cast<std::size_t>(who);
  auto& flow = connection_->flows[data.stream];
  auto& half = flow[self];
  check(half.known && !half.fin_received && !data.data.empty(), "data comes on an open stream", data.stream);
  for (const auto byte : data.data) {
    check(byte == byte_of(1 - who, data.stream, half.received), "every byte is in its place", half.received);
    ++half.received;
  }
  check(half.received <= flow[1 - self].sent, "nothing is received that was not sent");
  report_.bytes += data.data.size();
}

// --- rest

/// settle: when all acts are done, everything is read and finished, and then one side closes.
bool NetworkSimulation::settle() {
  if (!connection_ || node(0).phase != Phase::open || node(1).phase != Phase::open) return false;
  auto& connection = *connection_;
  if (!connection.calm) {
    if (node(0).acts + node(1).acts > 0) return false;
    connection.calm = true;
    connection.calm_until = now_ + std::chrono::hours{1};
    note("calm");
  }
  check(now_ < connection.calm_until, "a session comes to rest");
  bool moved = false;
  for (auto& [id, flow] : connection.flows) {
    for (const int who : {0, 1}) {
      auto& half = flow[static_cast<std::size_t>(who)];
      if (!half.known || half.dead) continue;
      if (half.consumed < half.received) {
        consume(who, id, half.received);
        moved = true;
      }
      if (half.fin_sent) continue;
      session(who).finish(id);
      half.fin_sent = moved = true;
    }
  }
  if (moved || connection.was_settled || !at_rest()) return moved;
  if (!connection.damaged && !connection.disturbed) {
    check_books();
    ++report_.settled;
  }
  connection.was_settled = connection.close_asked = true;
  note("settled");
  for (const int who : {0, 1}) {
    const bool closes =
        connection.fate == Fate::both_close || (connection.fate == Fate::server_closes) == (who == 1);
    if (!closes) continue;
    session(who).close(Code::ok, "done", now(node(who)));
    drain_events(who);
  }
  return true;
}

/// at_rest: nothing is on its way, and nobody has anything to say.
bool NetworkSimulation::at_rest() const {
  for (const int who : {0, 1}) {
    const auto& at = nodes_[who];
    if (!connection_->pipes[who].empty() || at.output_at != at.output_end || at.session->wants_transmit() ||
        (at.filled != 0))
      return false;
    if (!connection_->disturbed && !connection_->damaged && !at.ready) return false;
    const auto& statistics = at.session->statistics();
    if (statistics.streams_open != 0 || statistics.unsent_bytes != 0) return false;
  }
  return true;
}

void NetworkSimulation::check_books() {
  for (const int who : {0, 1}) {
    const auto& own = session(who).statistics();
    const auto& peer = session(1 - who).statistics();
    check(own.send_credit == peer.receive_credit, "credit is neither lost nor made", own.send_credit);
    check(own.unread_bytes == 0 && own.unsent_bytes == 0, "nothing is unread or unsent");
    check(own.data_bytes_out == peer.data_bytes_in || report_.resets > 0, "what was sent was received");
    check(own.padding_bytes_out == peer.padding_bytes_in, "padding is counted on both sides");
    check(own.frames_out == peer.frames_in && own.bytes_out == peer.bytes_in, "every frame arrived");
  }
  for (const auto& [id, flow] : connection_->flows) {
    if (flow[0].dead || flow[1].dead) continue;
    for (const std::size_t self : {0U, 1U}) {
      check(flow[self].fin_received && flow[self].received == flow[1 - self].sent, "every stream is whole",
            id);
    }
  }
}

}  // namespace village::test
