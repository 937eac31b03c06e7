// Two joined sessions whose owners and whose network do anything: every verb of the API in any order, on
// live, dead and unknown streams, before and after the end; key updates and re-handshakes by both at once;
// bits flipped and bytes lost on the way.
//
//   byte 0   settings; then 4 bytes for each step: what 8, operands 8 and 16
//
// Invariants: every byte delivered is the one that was sent there; datagrams come once and in order; a
// session that was touched on the way ends, and its peer after it; one that was not ends only if somebody
// closed it, and else comes to rest with its books balanced; after SessionClosed nothing follows; deadlines
// move on.
#include <cstdint>
#include <map>
#include <memory>

#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/htx/limits.hpp"
#include "village/htx/session.hpp"

using namespace village;
using namespace village::htx;

namespace {

SessionKeys keys_of(Role role, crypto::AeadAlgorithm algorithm) {
  SessionKeys keys;
  keys.algorithm = algorithm;
  keys.client_to_server.fill()[0] = std::byte{1};
  keys.server_to_client.fill()[0] = std::byte{2};
  keys.local_key[0] = role == Role::client ? std::byte{3} : std::byte{4};
  keys.peer_key[0] = role == Role::client ? std::byte{4} : std::byte{3};
  SeededRandom random{5};
  auto client = crypto::X25519KeyPair::generate(random), server = crypto::X25519KeyPair::generate(random);
  const auto peer_static = (role == Role::client ? server : client).public_key;
  keys.rekey = std::make_shared<RekeyIdentity>(
      RekeyIdentity{std::move(role == Role::client ? client : server), peer_static});
  return keys;
}

Settings settings_of(unsigned bits) {
  Settings settings;
  if ((bits & 2) != 0) settings.chunk_bytes = 99;
  if ((bits & 4) != 0) settings.connection_window_max = 70'000;
  if ((bits & 8) != 0) settings.peer_streams_max = 3;
  if ((bits & 16) != 0) settings.send_buffer_bytes = 9'000;
  if ((bits & 32) != 0) settings.stream_stall_max = std::chrono::seconds{5};
  if ((bits & 64) != 0) settings.key_update_frames = 5;
  if ((bits & 128) != 0) settings.unread_time_max = Duration{0};
  return settings;
}

std::byte byte_of(int who, StreamId id, std::uint64_t offset) {
  std::uint64_t x =
      offset + (std::uint64_t{id} << 40) + static_cast<std::uint64_t>(who + 1) * 0x9E37'79B9'7F4A'7C15;
  x = (x ^ (x >> 29)) * 0xBF58'476D'1CE4'E5B9;
  return static_cast<std::byte>(x >> 56);
}

Bytes datagram_of(int who, StreamId id, std::uint64_t n) {
  Bytes datagram(std::to_integer<std::size_t>(byte_of(who, id, n << 32)));
  for (std::size_t i = 0; i < datagram.size(); ++i) datagram[i] = byte_of(who, id, (n << 32) + i);
  return datagram;
}

/// Half is what one side said and heard on a stream.
struct Half {
  std::uint64_t sent = 0, received = 0, consumed = 0, datagrams_sent = 0, datagrams = 0;
  bool known = false, fin_sent = false, fin_received = false, dead = false;
};

struct Side {
  explicit Side(Session session_) : session{std::move(session_)} {}
  Session session;
  std::map<StreamId, Half> halves;
  Bytes pipe, inbox;  ///< sent and on its way; arrived and not used
  bool told_closed = false, failed = false, ready = false;
};

class Joined {
 public:
  explicit Joined(unsigned bits)
      : sides_{Side{Session{Role::client, keys_of(Role::client, algorithm(bits)), settings_of(bits), random_,
                            now_}},
               Side{Session{Role::server, keys_of(Role::server, algorithm(bits)), settings_of(bits), random_,
                            now_}}} {}

