#pragma once
// Simulation: two sessions joined by byte pipes, driven by random operations, watched by a model. What the
// model knows: byte n of a stream and direction is a function of all three, so a lost, repeated or moved byte
// shows at once; what was sent, received and consumed of each; and at the end, whose credit is where. Serves
// the property test and the fuzzer.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/htx/limits.hpp"
#include "village/htx/session.hpp"

namespace village::test {

using namespace htx;  // NOLINT: these helpers are of htx alone

class Simulation {
 public:
  /// `random` is what sessions use; choices come in by step().
  Simulation(SessionKeys client, SessionKeys server, const Settings& settings, RandomSource& random)
      : sides_{Side{Session{Role::client, std::move(client), settings, random, now_}},
               Side{Session{Role::server, std::move(server), settings, random, now_}}} {}

  /// step does one thing: `operation` says what (any byte), `a` and `b` are its operands.
  void step(std::uint8_t operation, std::uint16_t a, std::uint32_t b) {
    const int who = operation & 1;
    Side& side = sides_[who];
    switch ((operation >> 1) % 16) {
      case 0:
        open(who, a);
        break;
      case 1:
      case 2:
      case 3:
        send(who, a, b % 70'000, false);
        break;
      case 4:
        send(who, a, b % 3'000, true);
        break;
      case 5:
      case 6:
        consume(who, a, b % 100'000);
        break;
      case 7:
        transmit(who, 100 + b % 3'000);
        break;
      case 8:
      case 9:
        transmit(who, 70'000);
        break;
      case 10:
        deliver(who, b % 700);
        break;
      case 11:
      case 12:
        deliver(who, 100'000);
        break;
      case 13:
        if (a % 8 == 0) reset(who, a / 8, static_cast<Code>(b % 11));
        break;
      case 14:
        if (const auto id = pick(side, a)) side.session.set_priority(*id, static_cast<Priority>(b % 3));
        if (a % 5 == 0) side.session.update_key();
        if (a % 7 == 0) side.session.ping(now_);
        if (a % 11 == 0) (void)side.session.rekey(now_);
        break;
      default:
        advance(std::chrono::microseconds{b % 2'000'000});
        break;
    }
  }

  /// settle consumes and carries everything until nothing moves, then checks the books.
  void settle() {
    for (int who : {0, 1}) sides_[who].greedy = true;
    for (bool moved = true; moved;) {
      moved = false;
      for (int who : {0, 1}) {
        for (auto& [id, half] : sides_[who].halves) moved |= consume_all(who, id, half);
        moved |= transmit(who, 300'000) > 0;
        moved |= deliver(who, SIZE_MAX) > 0;
      }
    }
    check_books();
  }
  /// finish ends all streams and settles: nothing may be left.
  void finish() {
    finish_all();
    settle();  // now both sides know all streams
    finish_all();
    settle();
    for (int who : {0, 1}) {
      auto& side = sides_[who];
      VG_CHECK(side.session.statistics().streams_open == 0);
      VG_CHECK(side.session.statistics().unsent_bytes == 0 && side.session.statistics().unread_bytes == 0);
      for (auto& [id, half] : side.halves) {
        auto& other = sides_[1 - who].halves[id];
        if (half.dead || other.dead) continue;
        VG_CHECK(other.received == half.sent);
        VG_CHECK(other.fin_received);
      }
    }
  }

  std::uint64_t received_bytes() const { return sides_[0].received + sides_[1].received; }
  std::size_t streams() const { return sides_[0].halves.size(); }
  const Session& session(int who) const { return sides_[who].session; }

 private:
  /// Half is one side's view of a stream.
  struct Half {
    std::uint64_t sent = 0, received = 0, consumed = 0;
    bool fin_sent = false, fin_received = false;
    bool dead = false;  ///< reset by either side
  };
  struct Side {
    explicit Side(Session session_) : session{std::move(session_)} {}
    Session session;
    std::map<StreamId, Half> halves;
    Bytes pipe;   ///< sent by this side, on its way
    Bytes inbox;  ///< arrived at this side, not used yet
    std::uint64_t received = 0;
    bool greedy = false;
  };

  static std::byte byte_of(int who, StreamId id, std::uint64_t offset) {
    std::uint64_t x =
        offset + (std::uint64_t{id} << 40) + static_cast<std::uint64_t>(who) * 0x9E37'79B9'7F4A'7C15;
    x = (x ^ (x >> 29)) * 0xBF58'476D'1CE4'E5B9;
    return static_cast<std::byte>(x >> 56);
  }

  std::optional<StreamId> pick(Side& side, std::uint16_t a) const {
    if (side.halves.empty()) return std::nullopt;
    auto at = side.halves.begin();
    // Mostly the younger ones: the old ones have ended.
    const auto count = side.halves.size();
    const auto first = count > 40 ? count - 40 : 0;
    std::advance(at, static_cast<std::ptrdiff_t>(first + a % (count - first)));
    return at->first;
  }

  void finish_all() {
    for (int who : {0, 1}) {
      for (auto& [id, half] : sides_[who].halves) {
        if (half.dead || half.fin_sent) continue;
        sides_[who].session.finish(id);
        half.fin_sent = true;
      }
    }
  }

  void open(int who, std::uint16_t a) {
    if (sides_[who].halves.size() >= 400) return;
    const auto id = sides_[who].session.open(static_cast<Priority>(a % 3));
    if (id) sides_[who].halves.try_emplace(*id);
  }

  void send(int who, std::uint16_t a, std::size_t size, bool fin) {
    Side& side = sides_[who];
    const auto id = pick(side, a);
    if (!id) return;
    Half& half = side.halves[*id];
    if (half.dead || half.fin_sent) return;
    scratch_.resize(size);
    for (std::size_t i = 0; i < size; ++i) scratch_[i] = byte_of(who, *id, half.sent + i);
    const auto room = side.session.send_room(*id);
    const auto taken = side.session.send(*id, scratch_, fin);
    VG_CHECK(taken == std::min(room, size));
    half.sent += taken;
    if (fin && taken == size) half.fin_sent = true;
    VG_CHECK(side.session.statistics().unsent_bytes <= limits::session_unsent_bytes_max);
  }

  void consume(int who, std::uint16_t a, std::size_t size) {
    Side& side = sides_[who];
    const auto id = pick(side, a);
    if (!id) return;
    Half& half = side.halves[*id];
    if (half.dead) return;
    size = std::min<std::size_t>(size, half.received - half.consumed);
    half.consumed += size;
    side.session.consume(*id, size, now_);
  }
  bool consume_all(int who, StreamId id, Half& half) {
    if (half.dead || half.consumed == half.received) return false;
    sides_[who].session.consume(id, half.received - half.consumed, now_);
    half.consumed = half.received;
    return true;
  }

  void reset(int who, std::uint16_t a, Code code) {
    Side& side = sides_[who];
    const auto id = pick(side, a);
    if (!id) return;
    side.session.reset(*id, code);
    side.halves[*id].dead = true;
  }

  std::size_t transmit(int who, std::size_t room) {
    Side& side = sides_[who];
    if (side.pipe.size() > 4 << 20) return 0;
    buffer_.resize(room);
    const bool wanted = side.session.wants_transmit();
    const auto size = side.session.poll_transmit(buffer_, now_);
    VG_CHECK(size <= room);
    VG_CHECK(wanted || size == 0);
    VG_CHECK(size > 0 || !wanted || room < 65'535);
    side.pipe.insert(side.pipe.end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    drain_events(who);
    return size;
  }

  /// deliver carries up to `size` bytes from `who` to the other side.
  std::size_t deliver(int who, std::size_t size) {
    Side& from = sides_[who];
    Side& to = sides_[1 - who];
    size = std::min(size, from.pipe.size());
    to.inbox.insert(to.inbox.end(), from.pipe.begin(), from.pipe.begin() + static_cast<std::ptrdiff_t>(size));
    from.pipe.erase(from.pipe.begin(), from.pipe.begin() + static_cast<std::ptrdiff_t>(size));
    if (size == 0) return 0;
    const auto used = to.session.receive(to.inbox, now_);
    VG_CHECK(used.has_value());
    drain_events(1 - who);
    to.inbox.erase(to.inbox.begin(), to.inbox.begin() + static_cast<std::ptrdiff_t>(*used));
    VG_CHECK(to.inbox.size() < 65'535);
    return size;
  }

  void advance(Duration by) {
    // Deadlines are met while everything moves, so that no ping times out.
    for (int who : {0, 1}) {
      if (const auto due = sides_[who].session.next_deadline(); due && now_ + by >= *due) {
        sides_[who].session.on_deadline(now_ + by);
      }
    }
    now_ += by;
    for (int round : {0, 1}) {
      for (int who : {0, 1}) {
        (void)round;
        transmit(who, 100'000);
        deliver(who, SIZE_MAX);
      }
    }
  }

  void drain_events(int who) {
    Side& side = sides_[who];
    while (auto event = side.session.poll_event()) {
      VG_CHECK(!std::holds_alternative<SessionClosed>(*event));
      if (auto* opened = std::get_if<StreamOpened>(&*event)) {
        VG_CHECK(side.halves.try_emplace(opened->stream).second);
      } else if (auto* data = std::get_if<StreamData>(&*event)) {
        on_data(who, *data);
      } else if (auto* finished = std::get_if<StreamFinished>(&*event)) {
        Half& half = side.halves.at(finished->stream);
        VG_CHECK(!half.fin_received);
        half.fin_received = true;
        if (!half.dead) VG_CHECK(half.received == sides_[1 - who].halves.at(finished->stream).sent);
      } else if (auto* reset_by_peer = std::get_if<StreamReset>(&*event)) {
        side.halves.at(reset_by_peer->stream).dead = true;
      }
    }
  }

  void on_data(int who, const StreamData& data) {
    Side& side = sides_[who];
    Half& half = side.halves.at(data.stream);
    VG_CHECK(!half.fin_received && !data.data.empty());
    for (const auto byte : data.data) VG_CHECK(byte == byte_of(1 - who, data.stream, half.received++));
    side.received += data.data.size();
    VG_CHECK(half.received <= sides_[1 - who].halves.at(data.stream).sent);
  }

  /// check_books: nothing is on its way, so what one side may send is what the other has granted.
  void check_books() {
    for (int who : {0, 1}) {
      VG_CHECK(sides_[who].pipe.empty() && sides_[who].inbox.empty());
      const auto& own = sides_[who].session.statistics();
      const auto& peer = sides_[1 - who].session.statistics();
      VG_CHECK(own.send_credit == peer.receive_credit);
      VG_CHECK(own.unread_bytes == 0);
    }
  }

  Instant now_{std::chrono::hours{1}};
  Side sides_[2];
  Bytes scratch_, buffer_;
};

}  // namespace village::test
