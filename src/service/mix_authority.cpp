#include "village/service/mix_authority.hpp"

#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "service/mix_authority_state.hpp"
#include "service/whole_file.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/net/deadline.hpp"
#include "village/service/mix_directory.hpp"

namespace village::service {
namespace {

namespace asio = net::asio;

metrics::Counter documents{"villaged_mix_authority_documents_total",
                           "Documents that this authority published."};
constexpr auto reports_help = "What authorities and nodes did that they should not, by kind.";
// In the order of mix::AuthorityReport::Kind.
metrics::Counter reports[] = {
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"two_votes\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"two_reveals\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"wrong_reveal\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"two_signatures\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"missing_vote\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"missing_reveal\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"missing_signature\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"other_document\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"node_equivocates\""},
    {"villaged_mix_authority_reports_total", reports_help, "kind=\"no_document\""},
};
static_assert(std::size(reports) == static_cast<std::size_t>(mix::AuthorityReport::Kind::no_document) + 1);

constexpr village::limits::Row rows[] = {
    {"mix", "directory_nodes", mix::limits::nodes_max, 2 * mix::limits::descriptor_bytes_max,
     "nodes of one document"},
    {"mix", "authority_connections", limits::mix_http_connections_max, limits::mix_http_head_bytes_max,
     "connections to this node's authority"},
    {"mix", "authority_statements", limits::mix_http_statements_max, mix::limits::statement_bytes_max,
     "statements of authorities that are read at once"},
};
[[maybe_unused]] const bool declared = village::limits::declare(rows);

constexpr std::size_t last_reports_kept = 16;
constexpr std::string_view statement_path = "/mixdir/v1/statement";
constexpr std::string_view signature_path = "/mixdir/v1/signature";

mix::AuthorityOptions authority_options(const MixAuthoritySettings& settings) {
  mix::AuthorityOptions out;
  out.authorities = authority_set(settings.authorities, settings.threshold);
  out.epochs = settings.epochs;
  out.parameters = settings.parameters;
  out.admitted = settings.admitted;
  out.open = settings.open;
  return out;
}

}  // namespace

MixAuthority::State::State(net::Core& owner, net::Dialer& way, MixAuthoritySettings given,
                           const crypto::Ed25519KeyPair& node)
    : core{owner},
      dialer{way},
      settings{std::move(given)},
      key{node.seed.clone(), node.public_key},
      authority{authority_options(settings), key, owner.random()},
      buckets{
          {settings.request_burst, settings.request_refill}, limits::mix_http_sources_max, owner.random()},
      wake{owner},
      children{owner} {}

MixAuthority::MixAuthority(net::Core& core, net::Dialer& dialer, MixAuthoritySettings settings,
                           const crypto::Ed25519KeyPair& key)
    : state_{std::make_unique<State>(core, dialer, std::move(settings), key)} {
  state_->load();
}
MixAuthority::~MixAuthority() = default;

asio::awaitable<void> MixAuthority::serve(net::Listener& listener) {
  auto* const state = state_.get();
  co_await listener.serve(state->core, [state](net::Core&, net::Accepted accepted) {
    std::optional<net::Ip> from;
    if (accepted.peer) from = accepted.peer->ip;
    return state->connection(std::move(accepted.stream), from);
  });
}
asio::awaitable<void> MixAuthority::connection(net::StreamPtr stream, std::optional<net::Ip> from) {
  return state_->connection(std::move(stream), from);
}
asio::awaitable<void> MixAuthority::run() { return state_->run(); }

MixAuthorityStatus MixAuthority::status() const {
  const std::scoped_lock lock{state_->mutex};
  return state_->status;
}

const MixAuthorityEntry* MixAuthority::State::entry_of(const crypto::Ed25519Public& of) const {
  for (const auto& entry : settings.authorities) {
    if (entry.key == of) return &entry;
  }
  return nullptr;
}

/// load takes back what a former process kept: votes are not repeated, documents can be asked for.
void MixAuthority::State::load() {
  if (settings.folder.empty()) return;
  const auto text = read_whole_file(path("authority.json"), mix::limits::statement_bytes_max);
  if (text) {
    const auto restored = authority.restore(as_bytes(*text));
    if (!restored) VG_LOG(warn, "mix", "authority_file problem={}", mix::directory_problem(restored.error()));
  }
  const auto epoch = settings.epochs.at(wall());
  for (auto at = epoch - std::min<mix::Epoch>(epoch, mix::limits::documents_kept - 2); at <= epoch + 1;
       ++at) {
    const auto kept =
        read_whole_file(path("published-" + std::to_string(at) + ".json"), mix::limits::document_bytes_max);
    if (!kept) continue;
    const auto document = mix::parse_signed_document(as_bytes(*kept));
    if (document && authority.adopt(*document)) kept_epoch = at;
  }
  status.published = kept_epoch;
}

/// remember writes the memory if it has changed; false if that failed.
bool MixAuthority::State::remember() {
  const auto version = authority.memory_version();
  if (settings.folder.empty() || remembered == version) return true;
  const auto written = replace_whole_file(path("authority.json"), authority.memory());
  if (!written) {
    VG_LOG(error, "mix", "authority_file path={} errno={}", path("authority.json"), written.error().detail);
    return false;
  }
  remembered = version;
  return true;
}