  void step(unsigned what, unsigned a, unsigned b) {
    const int who = static_cast<int>(what & 1);
    auto& side = sides_[who];
    auto& session = side.session;
    const auto id = static_cast<StreamId>(a % 12);
    auto& half = side.halves[id];
    switch ((what >> 1) % 20) {
      case 0:
      case 1:
        return open(side, b);
      case 2:
      case 3:
        return send(who, id, half, b % 20'000, false);
      case 4:
        return send(who, id, half, b % 2'000, true);
      case 5:
      case 6:
        return consume(side, id, half, b);
      case 7:
        session.finish(id);
        half.fin_sent |= half.known;
        return;
      case 8:
        session.reset(id, static_cast<Code>(b), b % 3 == 0 ? "reason\n\x01" : "");
        half.dead |= half.known;
        return;
      case 9:
        if (b % 4 != 0) return;
        session.close(static_cast<Code>(b / 4), "closed", now_);
        asked_ = true;
        return drain_events(who);
      case 10:
        return b % 4 == 0 ? rekey(side) : session.update_key();
      case 11:
        return session.ping(now_);
      case 12:
        return send_datagram(who, id, half);
      case 13:
        return session.set_deadline(
            id, b % 5 == 0 ? std::nullopt : std::optional{now_ + Duration{b * 1'000'000L}});
      case 14:
        return session.set_priority(id, static_cast<Priority>(b % 3));
      case 15:
        return (void)transmit(who, 60 + b % 2'000);
      case 16:
        return (void)transmit(who, 66'000);
      case 17:
        return deliver(who, b % 600);
      case 18:
        return b % 4 == 0 ? damage(side, b / 4) : deliver(who, 70'000);
      default:
        return advance(Duration{static_cast<std::int64_t>(b) * (a % 8 == 0 ? 1'000'000 : 20'000)});
    }
  }

  /// finish carries everything, and lets time do the rest.
  void finish() {
    const bool free = !touched_ && !asked_;
    settle();
    if (free && !sides_[0].told_closed && !sides_[1].told_closed) {
      for (int round = 0; round < 2; ++round) {
        for (const int who : {0, 1}) {
          for (auto& [id, half] : sides_[who].halves) {
            if (half.known && !half.dead && !half.fin_sent) sides_[who].session.finish(id);
            half.fin_sent |= half.known && !half.dead;
          }
        }
        settle();
      }
      check_books();
    }
    if (free) VG_CHECK(!sides_[0].told_closed || timed_out_);
    if (!asked_ && !touched_) sides_[0].session.close(Code::ok, "", now_);
    asked_ = true;
    // Whatever happened: silence and closing end both within the PING times and the drain.
    for (int i = 0; i < 12; ++i) {
      settle();
      advance(std::chrono::seconds{5});
    }
    for (const int who : {0, 1}) {
      VG_CHECK(sides_[who].told_closed);
      VG_CHECK(sides_[who].session.closed());
      VG_CHECK(!sides_[who].session.next_deadline());
      VG_CHECK(!sides_[who].session.open());
    }
  }

 private:
  static crypto::AeadAlgorithm algorithm(unsigned bits) {
    return (bits & 1) == 0 ? crypto::AeadAlgorithm::aes_256_gcm : crypto::AeadAlgorithm::chacha20_poly1305;
  }

  void open(Side& side, unsigned b) {
    const auto id = side.session.open(static_cast<Priority>(b % 3));
    if (!id) {
      VG_CHECK(id.error().code == Errc::busy || side.told_closed);
      return;
    }
    auto& half = side.halves[*id];
    VG_CHECK(!half.known);
    half.known = true;
  }

  void send(int who, StreamId id, Half& half, std::size_t size, bool fin) {
    scratch_.resize(size);
    for (std::size_t i = 0; i < size; ++i) scratch_[i] = byte_of(who, id, half.sent + i);
    const auto room = sides_[who].session.send_room(id);
    const auto taken = sides_[who].session.send(id, scratch_, fin);
    VG_CHECK(taken == std::min(room, size));
    VG_CHECK(taken == 0 || (half.known && !half.dead && !half.fin_sent));
    half.sent += taken;
    half.fin_sent |= fin && half.known && taken == size;
  }

  void send_datagram(int who, StreamId id, Half& half) {
    const auto datagram = datagram_of(who, id, half.datagrams_sent);
    const auto head = datagram.size() / 3;
    const auto sent = sides_[who].session.send_datagram(id, ByteView{datagram}.first(head),
                                                        ByteView{datagram}.subspan(head));
    VG_CHECK(!sent || (half.known && !half.dead && !half.fin_sent));
    if (sent) ++half.datagrams_sent;
  }

  void consume(Side& side, StreamId id, Half& half, std::uint64_t size) {
    size = std::min(size, half.received - half.consumed);
    if (half.dead) return;
    half.consumed += size;
    side.session.consume(id, size, now_);
  }

  void rekey(Side& side) {
    const auto begun = side.session.rekey(now_);
    if (begun) return;
    const auto code = begun.error().code;
    VG_CHECK(code == Errc::busy || code == Errc::unsupported || (code == Errc::closed && side.told_closed));
    VG_CHECK(code != Errc::unsupported || !side.ready);
  }

  std::size_t transmit(int who, std::size_t room) {
    auto& side = sides_[who];
    if (side.pipe.size() > 1 << 20) return 0;
    const bool wanted = side.session.wants_transmit();
    const auto size = side.session.poll_transmit(ByteSpan{buffer_}.first(room), now_);
    VG_CHECK(size <= room && (wanted || size == 0) && (size > 0 || !wanted || room < 65'535));
    side.pipe.insert(side.pipe.end(), buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size));
    drain_events(who);
    return size;
  }

  void deliver(int who, std::size_t size) {
    auto& from = sides_[who];
    auto& to = sides_[1 - who];
    size = std::min(size, from.pipe.size());
    const auto end = from.pipe.begin() + static_cast<std::ptrdiff_t>(size);
    if (!to.failed) to.inbox.insert(to.inbox.end(), from.pipe.begin(), end);
    from.pipe.erase(from.pipe.begin(), end);
    const auto used = to.session.receive(to.inbox, now_);
    drain_events(1 - who);
    if (!used) {
      VG_CHECK(touched_ && to.told_closed);
      to.failed = true;
      to.inbox.clear();
      return;
    }
    to.inbox.erase(to.inbox.begin(), to.inbox.begin() + static_cast<std::ptrdiff_t>(*used));
    VG_CHECK(to.inbox.size() < 65'535);
  }

  /// damage flips a bit on the way, or loses everything on it.
  void damage(Side& side, unsigned b) {
    if (side.pipe.empty() || touched_) return;  // a second flip might undo the first
    touched_ = true;
    if (b % 16 == 0) return side.pipe.clear();
    side.pipe[b % side.pipe.size()] ^= static_cast<std::byte>(1U << b % 8);
  }

  void advance(Duration by) {
    now_ += by;
    for (const int who : {0, 1}) {
      const auto due = sides_[who].session.next_deadline();
      if (!due || now_ < *due) continue;
      sides_[who].session.on_deadline(now_);
      drain_events(who);
      const auto later = sides_[who].session.next_deadline();
      VG_CHECK(!later || *later > now_);
    }
  }

  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const int who : {0, 1}) {
        for (auto& [id, half] : sides_[who].halves) {
          if (half.dead || half.consumed == half.received) continue;
          consume(sides_[who], id, half, half.received);
          moved = true;
        }
        moved |= transmit(who, 70'000) > 0;
        if (!sides_[who].pipe.empty()) deliver(who, SIZE_MAX);
      }
    }
  }

  void check_books() {
    for (const int who : {0, 1}) {
      const auto& own = sides_[who].session.statistics();
      if (sides_[0].told_closed || sides_[1].told_closed) return;
      VG_CHECK(own.send_credit == sides_[1 - who].session.statistics().receive_credit);
      VG_CHECK(own.unread_bytes == 0 && own.unsent_bytes == 0 && own.streams_open == 0);
      VG_CHECK(own.rekeys == sides_[1 - who].session.statistics().rekeys);
      VG_CHECK(own.padding_bytes_out == sides_[1 - who].session.statistics().padding_bytes_in);
      for (const auto& [id, half] : sides_[who].halves) {
        const auto& other = sides_[1 - who].halves[id];
        if (!half.known || half.dead || other.dead) continue;
        VG_CHECK(other.received == half.sent && other.fin_received);
      }
    }
  }

  void drain_events(int who) {
    auto& side = sides_[who];
    while (auto event = side.session.poll_event()) {
      VG_CHECK(!side.told_closed);
      std::visit([&](const auto& what) { on(who, side, what); }, *event);
    }
  }
  void on(int who, Side& side, const StreamOpened& event) {
    VG_CHECK(sides_[1 - who].halves[event.stream].known && !side.halves[event.stream].known);
    side.halves[event.stream].known = true;
  }
  void on(int who, Side& side, const StreamData& event) {
    auto& half = side.halves[event.stream];
    VG_CHECK(half.known && !half.fin_received && !event.data.empty());
    for (const auto byte : event.data) VG_CHECK(byte == byte_of(1 - who, event.stream, half.received++));
    VG_CHECK(half.received <= sides_[1 - who].halves[event.stream].sent);
  }
  void on(int who, Side& side, const StreamFinished& event) {
    auto& half = side.halves[event.stream];
    const auto& other = sides_[1 - who].halves[event.stream];
    VG_CHECK(half.known && !half.fin_received && other.fin_sent);
    VG_CHECK(half.dead || half.received == other.sent);
    half.fin_received = true;
  }
  void on(int, Side& side, const StreamReset& event) {
    for (const char c : event.reason) VG_CHECK(c >= ' ' && c <= '~');
    side.halves[event.stream].dead = true;
  }
  void on(int who, Side& side, const DatagramReceived& event) {
    auto& half = side.halves[event.stream];
    VG_CHECK(half.known);
    while (half.datagrams < sides_[1 - who].halves[event.stream].datagrams_sent) {
      const auto expected = datagram_of(1 - who, event.stream, half.datagrams++);
      if (std::equal(expected.begin(), expected.end(), event.data.begin(), event.data.end())) return;
    }
    VG_CHECK(false);  // one that was not sent
  }
  void on(int, Side& side, const SessionClosed& event) {
    side.told_closed = true;
    timed_out_ |= event.code == Code::path_invalid;
    VG_CHECK(touched_ || asked_ || timed_out_ || sides_[0].told_closed != sides_[1].told_closed);
  }
  void on(int, Side& side, const PeerReady&) { side.ready = true; }
  template <class Other>
  void on(int, Side&, const Other&) {}

  SeededRandom random_{1};
  Instant now_{std::chrono::hours{1}};
  Side sides_[2];
  Bytes scratch_, buffer_ = Bytes(70'000);
  bool touched_ = false;  ///< a bit was flipped, or bytes were lost
  bool asked_ = false;    ///< somebody closed
  bool timed_out_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 2'000) return 0;
  Joined joined{data[0]};
  for (std::size_t at = 1; at + 4 <= size; at += 4) {
    joined.step(data[at], data[at + 1], static_cast<unsigned>(data[at + 2] << 8 | data[at + 3]));
  }
  joined.finish();
  return 0;
}
