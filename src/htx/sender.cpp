#include "htx/sender.hpp"

#include <algorithm>

#include "village/base/check.hpp"

namespace village::htx {

/// Output is the buffer of one transmit() and how much of it is filled.
class Sender::Output {
 public:
  explicit Output(ByteSpan out) : out_{out} {}
  std::size_t used() const { return used_; }
  std::size_t room() const { return out_.size() - used_; }
  ByteSpan take(std::size_t bytes) {
    const auto piece = out_.subspan(used_, bytes);
    used_ += bytes;
    return piece;
  }

 private:
  ByteSpan out_;
  std::size_t used_ = 0;
};

Sender::Sender(crypto::AeadAlgorithm algorithm, crypto::Secret<32> traffic_secret, const Settings& settings,
               Listener& listener, Statistics& statistics, Instant now)
    : sealer_{algorithm, std::move(traffic_secret)},
      scheduler_{settings.chunk_bytes},
      stall_time_{settings.stream_stall_max},
      ping_time_{now},
      budget_{KeyUpdateBudget::for_sender(now)},
      key_time_{now},
      key_update_bytes_{settings.key_update_bytes},
      key_update_frames_{settings.key_update_frames},
      key_update_interval_{settings.key_update_interval},
      buffer_bytes_{settings.send_buffer_bytes},
      chunk_{settings.chunk_bytes},
      listener_{listener},
      statistics_{statistics} {}

// --- streams

std::size_t Sender::allowance() const {
  if (unsent_ < limits::session_unsent_bytes_max) return buffer_bytes_;
  return std::min(buffer_bytes_, limits::stream_unsent_share_bytes);
}

std::size_t Sender::room(const Stream& stream) const {
  if (stream.fin_queued) return 0;
  const auto allowed = allowance();
  return allowed > stream.queue.size() ? allowed - stream.queue.size() : 0;
}

std::size_t Sender::push(Stream& stream, ByteView data, bool fin) {
  if (stream.fin_queued) return 0;
  const auto count = std::min(data.size(), room(stream));
  stream.queue.push(data.first(count), chunk_);
  unsent_ += count;
  stream.wants_room = count < data.size();
  if (fin && !stream.wants_room) stream.fin_queued = true;
  scheduler_.place(stream);
  return count;
}

void Sender::finish(Stream& stream) {
  if (stream.fin_queued) return;
  stream.fin_queued = true;
  stream.wants_room = false;
  scheduler_.place(stream);
}

void Sender::set_priority(Stream& stream, Priority priority) {
  stream.priority = priority;
  scheduler_.place(stream);
}

void Sender::stop_credit(Stream& stream) {
  if (stream.announced && StreamWaitList::contains(stream)) telling_.remove(stream);
  stream.credit_to_tell = 0;
}

void Sender::forget(Stream& stream) {
  unsent_ -= stream.queue.size();
  stream.queue.clear();
  scheduler_.withdraw(stream);
  timers_.cancel(stream);
  datagrams_.forget(stream);
  stop_credit(stream);
  if (!stream.announced && StreamWaitList::contains(stream)) opening_.remove(stream);
}

// --- credit

bool Sender::add_credit(Stream& stream, std::uint32_t credit) {
  if (!stream.credit.add(credit)) return false;
  scheduler_.place(stream);
  if (stream.blocked_since != Instant::max() && stream.credit.left() >= limits::silly_window_bytes) {
    stream.blocked_since = Instant::max();
    arm(stream);
  }
  return true;
}

void Sender::tell_credit(Stream& stream, std::uint32_t credit) {
  stream.credit_to_tell += credit;
  if (stream.credit_to_tell == 0 || !stream.announced || StreamWaitList::contains(stream)) return;
  telling_.push_back(stream);
}

// --- time

void Sender::set_deadline(Stream& stream, Instant at) {
  stream.send_deadline = stream.fin_sent ? Instant::max() : at;
  arm(stream);
}

void Sender::arm(Stream& stream) {
  auto due = stream.send_deadline;
  if (stream.blocked_since != Instant::max()) due = std::min(due, stream.blocked_since + stall_time_);
  if (due == Instant::max()) return timers_.cancel(stream);
  timers_.set(stream, due);
}

std::optional<Sender::Overdue> Sender::overdue(Instant now) {
  while (timer_due() <= now) {
    auto& stream = timers_.front();
    if (stream.send_deadline <= now) {
      if (!stream.queue.empty() || (stream.fin_queued && !stream.fin_sent))
        return Overdue{&stream, Code::deadline_missed};
      stream.send_deadline = Instant::max();  // kept
    } else {
      if (!stream.queue.empty() && stream.ring_number == ring_none) return Overdue{&stream, Code::stalled};
      stream.blocked_since = now;  // nothing waits: look again later
    }
    arm(stream);
  }
  return std::nullopt;
}

// --- mailbox

void Sender::reset(StreamId id, Code code, std::string_view reason) {
  reason = reason.substr(0, limits::close_reason_bytes_max);
  if (reset_reasons_.size() - reset_reasons_sent_ + reason.size() > limits::reset_reasons_bytes_max)
    reason = {};
  reset_reasons_.append(reason);
  resets_.push_back({id, code, static_cast<std::uint16_t>(reason.size())});
}

bool Sender::echo(const PingPayload& payload) {
  if (echoes_.size() >= limits::ping_echoes_max) return false;
  echoes_.push_back(payload);
  return true;
}

void Sender::close(Code code, std::string_view reason) {
  if (close_) return;
  close_ = Close{code, std::string{reason.substr(0, limits::close_reason_bytes_max)}};
}

void Sender::shrink() {
  if (resets_.empty()) resets_ = {};
  if (echoes_.empty()) echoes_ = {};
  if (reset_reasons_sent_ == reset_reasons_.size()) {
    std::string{}.swap(reset_reasons_);
    reset_reasons_sent_ = 0;
  }
  timers_.shrink();
}

// --- bytes

bool Sender::control_waits() const {
  return credit_to_tell_ > 0 || !resets_.empty() || !telling_.empty() || ping_ || !echoes_.empty() || alive_;
}

bool Sender::wants_transmit() const {
  if (close_sent_ || exhausted_) return false;
  return close_ || rekey_mail_ || update_requested_ || control_waits() || !datagrams_.empty() ||
         scheduler_.next(credit_) != nullptr;
}

std::size_t Sender::transmit(ByteSpan out, Instant now) {
  Output output{out};
  while (!close_sent_ && !exhausted_ && step(output, now)) {
  }
  return output.used();
}

std::size_t Sender::pad(ByteSpan out, std::size_t bytes) {
  static constexpr ByteArray<limits::record_bytes_max> zeros{};
  if (close_sent_ || exhausted_ || bytes < frame_overhead_bytes) return 0;
  Output output{out};
  const auto body = ByteView{zeros}.first(std::min(bytes - frame_overhead_bytes, zeros.size()));
  (void)write(output, FrameType::padding, 0, {}, body);
  return output.used();
}

/// step writes one frame. false: nothing more fits, or nothing is to be sent.
bool Sender::step(Output& out, Instant now) {
  if (close_) {
    ByteArray<close_head_bytes> head;
    encode_close_head(close_->code, close_->reason.size(), head);
    close_sent_ = write(out, FrameType::close, 0, head, as_bytes(close_->reason));
    return close_sent_;
  }
  if (rekey_mail_) {
    if (write_rekey(out, now)) return true;
    if (out.used() > 0) return false;  // else it fits no buffer of this owner, and may not hold up the rest
  }
  const bool control = control_waits();
  Stream* const stream = control ? nullptr : scheduler_.next(credit_);
  if (!control && stream == nullptr && datagrams_.empty() && !update_requested_) return false;
  if (key_update_due(now)) {
    if (!write(out, FrameType::key_update, 0, {}, {})) return false;
    VG_CHECK(budget_.spend(sealer_.usage(), now));
    sealer_.update();
    key_time_ = now;
    update_requested_ = false;
    ++statistics_.key_updates_out;
    return true;
  }
  if (control) return write_control(out, now);
  if (!datagrams_.empty() && (stream == nullptr || datagram_lead_ < chunk_)) return write_datagram(out);
  return stream != nullptr && write_data(out, stream, now);
}

bool Sender::key_update_due(Instant now) const {
  const auto& usage = sealer_.usage();
  const bool due = update_requested_ || usage.frames >= key_update_frames_ ||
                   usage.bytes >= key_update_bytes_ || now - key_time_ >= key_update_interval_;
  return due && budget_.affords(usage, now);
}

bool Sender::write_rekey(Output& out, Instant now) {
  if (!write(out, FrameType::rekey, 0, rekey_mail_->plaintext, {})) return false;
  if (rekey_mail_->change) {
    sealer_.rekey(*rekey_mail_->change);
    key_time_ = now;
    update_requested_ = false;
  }
  rekey_mail_.reset();
  return true;
}

bool Sender::write_control(Output& out, Instant now) {
  if (!resets_.empty()) return write_reset(out);
  if (credit_to_tell_ > 0 || !telling_.empty()) return write_credit(out);
  return write_ping(out, now);
}

bool Sender::write_reset(Output& out) {
  const auto& next = resets_[resets_sent_];
  ByteArray<close_head_bytes> head;
  encode_close_head(next.code, next.reason_bytes, head);
  const auto reason = as_bytes(reset_reasons_).subspan(reset_reasons_sent_, next.reason_bytes);
  if (!write(out, FrameType::close, next.id, head, reason)) return false;
  reset_reasons_sent_ += next.reason_bytes;
  if (++resets_sent_ > resets_.size() / 2) {  // not only when all are sent: that may never come
    resets_.erase(resets_.begin(), resets_.begin() + static_cast<std::ptrdiff_t>(resets_sent_));
    resets_sent_ = 0;
    reset_reasons_.erase(0, reset_reasons_sent_);
    reset_reasons_sent_ = 0;
  }
  return true;
}

bool Sender::write_credit(Output& out) {
  ByteArray<window_update_bytes> update;
  if (credit_to_tell_ > 0) {
    encode_window_update({true, credit_to_tell_}, update);
    if (!write(out, FrameType::window_update, 0, update, {})) return false;
    credit_to_tell_ = 0;
    return true;
  }
  auto& stream = *telling_.front();
  encode_window_update({false, stream.credit_to_tell}, update);
  if (!write(out, FrameType::window_update, stream.id, update, {})) return false;
  stream.credit_to_tell = 0;
  telling_.remove(stream);
  return true;
}

bool Sender::write_ping(Output& out, Instant now) {
  if (!echoes_.empty()) {
    if (!write(out, FrameType::ping, 0, echoes_.back(), {}, aad_ping_echo)) return false;
    echoes_.pop_back();
    return true;
  }
  if (!ping_) {
    if (!write(out, FrameType::padding, 0, {}, {})) return false;
    statistics_.padding_bytes_out += frame_overhead_bytes;
    return true;
  }
  if (!write(out, FrameType::ping, 0, *ping_, {})) return false;
  ping_.reset();
  ping_time_ = now;
  return true;
}

bool Sender::write_datagram(Output& out) {
  const auto datagram = datagrams_.front();
  if (!write(out, FrameType::datagram, datagrams_.front_stream().id, datagram, {})) return false;
  ++data_frames_;
  ++statistics_.datagrams_out;
  datagram_lead_ += datagram.size();
  datagrams_.pop();
  return true;
}

/// write_data sends a frame of the stream whose turn it is. Own ids must reach the peer in ascending order,
/// so streams opened before it that have sent nothing yet are announced first, with an empty frame each.
bool Sender::write_data(Output& out, Stream* stream, Instant now) {
  if (!stream->announced && opening_.front() != stream) {
    return write_stream_frame(out, *opening_.front(), {}, false);
  }
  Scheduler::prefetch(*stream);
  const auto front = stream->queue.front();
  std::size_t count = std::min<std::size_t>(sendable(front.size(), credit_, stream->credit), chunk_);
  constexpr auto overhead = frame_overhead_bytes + stream_head_bytes;
  if (out.room() < overhead + count) {
    // A frame is cut to the room only where it would not fit into an empty buffer either.
    if (out.used() > 0 || out.room() <= overhead) return false;
    count = out.room() - overhead;
  }
  const bool fin = stream->fin_queued && count == stream->queue.size();
  if (!write_stream_frame(out, *stream, front.first(count), fin)) return false;
  after_data(*stream, count, fin, now);
  return true;
}

bool Sender::write_stream_frame(Output& out, Stream& stream, ByteView data, bool fin) {
  ByteArray<stream_head_bytes> head;
  encode_stream_head(fin, stream.sent, data.size(), head);
  if (!write(out, FrameType::stream, stream.id, head, data)) return false;
  ++data_frames_;
  ++stream.frames_out;
  datagram_lead_ = 0;
  if (!stream.announced) {
    opening_.remove(stream);
    stream.announced = true;
    tell_credit(stream, 0);
  }
  return true;
}

void Sender::after_data(Stream& stream, std::size_t bytes, bool fin, Instant now) {
  const auto count = static_cast<std::uint32_t>(bytes);
  stream.queue.pop(count);
  stream.sent += count;
  stream.credit.take(count);
  credit_.take(count);
  unsent_ -= count;
  if (!stream.internal) statistics_.data_bytes_out += count;
  stream.fin_sent = fin;
  scheduler_.sent(stream, count);
  if (stall_time_ > Duration{0} && stream.credit.left() < limits::silly_window_bytes &&
      stream.blocked_since == Instant::max()) {
    stream.blocked_since = now;
    arm(stream);
  }
  if (stream.wants_room && stream.queue.size() <= allowance() / 2) {
    stream.wants_room = false;
    listener_.on_room(stream);
  }
  if (fin) listener_.on_fin_sent(stream);
}

bool Sender::write(Output& out, FrameType type, StreamId id, ByteView head, ByteView body,
                   std::uint16_t aad) {
  const auto header = frame_header(type, id, head.size() + body.size(), aad);
  if (out.room() < header.frame_bytes()) return false;
  if (!sealer_.seal(header, head, body, out.take(header.frame_bytes()))) {
    exhausted_ =
        true;  // 2^64 - 1 frames without an update: cannot happen; if it does, silence is the safe end
    return false;
  }
  alive_ = false;
  ++statistics_.frames_out;
  statistics_.bytes_out += header.frame_bytes();
  return true;
}

}  // namespace village::htx