void MixAuthority::State::keep_document(mix::Epoch epoch) {
  const auto text = authority.published(epoch);
  if (!text || epoch <= kept_epoch) return;
  kept_epoch = epoch;
  documents.add();
  VG_LOG(info, "mix", "document_published epoch={} bytes={}", epoch, text->size());
  {
    const std::scoped_lock lock{mutex};
    status.published = epoch;
  }
  if (settings.folder.empty()) return;
  const auto written = replace_whole_file(path("published-" + std::to_string(epoch) + ".json"), *text);
  if (!written) VG_LOG(error, "mix", "document_file epoch={} errno={}", epoch, written.error().detail);
  if (epoch >= mix::limits::documents_kept) {
    ::unlink(path("published-" + std::to_string(epoch - mix::limits::documents_kept) + ".json").c_str());
  }
}

void MixAuthority::State::note_reports() {
  auto fresh = authority.take_reports();
  const std::scoped_lock lock{mutex};
  status.descriptors = authority.descriptors();
  for (const auto& report : fresh) {
    reports[static_cast<std::size_t>(report.kind)].add();
    const auto* who = entry_of(report.who);
    // Of authorities an operator must hear; nodes are many, and strangers.
    if (who != nullptr) {
      VG_LOG(warn, "mix", "authority_report kind={} epoch={} authority={}", mix::name(report.kind),
             report.epoch, who->name);
    }
    status.last_reports.push_back(report);
  }
  if (status.last_reports.size() > last_reports_kept) {
    status.last_reports.erase(status.last_reports.begin(), status.last_reports.end() - last_reports_kept);
  }
}

/// pump sends what the state machine has to say, once it is on disk that it said so.
void MixAuthority::State::pump() {
  authority.advance(wall());
  note_reports();
  const auto epoch = settings.epochs.at(wall());
  keep_document(epoch);
  keep_document(epoch + 1);
  auto messages = authority.take_messages();
  if (!messages.empty() && !remember()) return;  // unsaid is safe, said and forgotten is not
  for (auto& message : messages) {
    if (children.live() >= limits::mix_posts_max) break;
    children.spawn([this, each = std::move(message)]() -> asio::awaitable<void> { return post(each); });
  }
  const std::scoped_lock lock{mutex};
  ++status.turns;
  status.posts = children.live();
}

asio::awaitable<void> MixAuthority::State::post(mix::AuthorityMessage message) {
  const auto* to = entry_of(message.to);
  if (to == nullptr) co_return;
  const mix::AuthoritySchedule schedule{authority_set(settings.authorities, settings.threshold),
                                        settings.epochs, message.epoch};
  // Later than two slots from now it counts for nothing.
  const auto until = net::after(core, 2 * schedule.slot);
  const auto pause = std::clamp<Duration>(schedule.slot / 10, 10ms, 1s);
  while (core.clock().now() < until) {
    MixHttpRequest request;
    request.method = "POST";
    request.path = message.kind == mix::AuthorityMessage::Kind::statement ? statement_path : signature_path;
    request.body = *message.text;
    sign_request(request, key);
    const auto reply = co_await mix_exchange(core, dialer, to->address, std::move(request),
                                             limits::mix_http_head_bytes_max, until);
    if (reply && reply->status != 503) co_return;
    if (!reply && reply.error().code == Errc::cancelled) co_return;
    const auto slept = co_await net::sleep_until(core, net::after(core, pause));
    if (!slept) co_return;
  }
}

/// ask_others fetches documents that this authority had no part in.
asio::awaitable<void> MixAuthority::State::ask_others(std::optional<mix::Epoch> present,
                                                      std::optional<mix::Epoch> next) {
  const std::array<std::optional<mix::Epoch>, 2> wanted{present, next};
  for (const auto& other : settings.authorities) {
    if (other.key == key.public_key) continue;
    for (const auto& epoch : wanted) {
      if (!epoch || authority.published(*epoch)) continue;
      const auto until = net::after(core, std::min(settings.request_timeout, settings.epochs.length / 20));
      const auto document = co_await fetch_document(core, dialer, other.address, *epoch, until);
      if (document && document->document.epoch == *epoch && authority.adopt(*document)) keep_document(*epoch);
    }
  }
  asking = false;
}

asio::awaitable<void> MixAuthority::State::run() {
  const auto step = std::clamp<Duration>(settings.epochs.length / 2'400, 10ms, 1s);
  while (!children.cancelled()) {
    pump();
    const auto now = core.clock().now();
    if (now >= remember_at) {
      remember();
      remember_at = now + settings.epochs.length / 40;
    }
    const auto epoch = settings.epochs.at(wall());
    const mix::AuthoritySchedule schedule{authority_set(settings.authorities, settings.threshold),
                                          settings.epochs, epoch + 1};
    const bool overdue = wall() > schedule.publish + schedule.slot && !authority.published(epoch + 1);
    if (!asking && now >= ask_at && (overdue || !authority.published(epoch))) {
      asking = true;
      ask_at = now + settings.epochs.length / 40;
      const auto present = authority.published(epoch) ? std::optional<mix::Epoch>{} : epoch;
      const auto next = overdue ? std::optional{epoch + 1} : std::nullopt;
      children.spawn([this, present, next]() -> asio::awaitable<void> { return ask_others(present, next); });
    }
    // The wall clock may jump, so no sleep is long.
    const auto due = authority.next_time(wall()) - wall();
    const auto woken = co_await wake.wait_until(now + std::clamp<Duration>(due, 1ms, step));
    if (!woken && woken.error().code == Errc::cancelled) break;
  }
  children.cancel();
  co_await children.join();
  remember();
}

}  // namespace village::service
