#include "village/service/mix_directory.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "service/mix_directory_store.hpp"
#include "service/mix_http.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/net/deadline.hpp"
#include "village/net/event.hpp"
#include "village/net/nursery.hpp"
#include "village/service/mix_directory_limits.hpp"

namespace village::service {
namespace {

namespace asio = net::asio;
using net::Task;

constexpr auto documents_help = "Documents that this node asked for, by result.";
metrics::Counter fetched{"villaged_mix_directory_fetches_total", documents_help, "result=\"accepted\""};
metrics::Counter not_there{"villaged_mix_directory_fetches_total", documents_help, "result=\"not_there\""};
metrics::Counter unreachable{"villaged_mix_directory_fetches_total", documents_help,
                             "result=\"unreachable\""};
metrics::Counter refused{"villaged_mix_directory_fetches_total", documents_help, "result=\"refused\""};
constexpr auto published_help = "Descriptors of this node sent to an authority, by result.";
metrics::Counter published{"villaged_mix_directory_publications_total", published_help,
                           "result=\"accepted\""};
metrics::Counter unpublished{"villaged_mix_directory_publications_total", published_help,
                             "result=\"failed\""};

constexpr std::size_t reply_bytes_max = 4'096;  ///< of what an authority says of a descriptor

std::string path_of(mix::Epoch epoch) { return "/mixdir/v1/document/" + std::to_string(epoch); }

/// sentence puts the failure of a request to an authority in words.
std::string sentence(const std::string& authority, const Error& error) {
  switch (error.code) {
    case Errc::refused:
      if (error.detail >= 400) return authority + " answered " + std::to_string(error.detail);
      return authority + " cannot be reached (refused)";
    case Errc::timed_out:
    case Errc::net_unreachable:
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
    case Errc::end_of_stream:
    case Errc::reset:
      return authority + " cannot be reached (" + std::string{name(error.code)} + ")";
    case Errc::io:
      return "the directory's folder cannot be written (errno " + std::to_string(error.detail) + ")";
    default:
      return "from " + authority + ": " + mix::directory_problem(error);
  }
}

Result<mix::SignedDocument> read_document(const Result<MixHttpReply>& reply) {
  if (!reply) return reply.error();
  if (reply->status == 404) return fail(Errc::not_found);
  if (reply->status != 200 || !reply->body) return fail(Errc::refused, reply->status);
  return mix::parse_signed_document(as_bytes(*reply->body));
}

}  // namespace

const mix::MixView* MixViews::of(mix::Epoch epoch) const {
  for (const auto* view : {&previous, &current, &next}) {
    if (*view != nullptr && (*view)->epoch() == epoch) return view->get();
  }
  return nullptr;
}

mix::AuthoritySet authority_set(const std::vector<MixAuthorityEntry>& authorities, std::uint32_t threshold) {
  mix::AuthoritySet out;
  for (const auto& authority : authorities) out.keys.push_back(authority.key);
  out.threshold = threshold;
  return out;
}

struct MixDirectory::State {
  State(net::Core& owner, net::Dialer& way, MixDirectorySettings given)
      : core{owner},
        dialer{way},
        settings{std::move(given)},
        store{authority_set(settings.authorities, settings.threshold), settings.epochs, settings.folder},
        servers(settings.authorities.size()),
        wake{owner},
        has_current{owner},
        children{owner} {
    VG_CHECK(mix::check(authority_set(settings.authorities, settings.threshold)).has_value());
  }

  /// Server is what is known of one authority.
  struct Server {
    bool has_descriptor = false;  ///< our newest
    bool asking = false;          ///< a publication is under way
    std::optional<Duration> clock_ahead;
  };

  Duration length() const { return settings.epochs.length; }
  WallTime wall() const { return core.clock().wall(); }
  /// within draws a moment between two.
  Instant within(Instant from, Duration span) {
    return from + Duration{static_cast<Duration::rep>(
                      core.random().below(static_cast<std::uint64_t>(std::max(span, Duration{1}).count())))};
  }
  /// pause is how long to wait before trying again.
  Instant pause() { return within(core.clock().now() + length() / 80, length() * 3 / 80); }
  Duration patience() const { return std::min(settings.exchange_timeout, length() / 10); }

