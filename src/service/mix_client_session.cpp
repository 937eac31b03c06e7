#include "service/mix_client_session.hpp"

#include <algorithm>
#include <utility>

#include "service/mix_metrics.hpp"
#include "village/base/log.hpp"
#include "village/service/mix_limits.hpp"

namespace village::service {

MixClientSession::MixClientSession(MixGateway& gateway, MixCore& at, const wire::NodeId& client,
                                   std::shared_ptr<TunnelStream> stream, const MixOptions& options)
    : gateway_{gateway},
      at_{at},
      client_{client},
      stream_{std::move(stream)},
      records_{mix::packet_bytes(profile_of(options.profile))},
      rate_{options.rate.client_pps, options.rate.burst},
      times_{gateway.stream_mean(), at.core().random(), at.core().clock().now()},
      inbox_{std::make_shared<MixInbox>(at.core())},
      cutter_{records_.record_bytes()},
      out_(records_.record_bytes()) {}

MixClientSession::~MixClientSession() { stream_->set_sink(nullptr); }

// --- up

void MixClientSession::take(ByteView bytes) {
  if (broken_) return;
  cutter_.cut(bytes, [this](ByteView record) {
    on_record(record);
    return !broken_;
  });
}

void MixClientSession::on_record(ByteView record) {
  const auto read = records_.read_up(record);
  const bool hello = read && read->kind == mix::UpRecord::Kind::hello;
  if (!read || hello == greeted_) {
    VG_LOG(debug, "mix", "client dropped reason={}", read ? "order" : name(read.error().code));
    broken_ = true;
    inbox_->changed.notify();
    return;
  }
  acknowledge(*read);
  if (hello) on_hello(*read);
  if (read->kind == mix::UpRecord::Kind::packet) on_packet(*read);
}

void MixClientSession::on_hello(const mix::UpRecord& hello) {
  greeted_ = true;
  const bool suits =
      hello.version == mix::gateway_records_version && hello.packet_bytes == records_.packet_bytes();
  answer_ = suits ? mix::Answer::accepted : mix::Answer::unsupported;
  gateway_.attach(client_, inbox_);
}

void MixClientSession::on_packet(const mix::UpRecord& record) {
  if (!welcomed_) return;  // out of turn: it costs the sender his packet
  if (rate_.take(at_.core().clock().now()) && at_.inject(record.first, record.rotation, record.packet)) {
    mix_metrics::up_packets.add();
  } else {
    mix_metrics::up_refused.add();
  }
}

void MixClientSession::acknowledge(const mix::UpRecord& record) {
  std::vector<std::uint64_t> sequences;
  std::copy_if(record.acknowledged.begin(), record.acknowledged.end(), std::back_inserter(sequences),
               [](auto sequence) { return sequence != 0; });
  if (!sequences.empty()) gateway_.acknowledge(client_, std::move(sequences));
}

// --- down

void MixClientSession::fetch_ahead() {
  const auto waiting = inbox_->ready.size() - inbox_->first;
  if (inbox_->more && !inbox_->fetching && waiting < limits::mix_deliveries_max / 2)
    gateway_.fetch(client_, inbox_);
}

bool MixClientSession::next_record(bool with_cover) {
  mix::DownRecord record;
  if (const auto waiting = std::exchange(inbox_->waiting, std::nullopt)) {
    record.kind = mix::DownRecord::Kind::welcome;
    record.version = mix::gateway_records_version;
    record.answer = answer_;
    record.waiting = *waiting;
    welcomed_ = answer_ == mix::Answer::accepted;
  } else if (welcomed_ && inbox_->first < inbox_->ready.size()) {
    const auto& stored = inbox_->ready[inbox_->first++];
    record.kind = mix::DownRecord::Kind::delivery;
    record.sequence = stored.sequence;
    record.identifier = stored.identifier;
    record.payload = stored.payload;
    mix_metrics::deliveries.add();
  } else if (!with_cover) {
    return false;
  }
  mix_metrics::down_records.add();
  return records_.write(record, out_).has_value();
}

boost::asio::awaitable<bool> MixClientSession::wait(std::optional<Instant> due) {
  if (due) {
    const auto woken = co_await inbox_->changed.wait_until(*due);
    co_return woken || woken.error().code == Errc::timed_out;
  }
  const auto woken = co_await inbox_->changed.wait();
  co_return woken.has_value();
}

boost::asio::awaitable<void> MixClientSession::run() {
  net::Nursery watch{at_.core()};
  // The reader's end is told by the stream alone; the writer must hear of it.
  watch.spawn([stream = stream_, inbox = inbox_]() -> boost::asio::awaitable<void> {
    (void)co_await stream->wait_over();
    stream->close();
    inbox->changed.notify();
  });
  stream_->set_sink(this);
  while (!broken_ && !stream_->error() && stream_->statistics()) {
    fetch_ahead();
    const auto now = at_.core().clock().now();
    times_.set_mean(gateway_.stream_mean(), now);
    const bool cover = times_.enabled() && welcomed_;
    const bool due = !cover || times_.take(now);
    if (due && next_record(cover)) {
      const auto written = co_await stream_->write_all(out_);
      if (!written) break;
      continue;
    }
    const bool alive = co_await wait(cover ? times_.next_deadline() : std::nullopt);
    if (!alive) break;
  }
  stream_->set_sink(nullptr);
  stream_->close();
  watch.cancel();
  co_await watch.join();
}

}  // namespace village::service
