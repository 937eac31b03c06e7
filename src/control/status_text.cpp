#include "control/status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/mix_text.hpp"

namespace village::control {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

const char* priority_text(htx::Priority priority) {
  switch (priority) {
    case htx::Priority::urgent:
      return "urgent";
    case htx::Priority::interactive:
      return "interactive";
    case htx::Priority::bulk:
      break;
  }
  return "bulk";
}

Json streams_json(const service::SessionStatus& session) {
  auto rows = Json::array();
  for (const auto& [s, age] : session.streams) {
    rows.push_back({{"id", s.stream},
                    {"priority", priority_text(s.priority)},
                    {"age_s", seconds(age)},
                    {"bytes_in", s.bytes_in},
                    {"bytes_out", s.bytes_out},
                    {"frames_in", s.frames_in},
                    {"frames_out", s.frames_out},
                    {"unsent", s.unsent_bytes},
                    {"unread", s.unread_bytes},
                    {"send_credit", s.send_credit},
                    {"receive_credit", s.receive_credit}});
  }
  return rows;
}

Json session_json(const service::SessionStatus& session) {
  const auto& s = session.statistics;
  return {{"peer", session.peer},
          {"node", session.node},
          {"direction", session.inbound ? "in" : "out"},
          {"state", session.state},
          {"outer", session.outer == service::Outer::tls ? "tls" : "none"},
          {"suite", session.suite},
          {"core", session.core},
          {"age_s", seconds(session.age)},
          {"key_age_s", seconds(session.key_age)},
          {"rtt_ms", seconds(s.rtt) * 1e3},
          {"streams", s.streams_open},
          {"bytes_in", s.bytes_in},
          {"bytes_out", s.bytes_out},
          {"data_bytes_in", s.data_bytes_in},
          {"data_bytes_out", s.data_bytes_out},
          {"frames_in", s.frames_in},
          {"frames_out", s.frames_out},
          {"frames_ignored", s.frames_ignored},
          {"streams_opened_local", s.streams_opened_local},
          {"streams_opened_peer", s.streams_opened_peer},
          {"streams_reset", s.streams_reset},
          {"streams_refused", s.streams_refused},
          {"streams_given_up", s.streams_given_up},
          {"frames_idle", s.frames_idle},
          {"datagrams_in", s.datagrams_in},
          {"datagrams_out", s.datagrams_out},
          {"datagrams_dropped", s.datagrams_dropped},
          {"unsent", s.unsent_bytes},
          {"unread", s.unread_bytes},
          {"busiest_streams", streams_json(session)},
          {"key_updates_in", s.key_updates_in},
          {"key_updates_out", s.key_updates_out},
          {"rekeys", s.rekeys},
          {"last_error", session.last_error}};
}

Json tickets_json(const TicketStatus& tickets) {
  Json out{{"keys", Json::array()},
           {"remembered", tickets.remembered},
           {"sources_charged", tickets.sources},
           {"on_disk", tickets.on_disk}};
  for (const auto& key : tickets.keys) {
    out["keys"].push_back({{"id", key.id},
                           {"age_s", seconds(key.age)},
                           {"accepted", key.accepted},
                           {"last_used_s", key.since_last ? Json(seconds(*key.since_last)) : Json(nullptr)}});
  }
  return out;
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}
double number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0.0;
}
const Json& list_of(const Json& object, const char* key) {
  static const Json none = Json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

/// printable keeps what a peer may have chosen from moving the cursor.
std::string printable(std::string text) {
  for (auto& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

bool same_session(const Json& a, const Json& b) {
  // A session that began anew is younger than it was.
  return text_of(a, "node") == text_of(b, "node") && text_of(a, "direction") == text_of(b, "direction") &&
         number_of(a, "core") == number_of(b, "core") && number_of(a, "age_s") >= number_of(b, "age_s");
}

std::string rate_text(const Json& session, const Json* before, const char* key, double elapsed_s) {
  if (before == nullptr || elapsed_s <= 0 || number_of(session, "age_s") <= 0) return "-";
  for (const auto& old : list_of(*before, "sessions")) {
    if (!same_session(session, old)) continue;
    return bytes_text(std::max(0.0, number_of(session, key) - number_of(old, key)) / elapsed_s) + "/s";
  }
  return "-";
}

std::vector<std::string> session_row(const Json& session, const Json* before, double elapsed_s) {
  const auto rtt = number_of(session, "rtt_ms");
  const bool connected = number_of(session, "age_s") > 0;
  return {printable(text_of(session, "peer")),
          text_of(session, "direction"),
          text_of(session, "state"),
          fmt::format("{}", static_cast<int>(number_of(session, "core"))),
          text_of(session, "outer"),
          connected ? fmt::format("{}", static_cast<int>(number_of(session, "suite"))) : "-",
          fmt::format("{}", static_cast<std::uint64_t>(number_of(session, "streams"))),
          rtt > 0 ? fmt::format("{:.1f} ms", rtt) : "-",
          rate_text(session, before, "bytes_in", elapsed_s),
          rate_text(session, before, "bytes_out", elapsed_s),
          bytes_text(number_of(session, "bytes_in")),
          bytes_text(number_of(session, "bytes_out")),
          connected ? age_text(number_of(session, "age_s")) : "-",
          connected ? age_text(number_of(session, "key_age_s")) : "-",
          printable(text_of(session, "last_error"))};
}

std::string lines(const char* head, const Json& list) {
  if (list.empty()) return {};
  auto text = std::string{"\n"} + head + "\n";
  for (const auto& line : list)
    text += "  " + (line.is_string() ? printable(line.get<std::string>()) : line.dump()) + "\n";
  return text;
}

std::string tickets_text(const Json& tickets) {
  std::vector<std::vector<std::string>> rows{{"TICKET KEY", "AGE", "ACCEPTED", "LAST USED"}};
  for (const auto& key : list_of(tickets, "keys")) {
    const auto last = key.find("last_used_s");
    const bool used = last != key.end() && last->is_number();
    rows.push_back({printable(text_of(key, "id")) + (rows.size() == 1 ? " (invites)" : ""),
                    age_text(number_of(key, "age_s")),
                    fmt::format("{}", static_cast<std::uint64_t>(number_of(key, "accepted"))),
                    used ? age_text(number_of(key, "last_used_s")) + " ago" : "-"});
  }
  const auto on_disk = tickets.find("on_disk");
  const bool kept = on_disk != tickets.end() && on_disk->is_boolean() && on_disk->get<bool>();
  return "\ntickets\n" + table_text(rows) +
         fmt::format("  {} remembered{}, {} networks charged for bad ones\n",
                     number_of(tickets, "remembered"), kept ? "" : " in memory only",
                     number_of(tickets, "sources_charged"));
}

}  // namespace

Json status_json(const NodeStatus& status) {
  Json out{
      {"name", status.name},
      {"node", status.node},
      {"version", status.version},
      {"state", status.state},
      {"uptime_s", seconds(status.uptime)},
      {"cores", status.cores},
      {"listening", status.listening},
      {"sessions", Json::array()},
      {"gateway",
       {{"connections", status.gateway.connections}, {"udp_associations", status.gateway.udp_associations}}},
      {"sandbox", status.sandbox},
      {"last_errors", status.last_errors}};
  if (status.tickets) out["tickets"] = tickets_json(*status.tickets);
  if (status.mix) out["mix"] = mix_json(*status.mix);
  for (const auto& session : status.sessions) out["sessions"].push_back(session_json(session));
  return out;
}

std::string status_text(const Json& status, const Json* before, std::chrono::duration<double> elapsed) {
  auto text =
      fmt::format("{}  {}  villaged {}\n{}, up {}, {} core{}", printable(text_of(status, "name")),
                  text_of(status, "node"), text_of(status, "version"), text_of(status, "state"),
                  age_text(number_of(status, "uptime_s")), static_cast<int>(number_of(status, "cores")),
                  number_of(status, "cores") == 1 ? "" : "s");
  for (const auto& part : list_of(status, "sandbox"))
    text += ", " + (part.is_string() ? part.get<std::string>() : part.dump());
  text += "\n" + lines("listening", list_of(status, "listening"));

  std::vector<std::vector<std::string>> rows{{"PEER", "DIR", "STATE", "CORE", "OUTER", "SUITE", "STREAMS",
                                              "RTT", "RATE IN", "RATE OUT", "IN", "OUT", "AGE", "KEY AGE",
                                              "LAST ERROR"}};
  for (const auto& session : list_of(status, "sessions"))
    rows.push_back(session_row(session, before, elapsed.count()));
  std::sort(rows.begin() + 1, rows.end());
  text += "\nsessions\n" + (rows.size() == 1 ? std::string{"  none\n"} : table_text(rows));

  if (const auto tickets = status.find("tickets"); tickets != status.end() && tickets->is_object())
    text += tickets_text(*tickets);
  if (const auto mix = status.find("mix"); mix != status.end() && mix->is_object()) text += mix_text(*mix);
  const auto gateway = status.find("gateway");
  if (gateway != status.end() && gateway->is_object()) {
    text += fmt::format("\nproxy  {} connections, {} UDP associations\n", number_of(*gateway, "connections"),
                        number_of(*gateway, "udp_associations"));
  }
  return text + lines("last errors", list_of(status, "last_errors"));
}

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  return unit == 0 || bytes >= 100 ? fmt::format("{:.0f} {}", bytes, units[unit])
                                   : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string age_text(double age_s) {
  const auto s = static_cast<std::uint64_t>(std::max(0.0, age_s));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3'600) return fmt::format("{} min {} s", s / 60, s % 60);
  if (s < 86'400) return fmt::format("{} h {} min", s / 3'600, s / 60 % 60);
  return fmt::format("{} d {} h", s / 86'400, s / 3'600 % 24);
}

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line = "  ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] + 2 - row[i].size(), ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace village::control