  asio::awaitable<void> run();
  void enter(mix::Epoch epoch);
  Task<void> fetch(mix::Epoch epoch);
  void note_time(Server& server, const MixHttpReply& reply, WallTime asked);
  void describe_now();
  void publish();
  asio::awaitable<void> publish_to(std::size_t number, std::shared_ptr<const std::string> text,
                                   std::uint64_t publication);
  void refresh();
  enum Matter { fetching, publishing };
  void set_problem(Matter matter, std::string text);
  Duration clock_skew() const;

  net::Core& core;
  net::Dialer& dialer;
  MixDirectorySettings settings;
  Describe describe;
  Changed changed;
  MixDirectoryStore store;
  std::vector<Server> servers;
  net::Event wake, has_current;
  net::Nursery children;

  mix::Epoch epoch = 0;
  bool entered = false;
  Instant fetch_current_at{}, fetch_next_at{}, describe_at{}, publish_at{};
  std::shared_ptr<const std::string> descriptor;
  std::uint64_t publication = 0;  ///< counts descriptors made
  std::array<std::string, 2> problems;

  mutable std::mutex mutex;  ///< guards what other threads read
  MixViews views;
  MixDirectoryStatus status;
};

MixDirectory::MixDirectory(net::Core& core, net::Dialer& dialer, MixDirectorySettings settings)
    : state_{std::make_unique<State>(core, dialer, std::move(settings))} {}
MixDirectory::~MixDirectory() = default;

void MixDirectory::describe_by(Describe describe) { state_->describe = std::move(describe); }
void MixDirectory::on_change(Changed changed) { state_->changed = std::move(changed); }
asio::awaitable<void> MixDirectory::run() { return state_->run(); }

void MixDirectory::publish_soon() {
  state_->describe_at = state_->core.clock().now();
  state_->wake.notify();
}

MixViews MixDirectory::views() const {
  const std::scoped_lock lock{state_->mutex};
  return state_->views;
}

MixDirectoryStatus MixDirectory::status() const {
  const std::scoped_lock lock{state_->mutex};
  return state_->status;
}

Task<std::shared_ptr<const mix::MixView>> MixDirectory::wait_current(Instant deadline) {
  for (;;) {
    const auto now = views();
    if (now.current) co_return now.current;
    const auto woken = co_await state_->has_current.wait_until(deadline);
    if (!woken) co_return woken.error();
  }
}

/// enter plans an epoch.
void MixDirectory::State::enter(mix::Epoch now_epoch) {
  const auto now = core.clock().now();
  const auto since = wall() - settings.epochs.start(now_epoch);
  const auto until = [&](Duration into) { return now + std::max(into - since, Duration{0}); };
  fetch_current_at = now;
  // Of the last fifth the part in which authorities have published.
  const auto fetch_from = until(length() * 9 / 10);
  fetch_next_at = within(fetch_from, until(length() * 39 / 40) - fetch_from);
  if (describe) {
    const auto overlap = std::clamp<Duration>(settings.epochs.overlap, length() / 10, length() * 2 / 5);
    const auto from = until(overlap);
    describe_at = entered ? within(from, until(length() / 2) - from) : now;
  } else {
    describe_at = Instant::max();
  }
  publish_at = descriptor ? publish_at : Instant::max();
  epoch = now_epoch;
  entered = true;
}

asio::awaitable<void> MixDirectory::State::run() {
  set_problem(fetching, store.load(wall()));
  while (!children.cancelled()) {
    const auto now_epoch = settings.epochs.at(wall());
    if (!entered || now_epoch != epoch) enter(now_epoch);
    refresh();
    if (core.clock().now() >= describe_at) describe_now();
    if (core.clock().now() >= publish_at) publish();
    if (!store.has(epoch) && core.clock().now() >= fetch_current_at) {
      const auto got = co_await fetch(epoch);
      if (!got && got.error().code == Errc::cancelled) break;
      fetch_current_at = pause();
      continue;
    }
    if (!store.has(epoch + 1) && core.clock().now() >= fetch_next_at) {
      const auto got = co_await fetch(epoch + 1);
      if (!got && got.error().code == Errc::cancelled) break;
      fetch_next_at = pause();
      continue;
    }
    // The wall clock may jump, so no sleep is long.
    auto next = core.clock().now() + std::clamp<Duration>(length() / 60, 10ms, 5s);
    next = std::min(next, core.clock().now() + (settings.epochs.end(epoch) - wall()) + 1ms);
    for (const auto at : {describe_at, publish_at}) next = std::min(next, std::max(at, core.clock().now()));
    const auto slept = co_await wake.wait_until(next);
    if (!slept && slept.error().code == Errc::cancelled) break;
  }
  children.cancel();
  co_await children.join();
}

/// fetch asks the authorities in random order until one has a good document.
Task<void> MixDirectory::State::fetch(mix::Epoch wanted) {
  std::vector<std::size_t> order(servers.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
    std::swap(order[i], order[core.random().below(i + 1)]);
  }
  std::string problem;
  for (const auto number : order) {
    const auto& authority = settings.authorities[number];
    const auto asked = wall();
    MixHttpRequest request;
    request.method = "GET";
    request.path = path_of(wanted);
    const auto reply = co_await ask_authority(core, dialer, settings.htx, authority, std::move(request),
                                              mix::limits::document_bytes_max, net::after(core, patience()));
    if (!reply && reply.error().code == Errc::cancelled) co_return reply.error();
    if (reply) note_time(servers[number], *reply, asked);
    auto document = read_document(reply);
    const auto accepted = document ? store.accept(*document, wanted) : document.error();
    if (accepted) {
      fetched.add();
      VG_LOG(debug, "mix", "document epoch={} nodes={}", wanted, document->document.nodes.size());
      set_problem(fetching, {});
      refresh();
      co_return ok();
    }
    const auto code = accepted.error().code;
    (code == Errc::not_found ? not_there : reply ? refused : unreachable).add();
    if (code != Errc::not_found || problem.empty()) {
      problem = code == Errc::not_found
                    ? authority.name + " has no document for epoch " + std::to_string(wanted)
                    : sentence(authority.name, accepted.error());
    }
  }
  if (wanted == epoch || !store.has(epoch)) set_problem(fetching, problem);
  co_return fail(Errc::not_found);
}

void MixDirectory::State::note_time(Server& server, const MixHttpReply& reply, WallTime asked) {
  if (!reply.time) return;
  server.clock_ahead = *reply.time - (asked + (wall() - asked) / 2);
  const std::scoped_lock lock{mutex};
  status.clock_skew = clock_skew();
}

Duration MixDirectory::State::clock_skew() const {
  std::vector<Duration> known;
  for (const auto& server : servers) {
    if (server.clock_ahead) known.push_back(*server.clock_ahead);
  }
  if (known.empty()) return Duration{0};
  std::sort(known.begin(), known.end());
  return known[known.size() / 2];
}

void MixDirectory::State::describe_now() {
  describe_at = Instant::max();
  const auto made = describe(epoch);
  if (!made) {
    describe_at = pause();
    set_problem(publishing,
                "this node's descriptor could not be made: " + mix::directory_problem(made.error()));
    return;
  }
  descriptor = std::make_shared<const std::string>(mix::to_json(*made));
  ++publication;
  for (auto& server : servers) server.has_descriptor = server.asking = false;
  publish_at = core.clock().now();
}

void MixDirectory::State::publish() {
  publish_at = Instant::max();
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (servers[i].has_descriptor || servers[i].asking) continue;
    servers[i].asking = true;
    children.spawn([this, i, text = descriptor, number = publication]() -> asio::awaitable<void> {
      return publish_to(i, text, number);
    });
  }
}

