#include "village/service/mix_authority.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <iterator>
#include <mutex>
#include <variant>

#include "service/mix_http.hpp"
#include "service/whole_file.hpp"
#include "village/base/check.hpp"
#include "village/base/limits.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/source_buckets.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/connection_places.hpp"
#include "village/service/mix_directory.hpp"

namespace village::service {
namespace {

namespace asio = net::asio;
using net::Task;

constexpr auto requests_help = "Requests to this authority, by what became of them.";
metrics::Counter answered{"villaged_mix_authority_requests_total", requests_help, "result=\"answered\""};
metrics::Counter refused{"villaged_mix_authority_requests_total", requests_help, "result=\"refused\""};
metrics::Counter limited{"villaged_mix_authority_requests_total", requests_help, "result=\"rate_limited\""};
metrics::Counter crowded{"villaged_mix_authority_requests_total", requests_help, "result=\"no_place\""};
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
constexpr std::string_view document_path = "/mixdir/v1/document/";
constexpr std::string_view descriptor_path = "/mixdir/v1/descriptor";
constexpr std::string_view statement_path = "/mixdir/v1/statement";
constexpr std::string_view signature_path = "/mixdir/v1/signature";

MixHttpReply status_reply(unsigned status) {
  MixHttpReply out;
  out.status = status;
  return out;
}

std::optional<mix::Epoch> epoch_in(std::string_view path) {
  path.remove_prefix(document_path.size());
  mix::Epoch epoch = 0;
  const auto read = std::from_chars(path.data(), path.data() + path.size(), epoch);
  if (read.ec != std::errc{} || read.ptr != path.data() + path.size()) return std::nullopt;
  return epoch;
}

/// status_of is what a node or authority is told about what it sent.
unsigned status_of(const Result<void>& taken) {
  if (taken) return 200;
  switch (taken.error().code) {
    case Errc::bad_signature:
    case Errc::denied:
      return 403;
    case Errc::already_exists:
    case Errc::replayed:
      return 409;
    case Errc::limit_exceeded:
      return 413;
    case Errc::busy:
      return 503;
    default:
      return 400;
  }
}

mix::AuthorityOptions authority_options(const MixAuthoritySettings& settings) {
  mix::AuthorityOptions out;
  out.authorities = authority_set(settings.authorities, settings.threshold);
  out.epochs = settings.epochs;
  out.parameters = settings.parameters;
  out.admitted = settings.admitted;
  return out;
}

}  // namespace

struct MixAuthority::State {
  State(net::Core& owner, net::Dialer& way, MixAuthoritySettings given, const crypto::Ed25519KeyPair& node)
      : core{owner},
        dialer{way},
        settings{std::move(given)},
        key{node.seed.clone(), node.public_key},
        authority{authority_options(settings), key, owner.random()},
        buckets{
            {settings.request_burst, settings.request_refill}, limits::mix_http_sources_max, owner.random()},
        wake{owner},
        children{owner} {}

  /// Visit is one connection: what it may send, and the place that a large body takes.
  class Visit final : public MixHttpHandler {
   public:
    explicit Visit(State& state) : state_{state} {}
    Result<std::size_t> on_head(const MixHttpRequest& head) override;
    MixHttpReply answer(const MixHttpRequest& request) override;

   private:
    State& state_;
    std::optional<Place> place_;
  };

  asio::awaitable<void> connection(net::StreamPtr stream, std::optional<net::Ip> from);
  asio::awaitable<void> run();

  void load();
  bool remember();
  void pump();
  void note_reports();
  void keep_document(mix::Epoch epoch);
  asio::awaitable<void> post(mix::AuthorityMessage message);
  asio::awaitable<void> ask_others(std::optional<mix::Epoch> present, std::optional<mix::Epoch> next);
  const MixAuthorityEntry* entry_of(const crypto::Ed25519Public& of) const;
  bool is_authority(const crypto::Ed25519Public& of) const { return entry_of(of) != nullptr; }
  WallTime wall() const { return core.clock().wall(); }
  std::string path(std::string_view file) const { return settings.folder + "/" + std::string{file}; }

  net::Core& core;
  net::Dialer& dialer;
  MixAuthoritySettings settings;
  crypto::Ed25519KeyPair key;
  mix::Authority authority;
  htx::SourceBuckets buckets;
  AddressShares shares;
  std::atomic<std::uint32_t> places{0}, statements{0};
  net::Event wake;
  net::Nursery children;
  std::optional<std::uint64_t> remembered;  ///< memory_version on disk
  Instant remember_at{};
  mix::Epoch kept_epoch = 0;  ///< newest document on disk
  Instant ask_at{};
  bool asking = false;
  bool loaded = false;

  mutable std::mutex mutex;  ///< guards `status`
  MixAuthorityStatus status;
};

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

asio::awaitable<void> MixAuthority::State::connection(net::StreamPtr stream, std::optional<net::Ip> from) {
  const auto ip = net::unmapped(from.value_or(net::Ip{Ipv4Address{}}));
  auto place = Place::take(places, settings.connections_max);
  auto share = shares.take(ip, settings.connections_share_max);
  if (!place || !share) {
    crowded.add();
    co_return;
  }
  const auto source = std::visit([](const auto& address) { return htx::source_prefix(address); }, ip);
  if (!buckets.has_token(source, core.clock().now())) {
    limited.add();
    co_return;
  }
  buckets.take(source, core.clock().now());
  Visit visit{*this};
  co_await serve_mix_http(core, *stream, visit, net::after(core, settings.request_timeout));
}

Result<std::size_t> MixAuthority::State::Visit::on_head(const MixHttpRequest& head) {
  if (head.path == descriptor_path && head.method == "PUT") return mix::limits::descriptor_bytes_max;
  if (head.path.starts_with(document_path) && head.method == "GET") return std::size_t{0};
  const bool statement = head.path == statement_path;
  if ((statement || head.path == signature_path) && head.method == "POST") {
    const auto signer = request_signer(head);
    if (!signer || !state_.is_authority(signer->key)) {
      refused.add();
      return fail(Errc::refused, 403);
    }
    if (!statement) return limits::mix_http_signatures_bytes_max;
    place_ = Place::take(state_.statements, limits::mix_http_statements_max);
    if (!place_) {
      crowded.add();
      return fail(Errc::refused, 503);
    }
    return mix::limits::statement_bytes_max;
  }
  refused.add();
  const bool known = statement || head.path == descriptor_path || head.path == signature_path ||
                     head.path.starts_with(document_path);
  return fail(Errc::refused, known ? 405 : 404);
}

MixHttpReply MixAuthority::State::Visit::answer(const MixHttpRequest& request) {
  answered.add();
  auto& machine = state_.authority;
  const auto body = as_bytes(request.body);
  if (request.path.starts_with(document_path)) {
    const auto epoch = epoch_in(request.path);
    MixHttpReply reply;
    if (epoch) reply.body = machine.published(*epoch);
    reply.status = reply.body ? 200 : 404;
    return reply;
  }
  if (request.path == descriptor_path) {
    const auto taken = machine.on_descriptor(body, state_.wall());
    if (!taken) VG_LOG(debug, "mix", "descriptor_refused reason={}", name(taken.error().code));
    return status_reply(status_of(taken));
  }
  const auto signer = request_signer(request);
  if (!signer || crypto::sha256(body) != signer->digest) return status_reply(400);
  const auto taken = request.path == statement_path ? machine.on_statement(body, state_.wall())
                                                    : machine.on_signatures(body, state_.wall());
  state_.wake.notify();  // it may have something to pass on
  return status_reply(status_of(taken));
}

}  // namespace village::service
