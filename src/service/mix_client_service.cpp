#include "service/mix_client_service.hpp"

#include <algorithm>
#include <utility>

#include "service/mix_core.hpp"
#include "service/mix_metrics.hpp"
#include "service/tunnel_peer.hpp"
#include "service/tunnel_stream.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/mix/fast_random.hpp"
#include "village/net/deadline.hpp"
#include "village/service/mix_limits.hpp"

namespace village::service {
namespace {

constexpr Duration dial_timeout = std::chrono::seconds{10};
constexpr Duration welcome_timeout = std::chrono::seconds{10};
constexpr Duration backoff_min = std::chrono::milliseconds{200}, backoff_max = std::chrono::seconds{20};
constexpr Duration tick = std::chrono::milliseconds{50};
constexpr std::size_t fates_max = 16'384, repliable_max = 4'096, pings_max = 64;

mix::ClientOptions client_options(const MixOptions& options, const wire::NodeId& gateway) {
  mix::ClientOptions out{gateway};
  out.payload_bytes = mix_payload_bytes(options.profile);
  out.epochs = options.epochs;
  out.confirm = true;
  return out;
}

}  // namespace

MixClientService::MixClientService(net::Core& core, Tunnel& tunnel, const MixOptions& options,
                                   const wire::NodeId& gateway)
    : core_{core},
      tunnel_{tunnel},
      options_{options},
      gateway_{gateway},
      records_{mix::packet_bytes(profile_of(options.profile))},
      random_{std::make_unique<mix::FastRandom>(core.random())},
      client_{*options.identity, client_options(options, gateway), *random_, core.clock().now()},
      cutter_{records_.record_bytes()},
      packet_(records_.packet_bytes()),
      record_(records_.record_bytes()),
      changed_{core},
      arrived_{core},
      tasks_{core} {
  counts_.address = MixAddress{options.identity->public_key, gateway}.text();
}

MixClientService::~MixClientService() { VG_CHECK(tasks_.live() == 0); }

Result<void> MixClientService::open_file(const std::string& path) {
  VG_TRY(file, MixSeenFile::open(path, client_, {wall(), now()}));
  file_ = std::move(file);
  return ok();
}

void MixClientService::start() {
  tasks_.spawn([this] { return session_loop(); });
  tasks_.spawn([this] { return timer_loop(); });
}

boost::asio::awaitable<void> MixClientService::stop() {
  stopping_ = true;
  changed_.notify();
  arrived_.notify();
  tasks_.cancel();
  co_await tasks_.join();
}

void MixClientService::set_view(std::shared_ptr<const mix::MixView> view) {
  client_.set_view(std::move(view), now());
  changed_.notify();
}

// --- the session with the gateway

boost::asio::awaitable<void> MixClientService::session_loop() {
  for (unsigned failures = 0; !stopping_;) {
    auto stream = co_await tunnel_.open(options_.gateway, htx::Service::mix, now() + dial_timeout);
    if (stream) {
      co_await one_session(*stream);
      failures = connected_ ? 0 : failures;
      connected_ = false;
    }
    if (stopping_) co_return;
    const auto pause = backoff(++failures, backoff_min, backoff_max, *random_);
    const auto slept = co_await net::sleep_until(core_, now() + pause);
    if (!slept) co_return;
  }
}

net::Task<void> MixClientService::say_hello(TunnelStream& stream) {
  mix::UpRecord hello;
  hello.kind = mix::UpRecord::Kind::hello;
  hello.version = mix::gateway_records_version;
  hello.packet_bytes = static_cast<std::uint32_t>(records_.packet_bytes());
  const auto made = records_.write(hello, record_);
  VG_CHECK(made.has_value());
  return stream.write_all(record_);
}

boost::asio::awaitable<void> MixClientService::one_session(std::shared_ptr<TunnelStream> stream) {
  cutter_.reset();
  broken_ = connected_ = false;
  net::Nursery watch{core_};
  watch.spawn([this, stream]() -> boost::asio::awaitable<void> {
    (void)co_await stream->wait_over();
    broken_ = true;
    stream->close();
    changed_.notify();
  });
  stream->set_sink(this);
  const auto greeted = co_await say_hello(*stream);
  const auto until = now() + welcome_timeout;
  while (greeted && !connected_ && !broken_ && !stopping_) {
    const auto woken = co_await changed_.wait_until(until);
    if (!woken) break;
  }
  while (connected_ && !broken_ && !stopping_) {
    const bool alive = co_await send_records(*stream);
    if (!alive) break;
    const auto due = std::min(client_.next_deadline().value_or(Instant::max()), now() + tick);
    const auto woken = co_await changed_.wait_until(std::max(due, now() + std::chrono::microseconds{100}));
    if (!woken && woken.error().code == Errc::cancelled) break;
  }
  stream->set_sink(nullptr);
  stream->close();
  watch.cancel();
  co_await watch.join();
}

boost::asio::awaitable<bool> MixClientService::send_records(TunnelStream& stream) {
  for (;;) {
    mix::UpRecord record;
    const auto packet = client_.poll_packet(packet_, now(), wall());
    work();
    (void)client_.poll_receipts(record.acknowledged);
    const bool receipts = record.acknowledged[0] != 0;
    if (!packet && !receipts) co_return true;
    if (packet) {
      record.kind = mix::UpRecord::Kind::packet;
      record.rotation = packet->rotation;
      record.first = packet->first;
      record.packet = packet_;
      ++counts_.packets;
    }
    const auto made = records_.write(record, record_);
    VG_CHECK(made.has_value());
    const auto written = co_await stream.write_all(record_);
    if (!written) co_return false;
  }
}

void MixClientService::take(ByteView bytes) {
  if (broken_) return;
  cutter_.cut(bytes, [this](ByteView record) {
    on_record(record);
    return !broken_;
  });
}

void MixClientService::flush() {
  work();
  changed_.notify();
}

void MixClientService::on_record(ByteView record) {
  const auto read = records_.read_down(record);
  const bool welcome = read && read->kind == mix::DownRecord::Kind::welcome;
  if (!read || welcome == connected_) {
    broken_ = true;
    return;
  }
  if (welcome) {
    connected_ = read->answer == mix::Answer::accepted;
    // Now: deliveries of the new session may stand behind this record.
    if (connected_) client_.on_session(now());
    if (!connected_) {
      VG_LOG(warn, "mix", "gateway refuses peer={} answer={}", options_.gateway,
             static_cast<int>(read->answer));
      broken_ = true;
    }
  } else if (read->kind == mix::DownRecord::Kind::delivery) {
    client_.on_delivery(read->sequence, read->identifier, read->payload, now(), wall());
  }
}

// --- events

boost::asio::awaitable<void> MixClientService::timer_loop() {
  while (!stopping_) {
    const auto slept = co_await net::sleep_until(core_, now() + tick);
    if (!slept) co_return;
    client_.on_deadline(now(), wall());
    work();
  }
}

void MixClientService::work() {
  while (inbox_.size() < limits::mix_inbox_messages_max && inbox_bytes_ < limits::mix_inbox_bytes_max) {
    auto event = client_.poll_event();
    if (!event) return;
    std::visit([this](const auto& what) { on(what); }, *event);
  }
}

void MixClientService::on(const mix::MessageDelivered& event) {
  remember(event.id, MixFate::delivered);
  ++counts_.delivered;
  mix_metrics::client_delivered.add();
}

void MixClientService::on(const mix::MessageFailed& event) {
  remember(event.id, MixFate::failed);
  ++counts_.failed;
  mix_metrics::client_failed.add();
  VG_LOG(debug, "mix", "message failed reason={}", mix::name(event.reason));
}

void MixClientService::on(const mix::MessageReceived& event) {
  const auto id = to_hex(event.id);
  if (const auto ping = pings_.find(id); ping != pings_.end()) {
    ping->second.time = now() - ping->second.sent;
    client_.confirm(event.id);
    arrived_.notify();
    return;
  }
  ++counts_.received;
  mix_metrics::client_received.add();
  if (event.replies != 0) {
    repliable_[id] = event.id;
    repliable_order_.push_back(id);
    for (; repliable_order_.size() > repliable_max; repliable_order_.pop_front())
      repliable_.erase(repliable_order_.front());
  }
  MixIncoming message;
  message.sequence = ++sequence_;
  message.id = id;
  message.from = event.sender;
  if (event.in_reply) message.reply_to = to_hex(*event.in_reply);
  message.reply_blocks = event.replies;
  message.message = event.bytes;
  message.seen_until = event.seen_until;
  inbox_bytes_ += message.message.size();
  inbox_.push_back(std::move(message));
  arrived_.notify();
}

void MixClientService::remember(const mix::MessageId& id, MixFate fate) {
  const auto text = to_hex(id);
  const auto [place, is_new] = fates_.insert_or_assign(text, fate);
  if (!is_new) return;
  fate_order_.push_back(place->first);
  for (; fate_order_.size() > fates_max; fate_order_.pop_front()) fates_.erase(fate_order_.front());
}

// --- what programs ask

Result<std::string> MixClientService::send(const MixOutgoing& out) {
  mix::MessageId id{};
  if (out.to) {
    mix::SendOptions options;
    options.replies = out.reply_blocks;
    options.time_max = out.within;
    VG_TRY(sent, client_.send({out.to->key, out.to->gateway}, out.message, options, now(), wall()));
    id = sent;
  } else {
    const auto to = repliable_.find(out.reply_to);
    if (to == repliable_.end()) return fail(Errc::not_found);
    VG_TRY(sent, client_.reply(to->second, out.message, out.within, now(), wall()));
    id = sent;
  }
  remember(id, MixFate::under_way);
  ++counts_.sent;
  mix_metrics::client_sent.add();
  changed_.notify();
  return to_hex(id);
}

net::Task<std::vector<MixIncoming>> MixClientService::receive(std::uint64_t after, Duration wait) {
  while (!inbox_.empty() && inbox_.front().sequence <= after) {
    const auto& done = inbox_.front();
    mix::MessageId id{};
    const auto raw = from_hex(done.id);
    std::copy(raw->begin(), raw->end(), id.begin());
    if (file_) {
      const auto written = file_->append({id, done.seen_until}, client_.seen());
      if (!written) VG_LOG(error, "mix", "seen file not written reason={}", name(written.error().code));
    }
    client_.confirm(id);
    inbox_bytes_ -= done.message.size();
    inbox_.pop_front();
  }
  work();
  const auto until = now() + wait;
  while (inbox_.empty() && !stopping_ && now() < until) {
    const auto woken = co_await arrived_.wait_until(until);
    if (!woken) break;
  }
  std::vector<MixIncoming> messages;
  std::size_t bytes = 0;
  for (const auto& message : inbox_) {
    bytes += message.message.size();
    if (!messages.empty() &&
        (bytes > limits::mix_answer_bytes_max || messages.size() == limits::mix_answer_messages_max))
      break;
    messages.push_back(message);
  }
  co_return messages;
}

MixFate MixClientService::fate(const std::string& id) const {
  const auto found = fates_.find(id);
  return found == fates_.end() ? MixFate::unknown : found->second;
}

net::Task<Duration> MixClientService::ping(Duration within) {
  if (pings_.size() >= pings_max) co_return fail(Errc::busy);
  ByteArray<16> nonce{};
  random_->fill(nonce);
  mix::SendOptions options;
  options.time_max = within;
  const auto sent = client_.send({options_.identity->public_key, gateway_}, nonce, options, now(), wall());
  if (!sent) co_return sent.error();
  const auto id = to_hex(*sent);
  pings_[id].sent = now();
  changed_.notify();
  const auto until = now() + within;
  while (!pings_[id].time && !stopping_ && now() < until) {
    const auto woken = co_await arrived_.wait_until(until);
    if (!woken) break;
  }
  const auto time = pings_[id].time;
  pings_.erase(id);
  if (!time) co_return fail(Errc::timed_out);
  co_return *time;
}

MixClientStatus MixClientService::status() const {
  auto status = counts_;
  status.connected = connected_;
  status.outbox = client_.outbox().messages();
  status.retransmissions = client_.outbox().retransmissions();
  status.inbox = inbox_.size();
  status.loops_sent = client_.loops().sent_total();
  status.loops_back = client_.loops().returned_total();
  return status;
}

}  // namespace village::service