asio::awaitable<void> MixDirectory::State::publish_to(std::size_t number,
                                                      std::shared_ptr<const std::string> text,
                                                      std::uint64_t of_publication) {
  MixHttpRequest request;
  request.method = "PUT";
  request.path = "/mixdir/v1/descriptor";
  request.body = *text;
  const auto& authority = settings.authorities[number];
  const auto asked = wall();
  const auto reply = co_await ask_authority(core, dialer, settings.htx, authority, std::move(request),
                                            reply_bytes_max, net::after(core, patience()));
  if (!reply && reply.error().code == Errc::cancelled) co_return;
  if (reply) note_time(servers[number], *reply, asked);
  if (of_publication != publication) co_return;  // a newer one is on its way
  auto& server = servers[number];
  server.asking = false;
  server.has_descriptor = reply && reply->status == 200;
  (server.has_descriptor ? published : unpublished).add();
  if (!server.has_descriptor) {
    set_problem(publishing, reply ? authority.name + " refused this node's descriptor (" +
                                        std::to_string(reply->status) + ")"
                                  : sentence(authority.name, reply.error()));
    if (publish_at == Instant::max()) publish_at = pause();
    wake.notify();
  }
  const auto all =
      std::all_of(servers.begin(), servers.end(), [](const Server& each) { return each.has_descriptor; });
  if (all) set_problem(publishing, {});
  const std::scoped_lock lock{mutex};
  status.published_to = static_cast<std::size_t>(
      std::count_if(servers.begin(), servers.end(), [](const Server& each) { return each.has_descriptor; }));
}

