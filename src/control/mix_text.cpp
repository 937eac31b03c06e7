#include "control/mix_text.hpp"

#include <fmt/format.h>

#include "control/status_text.hpp"

namespace village::control {
namespace {

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

Json client_json(const service::MixClientStatus& client) {
  return {{"address", client.address},
          {"connected", client.connected},
          {"outbox", client.outbox},
          {"inbox", client.inbox},
          {"sent", client.sent},
          {"delivered", client.delivered},
          {"failed", client.failed},
          {"received", client.received},
          {"packets", client.packets},
          {"retransmissions", client.retransmissions},
          {"loops_sent", client.loops_sent},
          {"loops_back", client.loops_back}};
}

std::uint64_t count(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}
bool flag(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}
std::string word(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string words(const Json& list) {
  std::string text;
  for (const auto& each : list)
    text += (text.empty() ? "" : ", ") + (each.is_string() ? each.get<std::string>() : each.dump());
  return text;
}

std::string drops_text(const Json& drops) {
  std::string text;
  for (const auto& [reason, number] : drops.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", reason, number.dump());
  return text.empty() ? "none" : text;
}

std::string client_text(const Json& client) {
  return fmt::format(
      "  client   {}, gateway {}\n"
      "           {} sent, {} delivered, {} failed, {} received, {} under way, {} to be fetched\n"
      "           {} packets, {} retransmissions, {} of {} loops came back\n",
      word(client, "address"), flag(client, "connected") ? "connected" : "not connected",
      count(client, "sent"), count(client, "delivered"), count(client, "failed"), count(client, "received"),
      count(client, "outbox"), count(client, "inbox"), count(client, "packets"),
      count(client, "retransmissions"), count(client, "loops_back"), count(client, "loops_sent"));
}

}  // namespace

Json mix_json(const service::MixStatus& status) {
  auto drops = Json::object();
  for (const auto& [reason, number] : status.drops) drops[reason] = number;
  Json out{{"roles", status.roles},
           {"epoch", status.epoch},
           {"epoch_left_s", seconds(status.epoch_left)},
           {"directory_valid", status.directory_valid},
           {"nodes", status.nodes},
           {"layer", status.layer},
           {"links", status.links},
           {"links_open", status.links_open},
           {"held", status.held},
           {"packets_in", status.packets_in},
           {"forwarded", status.forwarded},
           {"delivered", status.delivered},
           {"drops", std::move(drops)},
           {"loops_sent", status.loops_sent},
           {"loops_back", status.loops_back},
           {"loops_lost", status.loops_lost},
           {"loss_alarm", status.loss_alarm},
           {"clients_connected", status.clients_connected},
           {"mailbox_messages", status.mailbox_messages},
           {"problem", status.problem}};
  if (status.client) out["client"] = client_json(*status.client);
  return out;
}

std::string mix_text(const Json& mix) {
  const bool valid = flag(mix, "directory_valid");
  const auto left = mix.value("epoch_left_s", 0.0);
  auto text = fmt::format(
      "\nmixnet\n  roles    {}{}\n  epoch    {}, {:.0f} s left, directory {}\n",
      words(mix.value("roles", Json::array())),
      count(mix, "layer") != 0 ? fmt::format(", layer {}", count(mix, "layer")) : "", count(mix, "epoch"),
      left,
      valid ? fmt::format("valid ({} nodes)", count(mix, "nodes")) : "MISSING: nothing is forwarded or sent");
  text += fmt::format("  packets  {} in, {} forwarded, {} delivered, {} held; links {} of {} open\n",
                      count(mix, "packets_in"), count(mix, "forwarded"), count(mix, "delivered"),
                      count(mix, "held"), count(mix, "links_open"), count(mix, "links"));
  text += "  drops    " + drops_text(mix.value("drops", Json::object())) + "\n";
  text += fmt::format("  loops    {} sent, {} came back, {} lost{}\n", count(mix, "loops_sent"),
                      count(mix, "loops_back"), count(mix, "loops_lost"),
                      flag(mix, "loss_alarm") ? ": ALARM, more than faults explain" : "");
  if (count(mix, "clients_connected") != 0 || count(mix, "mailbox_messages") != 0)
    text += fmt::format("  gateway  {} clients connected, {} messages kept\n",
                        count(mix, "clients_connected"), count(mix, "mailbox_messages"));
  if (const auto client = mix.find("client"); client != mix.end() && client->is_object())
    text += client_text(*client);
  if (const auto problem = word(mix, "problem"); !problem.empty()) text += "  problem  " + problem + "\n";
  return text;
}

}  // namespace village::control
