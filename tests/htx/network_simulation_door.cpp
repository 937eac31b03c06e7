// Access tickets, wall clocks and the thief.
#include <algorithm>

#include "htx/network_simulation.hpp"

namespace village::test {
namespace {

constexpr Duration hour = std::chrono::hours{1};
constexpr WallTime epoch{std::chrono::hours{490'000}};
constexpr SourcePrefix client_source{1}, thief_source{2};
constexpr int knocks_in_vain_max = 40;

}  // namespace

WallTime NetworkSimulation::wall(const Node& node) const {
  return epoch + now_.time_since_epoch() + node.wall_skew;
}

/// jump_wall sets a node's wall clock anew: anywhere within five hours of the truth, or at the edge of an
/// hour.
void NetworkSimulation::jump_wall(Node& node) {
  node.wall_skew = std::chrono::milliseconds{below(10 * 3'600'000)} - 5 * hour;
  if (chance(50)) {
    const auto past = wall(node).time_since_epoch() % hour;
    node.wall_skew += std::chrono::milliseconds{below(4)} - std::chrono::milliseconds{2} - past;
  }
  ++report_.wall_jumps;
  note("wall jumps to hour", ticket_hour(wall(node)));
}

/// knock shows a fresh ticket; whether it opens the door follows from both wall clocks.
bool NetworkSimulation::knock() {
  if (chance(30)) jump_wall(node(static_cast<int>(below(2))));
  const auto& secret = ticket_keys_.secrets.front();
  const auto made = ticket_hour(wall(node(0))), read = ticket_hour(wall(node(1)));
  auto text = make_ticket(secret.open, wall(node(0)), session_random_);
  check(text.has_value(), "a ticket can be made");
  const auto verdict = gate_->admit(*text, ticket_keys_, client_source, wall(node(1)), now(node(1)));
  note("ticket", static_cast<std::uint64_t>(verdict), made);
  const bool in_time = made <= read + 1 && read <= made + 1;
  const bool stale = made <= gate_->replays().stale_hour();
  const auto expected = !in_time ? TicketVerdict::wrong_tag
                        : stale  ? TicketVerdict::stale
                                 : TicketVerdict::accepted;
  check(verdict == expected, "a ticket is judged by its hour", static_cast<std::uint64_t>(verdict));
  shown_.push_back({std::move(*text), verdict == TicketVerdict::accepted});
  steal();
  if (verdict == TicketVerdict::accepted) {
    knocks_in_vain_ = 0;
    return true;
  }
  // Somebody sets both clocks right; only an hour that was forgotten too early must pass.
  ++report_.refused_tickets;
  check(++knocks_in_vain_ < knocks_in_vain_max, "clocks that were set right let peers in");
  for (auto& node : nodes_) node.wall_skew = Duration{0};
  dial_at_ = now_ + std::chrono::minutes{1 + below(60)};
  return false;
}

/// steal shows the server a ticket that it has seen before. One that was refused may open the door now, once.
void NetworkSimulation::steal() {
  if (shown_.empty()) return;
  auto& ticket = shown_[below(shown_.size())];
  const auto verdict = gate_->admit(ticket.text, ticket_keys_, thief_source, wall(node(1)), now(node(1)));
  ++report_.thefts;
  if (verdict != TicketVerdict::accepted) return;
  check(!ticket.opened, "no ticket opens the door twice");
  ticket.opened = true;
}

/// restart_server begins with what a replay file holds. What is in a file that its clock takes for old raises
/// the hour up to which tickets are stale, as service::ReplayFile does.
void NetworkSimulation::restart_server() {
  const auto former = std::move(*gate_);
  gate_.emplace(TicketRules{}, session_random_);
  auto& replays = gate_->replays();
  replays.raise_stale_hour(former.replays().stale_hour());
  if (chance(50)) jump_wall(node(1));
  const auto read = ticket_hour(wall(node(1)));
  for (const auto& entry : former.replays().entries()) {
    if (entry.hour + 1 < read) {
      replays.raise_stale_hour(entry.hour);
    } else {
      (void)replays.take(entry);
    }
  }
  ++report_.restarts;
  note("server restarts, tickets kept", replays.entries().size());
}

}  // namespace village::test
