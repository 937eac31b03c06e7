#include "village/mix/mailbox.hpp"

#include <algorithm>

#include "village/base/limits.hpp"

namespace village::mix {
namespace {

constexpr village::limits::Row rows[] = {
    {"mix", "mailbox_messages_max", limits::mailbox_messages_max, 1'780, "kept for one client"},
    {"mix", "mailbox_clients_max", limits::mailbox_clients_max, 200, "clients of a gateway"},
    {"mix", "mailbox_bytes_max", limits::mailbox_bytes_max, 1, "kept for all clients of a gateway"},
};
const bool declared [[maybe_unused]] = village::limits::declare(rows);

/// behind finds the first entry with a sequence above `sequence`.
template <class Entries>
auto behind(Entries& entries, std::uint64_t sequence) {
  return std::upper_bound(entries.begin(), entries.end(), sequence,
                          [](std::uint64_t value, const auto& entry) { return value < entry.sequence; });
}

}  // namespace

Result<void> Mailbox::add_client(const wire::NodeId& client) {
  if (clients_.contains(client)) return ok();
  if (clients_.size() >= options_.clients_max) return fail(Errc::busy);
  clients_.try_emplace(client);
  parts_changed_ = true;
  return ok();
}

bool Mailbox::remove_client(const wire::NodeId& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return false;
  for (auto& entry : found->second.entries) {
    if (!entry.gone) release(found->second, entry);
  }
  clients_.erase(found);
  parts_changed_ = true;
  return true;
}

Result<std::uint64_t> Mailbox::put(const wire::NodeId& client, const sphinx::Identifier& identifier,
                                   ByteView payload, Moment now) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return fail(Errc::not_found);
  const auto sequence = found->second.last_sequence + 1;
  VG_TRY_VOID(store(found->second, {sequence, now.wall, identifier, payload}, now.now + options_.time_max));
  return sequence;
}

Result<void> Mailbox::store(Client& client, const Message& message, Instant until) {
  const auto size = message.payload.size() + limits::mailbox_entry_bytes;
  if (client.live >= options_.messages_per_client_max) return fail(Errc::busy);
  if (size > options_.bytes_max || bytes_ > options_.bytes_max - size) return fail(Errc::busy);
  if (parts_changed_) deal_parts();
  // Who fills the boxes of some clients must not keep out the mail of all.
  const auto more = beyond_part(client.bytes + size) - beyond_part(client.bytes);
  if (more > 0 && common_bytes_ + more > options_.bytes_max / 2) return fail(Errc::busy);
  common_bytes_ += more;
  client.bytes += size;
  client.entries.push_back(
      {message.sequence, message.stored, until, message.identifier, to_bytes(message.payload), false});
  client.last_sequence = message.sequence;
  ++client.live;
  ++messages_;
  bytes_ += size;
  return ok();
}

std::optional<Mailbox::Message> Mailbox::next(const wire::NodeId& client, std::uint64_t after) const {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return std::nullopt;
  const auto& entries = found->second.entries;
  for (auto at = behind(entries, after); at != entries.end(); ++at) {
    if (!at->gone) return Message{at->sequence, at->stored, at->identifier, at->payload};
  }
  return std::nullopt;
}

bool Mailbox::acknowledge(const wire::NodeId& client, std::uint64_t sequence) {
  const auto found = clients_.find(client);
  if (found == clients_.end() || sequence == 0) return false;
  auto& entries = found->second.entries;
  const auto at = behind(entries, sequence - 1);
  if (at == entries.end() || at->sequence != sequence || at->gone) return false;
  release(found->second, *at);
  sweep(found->second);
  return true;
}

std::size_t Mailbox::expire(Moment now) {
  std::size_t count = 0;
  for (auto& [id, client] : clients_) {
    while (!client.entries.empty()) {
      auto& entry = client.entries.front();
      if (!entry.gone && now.now < entry.until) break;
      if (!entry.gone) {
        release(client, entry);
        ++count;
      }
      client.entries.pop_front();
    }
  }
  return count;
}

Result<void> Mailbox::restore(const wire::NodeId& client, const Message& message, Moment now) {
  VG_TRY_VOID(add_client(client));
  auto& entry = clients_.find(client)->second;
  if (message.sequence <= entry.last_sequence) return fail(Errc::malformed);
  const auto age = std::clamp<Duration>(now.wall - message.stored, Duration{0}, options_.time_max);
  return store(entry, message, now.now + (options_.time_max - age));
}

void Mailbox::raise_sequence(const wire::NodeId& client, std::uint64_t sequence) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  found->second.last_sequence = std::max(found->second.last_sequence, sequence);
}

std::vector<wire::NodeId> Mailbox::clients() const {
  std::vector<wire::NodeId> list;
  list.reserve(clients_.size());
  for (const auto& [id, client] : clients_) list.push_back(id);
  return list;
}

std::size_t Mailbox::waiting(const wire::NodeId& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? 0 : found->second.live;
}

std::uint64_t Mailbox::last_sequence(const wire::NodeId& client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? 0 : found->second.last_sequence;
}

std::size_t Mailbox::beyond_part(std::size_t bytes) const {
  const auto part = options_.bytes_max / 2 / std::max<std::size_t>(clients_.size(), 1);
  return bytes > part ? bytes - part : 0;
}

void Mailbox::deal_parts() {
  parts_changed_ = false;
  common_bytes_ = 0;
  for (const auto& [id, client] : clients_) common_bytes_ += beyond_part(client.bytes);
}

void Mailbox::release(Client& client, Entry& entry) {
  const auto size = entry.payload.size() + limits::mailbox_entry_bytes;
  bytes_ -= size;
  if (!parts_changed_) common_bytes_ -= beyond_part(client.bytes) - beyond_part(client.bytes - size);
  client.bytes -= size;
  entry.gone = true;
  entry.payload = {};
  --client.live;
  --messages_;
}

/// sweep drops the places of acknowledged messages: those in front at once, the others when they outnumber
/// the live ones.
void Mailbox::sweep(Client& client) {
  auto& entries = client.entries;
  while (!entries.empty() && entries.front().gone) entries.pop_front();
  if (entries.size() > 2 * client.live + 64) std::erase_if(entries, [](const Entry& e) { return e.gone; });
}

}  // namespace village::mix
