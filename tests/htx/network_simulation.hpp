#pragma once
// NetworkSimulation: two nodes on simulated time. The client dials, both shake hands, streams run, the
// network stalls, damages and cuts, clocks jump; then the client dials again. All of it follows from one
// number.
//
// The server lets in by access tickets, each node with a wall clock of its own, which jumps: hours to and
// fro, and often to the edge of an hour. A thief shows every ticket again, at any time, also to a server that
// was restarted with what its replay file held. Sessions know nothing of wall clocks and must not notice.
//
// Nodes do what service::TunnelLink does: one input buffer, one output buffer written bit by bit, a timer. A
// ledger knows what was said on each stream, so that a lost, repeated, moved or foreign byte shows at once.
// Checked besides: nobody ends a session without a reason, and then within its bounds; a deadline that was
// served moves on; an undisturbed session comes to rest with nothing unsent, unread or open, and with what
// one side may send equal to what the other has granted.
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "htx/simulated_tcp.hpp"
#include "village/base/random.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/htx/handshake.hpp"
#include "village/htx/session.hpp"
#include "village/htx/ticket_gate.hpp"

namespace village::test {

using namespace htx;  // NOLINT: these helpers are of htx alone

/// SimulationFailure says which rule did not hold.
struct SimulationFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class NetworkSimulation {
 public:
  /// Report is what a run saw: a test makes sure that it saw everything.
  struct Report {
    std::uint64_t connections = 0, sessions = 0, streams = 0, bytes = 0, key_updates = 0, resets = 0;
    std::uint64_t cuts = 0, deaths = 0, damages = 0, stalls = 0, jumps = 0, settled = 0, timeouts = 0;
    std::uint64_t datagrams = 0, given_up = 0, rekeys = 0;
    std::uint64_t wall_jumps = 0, refused_tickets = 0, thefts = 0, restarts = 0;
    void add(const Report& other);
  };

  /// `trace`: every event of the run goes to standard error.
  explicit NetworkSimulation(std::uint64_t seed, bool trace = false);
  /// run runs to the end. Throws SimulationFailure.
  Report run();

 private:
  enum class Phase { down, shaking, open, closing };
  /// Fate is how a connection ends.
  enum class Fate { client_closes, server_closes, both_close, cut, die, damage };

  /// Half is what one side said and heard on a stream.
  struct Half {
    std::uint64_t sent = 0, received = 0, consumed = 0;
    std::uint64_t datagrams_sent = 0, datagrams = 0;  ///< datagrams: the next that may come
    bool known = false, fin_sent = false, fin_received = false, dead = false;
  };
  using Flow = std::array<Half, 2>;

  struct Node {
    explicit Node(crypto::Ed25519KeyPair identity_) : identity{std::move(identity_)} {}
    crypto::Ed25519KeyPair identity;
    Phase phase = Phase::down;
    Duration skew{0};       ///< of its clock
    Duration wall_skew{0};  ///< of its wall clock
    std::optional<Handshake> handshake;
    std::optional<Session> session;
    Bytes input, output;
    std::size_t filled = 0, output_at = 0, output_end = 0;
    Instant act_at, up_at, heard, closing_until;  ///< by its own clock, but act_at
    int acts = 0;                                 ///< left
    bool told_closed = false, ready = false, ping_timeout = false;
    std::optional<Error> error;  ///< what receive() failed with
  };
  struct Connection {
    explicit Connection(const PipeShape& there, const PipeShape& back)
        : pipes{SimulatedPipe{there}, SimulatedPipe{back}} {}
    SimulatedPipe pipes[2];  ///< [who writes]
    std::map<StreamId, Flow> flows;
    Fate fate{};
    int fate_at = 0;         ///< acts of both left when it strikes
    bool disturbed = false;  ///< a session may end without CLOSE of its owner
    bool jumped = false;     ///< so may a node's clock have
    bool damaged = false;    ///< and must end
    bool calm = false;       ///< acts are over: everything is read and finished
    bool was_settled = false, close_asked = false;
    Instant calm_until;  ///< by then it is settled
  };

  // --- the plan
  void plan();
  void plan_upload();
  Settings settings();
  PipeShape shape();
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : random_.below(bound); }
  bool chance(unsigned percent) { return below(100) < percent; }

  // --- time
  Instant now(const Node& node) const { return now_ + node.skew; }
  Instant next() const;
  bool turn();

  // --- the door
  WallTime wall(const Node& node) const;
  void jump_wall(Node& node);
  bool knock();
  void steal();
  void restart_server();

  // --- connections
  void dial();
  void end_connection();
  bool read(int who);
  bool write(int who);
  bool meet_deadline(int who);
  void shake(int who);
  void start_session(int who);
  void take_input(int who);
  void lost(int who);
  void begin_closing(int who);
  void go_down(int who);
  bool hang_up(int who);
  bool connect_or_rest();

  // --- streams
  bool act(int who);
  void act_once(int who);
  void upload(int who);
  std::optional<StreamId> pick(int who);
  void open(int who);
  void send(int who, StreamId id, std::size_t size, bool fin);
  void rekey(int who);
  void send_datagram(int who, StreamId id);
  void on_datagram(int who, const DatagramReceived& received);
  void consume(int who, StreamId id, std::uint64_t size);
  void drain_events(int who);
  void on_data(int who, const StreamData& data);
  bool settle();
  bool at_rest() const;
  void check_books();

  // --- misfortune
  bool strike();
  void disturb();

  void check(bool holds, const char* rule, std::uint64_t detail = 0) const;
  void note(const char* what, std::uint64_t a = 0, std::uint64_t b = 0) const;
  Node& node(int who) { return nodes_[who]; }
  Session& session(int who) { return *nodes_[who].session; }

  std::uint64_t seed_;
  bool trace_;
  SeededRandom random_, session_random_;
  Instant now_{std::chrono::hours{1000}};
  Node nodes_[2];
  std::optional<Connection> connection_;
  Instant dial_at_{};
  int connections_left_ = 0;
  Settings settings_[2];
  PipeShape shapes_[2];
  std::size_t read_max_ = 0, write_max_ = 0;
  Duration gap_{0};
  int acts_each_ = 0;
  std::size_t send_max_ = 0;
  bool uploads_ = false;
  std::uint64_t turns_ = 0;
  struct ShownTicket {
    TicketText text;
    bool opened;
  };
  TicketKeys ticket_keys_;
  std::optional<TicketGate> gate_;
  std::vector<ShownTicket> shown_;
  int knocks_in_vain_ = 0;
  Bytes scratch_;
  Report report_;
};

}  // namespace village::test