/// refresh takes over what has changed in the store or by the clock.
void MixDirectory::State::refresh() {
  const auto fresh = store.views_at(wall());
  {
    const std::scoped_lock lock{mutex};
    status.epoch = epoch;
    const bool same =
        fresh.previous == views.previous && fresh.current == views.current && fresh.next == views.next;
    if (same) return;
    views = fresh;
    status.current = fresh.current != nullptr;
    status.next = fresh.next != nullptr;
    status.nodes = fresh.current ? fresh.current->nodes().size() : 0;
  }
  if (fresh.current) has_current.notify();
  if (changed) changed(fresh);
}

/// set_problem notes what is wrong with one matter; the status shows the first that is.
void MixDirectory::State::set_problem(Matter matter, std::string text) {
  const auto skew = clock_skew();
  if (text.empty() && std::chrono::abs(skew) > length() / 10) {
    text = "this machine's clock differs from the authorities' by " +
           std::to_string(std::chrono::duration_cast<std::chrono::seconds>(skew).count()) + " s";
  }
  if (!text.empty() && problems[matter].empty()) VG_LOG(warn, "mix", "directory problem={}", text);
  problems[matter] = std::move(text);
  const std::scoped_lock lock{mutex};
  status.problem = problems[fetching].empty() ? problems[publishing] : problems[fetching];
}

Task<mix::SignedDocument> fetch_document(net::Core& core, net::Dialer& dialer, MixHtxWay htx,
                                         MixAuthorityEntry authority, mix::Epoch epoch, Instant deadline) {
  MixHttpRequest request;
  request.method = "GET";
  request.path = path_of(epoch);
  const auto reply = co_await ask_authority(core, dialer, std::move(htx), std::move(authority),
                                            std::move(request), mix::limits::document_bytes_max, deadline);
  auto document = read_document(reply);
  co_return document;
}

Task<mix::SignedDocument> fetch_document(net::Core& core, net::Dialer& dialer, Target authority,
                                         mix::Epoch epoch, Instant deadline) {
  MixHttpRequest request;
  request.method = "GET";
  request.path = path_of(epoch);
  const auto reply = co_await mix_exchange(core, dialer, std::move(authority), std::move(request),
                                           mix::limits::document_bytes_max, deadline);
  auto document = read_document(reply);
  co_return document;
}

}  // namespace village::service
