#include "service/mix_gateway.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "service/mix_client_session.hpp"
#include "service/mix_metrics.hpp"
#include "village/base/log.hpp"
#include "village/service/mix_limits.hpp"

namespace village::service {

MixGateway::MixGateway(net::Core& home, const MixOptions& options) : home_{home}, options_{options} {
  for (const auto& client : options.clients) {
    const auto id = wire::NodeId::of(client.key);
    clients_.emplace(client.key, client.name);
    ids_.emplace(id, client.name);
    (void)mailbox_.add_client(id);
  }
}

Result<void> MixGateway::open_file(const std::string& path) {
  std::size_t damaged = 0;
  VG_TRY(file, MixMailboxFile::open(path, mailbox_, moment(), &damaged));
  if (damaged != 0) VG_LOG(warn, "mix", "mailbox file damaged path={} bytes={}", path, damaged);
  file_ = std::move(file);
  mix_metrics::mailbox_messages.add(static_cast<std::int64_t>(mailbox_.messages()));
  return ok();
}

template <class Work>
void MixGateway::at_home(Work work) {
  boost::asio::post(home_.io(),
                    [self = shared_from_this(), work = std::move(work)]() mutable { work(*self); });
}

// --- mail

void MixGateway::put(const wire::NodeId& client, const sphinx::Identifier& identifier, ByteView payload) {
  if (posted_.fetch_add(1) >= limits::mix_posted_max) {
    posted_.fetch_sub(1);
    mix_metrics::final_refused.add();
    return;
  }
  at_home([client, identifier, copy = to_bytes(payload)](MixGateway& self) {
    self.posted_.fetch_sub(1);
    self.put_here(client, identifier, copy);
  });
}

void MixGateway::put_here(const wire::NodeId& client, const sphinx::Identifier& identifier,
                          ByteView payload) {
  const auto now = moment();
  const auto sequence = mailbox_.put(client, identifier, payload, now);
  if (!sequence) {
    mix_metrics::final_refused.add();
    return;
  }
  if (file_) {
    const auto written = file_->stored(client, {*sequence, now.wall, identifier, payload}, mailbox_);
    if (!written) {  // not durable, so not taken over: its sender hears nothing and tries again
      (void)mailbox_.acknowledge(client, *sequence);
      mix_metrics::final_refused.add();
      VG_LOG(error, "mix", "mailbox file not written reason={}", name(written.error().code));
      return;
    }
  }
  mix_metrics::final_client.add();
  mix_metrics::mailbox_messages.add();
  auto& inboxes = attached_[client];
  std::erase_if(inboxes, [](const auto& each) { return each.expired(); });
  for (const auto& each : inboxes) {
    const auto inbox = each.lock();
    boost::asio::post(inbox->core.io(), [inbox] {
      inbox->more = true;
      inbox->changed.notify();
    });
  }
}

void MixGateway::acknowledge(const wire::NodeId& client, std::vector<std::uint64_t> sequences) {
  at_home([client, sequences = std::move(sequences)](MixGateway& self) {
    for (const auto sequence : sequences) {
      if (!self.mailbox_.acknowledge(client, sequence)) continue;
      mix_metrics::mailbox_messages.sub();
      if (self.file_) (void)self.file_->acknowledged(client, sequence, self.mailbox_);
    }
  });
}

void MixGateway::fetch(const wire::NodeId& client, std::shared_ptr<MixInbox> inbox) {
  inbox->fetching = true;
  inbox->more = false;
  const auto after = inbox->fetched;
  at_home(
      [client, inbox = std::move(inbox), after](MixGateway& self) { self.fetch_here(client, inbox, after); });
}

void MixGateway::fetch_here(const wire::NodeId& client, const std::shared_ptr<MixInbox>& inbox,
                            std::uint64_t after) {
  std::vector<StoredPayload> found;
  while (found.size() < limits::mix_deliveries_max) {
    const auto next = mailbox_.next(client, after);
    if (!next) break;
    after = next->sequence;
    found.push_back({next->sequence, next->identifier, to_bytes(next->payload)});
  }
  const bool full = found.size() == limits::mix_deliveries_max;
  boost::asio::post(inbox->core.io(), [inbox, full, after, found = std::move(found)]() mutable {
    inbox->ready.erase(inbox->ready.begin(),
                       inbox->ready.begin() + static_cast<std::ptrdiff_t>(inbox->first));
    inbox->first = 0;
    std::move(found.begin(), found.end(), std::back_inserter(inbox->ready));
    inbox->fetched = after;
    inbox->fetching = false;
    inbox->more = inbox->more || full;
    inbox->changed.notify();
  });
}

void MixGateway::attach(const wire::NodeId& client, std::shared_ptr<MixInbox> inbox) {
  at_home([client, inbox = std::move(inbox)](MixGateway& self) {
    auto& inboxes = self.attached_[client];
    std::erase_if(inboxes,
                  [](const auto& each) { return each.expired(); });  // sessions without mail leave too
    inboxes.push_back(inbox);
    const auto count = static_cast<std::uint32_t>(self.mailbox_.waiting(client));
    boost::asio::post(inbox->core.io(), [inbox, count] {
      inbox->waiting = count;
      inbox->more = inbox->more || count != 0;
      inbox->changed.notify();
    });
  });
}

void MixGateway::expire() {
  const auto gone = mailbox_.expire(moment());
  if (gone == 0) return;
  mix_metrics::mailbox_messages.sub(static_cast<std::int64_t>(gone));
  if (file_) (void)file_->shrink(mailbox_);
}

std::size_t MixGateway::attached() const {
  std::size_t count = 0;
  for (const auto& [client, inboxes] : attached_) count += inboxes.size();
  return count;
}

// --- sessions

boost::asio::awaitable<void> MixGateway::serve(MixCore& at, crypto::Ed25519Public key,
                                               std::shared_ptr<TunnelStream> stream) {
  const auto self = shared_from_this();
  sessions_.fetch_add(1);
  mix_metrics::sessions.add();
  {
    MixClientSession session{*self, at, wire::NodeId::of(key), stream, options_};
    co_await session.run();
  }
  mix_metrics::sessions.sub();
  sessions_.fetch_sub(1);
}

}  // namespace village::service
