#include "service/mix_link.hpp"

#include <algorithm>
#include <utility>

#include "service/tunnel_peer.hpp"
#include "service/tunnel_stream.hpp"
#include "village/base/check.hpp"
#include "village/base/log.hpp"
#include "village/net/deadline.hpp"

namespace village::service {

MixLink::MixLink(net::Core& core, Tunnel& tunnel, FrameOwner& owner, std::string peer,
                 const MixLinkOptions& options)
    : core_{core},
      tunnel_{tunnel},
      owner_{owner},
      peer_{std::move(peer)},
      options_{options},
      ring_(std::max<std::size_t>(options.queue_max, 1)),
      last_used_{core.clock().now()},
      changed_{core},
      tasks_{core} {}

MixLink::~MixLink() { VG_CHECK(tasks_.live() == 0); }

void MixLink::send(const mix::Released& packet) {
  last_used_ = now();
  const auto taken = offer_at_once(packet.frame);
  if (taken == packet.frame.size()) {
    ++counts_.sent;
    owner_.sent(packet.held);
    return;
  }
  if (!has_room()) {
    owner_.dropped(packet.held, mix::Drop::ring);
    return;
  }
  push({packet.frame, packet.held, {}, last_used_});
  offered_ = count_ == 1 ? taken : offered_;
  wake();
}

bool MixLink::send_copy(ByteView frame) {
  last_used_ = now();
  const auto taken = offer_at_once(frame);
  if (taken == frame.size()) {
    ++counts_.sent;
    return true;
  }
  if (!has_room()) return false;
  auto copy = Buffer::lease(frame.size());
  std::copy(frame.begin(), frame.end(), copy.data());
  const ByteView view{copy.data(), frame.size()};
  push({view, std::nullopt, std::move(copy), last_used_});
  offered_ = count_ == 1 ? taken : offered_;
  wake();
  return true;
}

// A frame that the stream took in part must be queued: has_room() is then true, as the queue is empty.
std::size_t MixLink::offer_at_once(ByteView frame) {
  return stream_ != nullptr && count_ == 0 && !stopping_ ? stream_->offer(frame) : 0;
}

bool MixLink::has_room() {
  if (count_ == ring_.size()) drop_late();
  if (count_ < ring_.size() && !stopping_) return true;
  ++counts_.refused;
  return false;
}

void MixLink::wake() {
  if (!std::exchange(running_, true) && !tasks_.spawn([this] { return run(); })) running_ = false;
}

void MixLink::push(Entry entry) {
  ring_[(first_ + count_) % ring_.size()] = std::move(entry);
  ++count_;
}

void MixLink::pop() {
  ring_[first_] = {};
  first_ = (first_ + 1) % ring_.size();
  --count_;
  offered_ = 0;
}

void MixLink::drop_first(mix::Drop reason) {
  if (ring_[first_].held) owner_.dropped(*ring_[first_].held, reason);
  pop();
}

void MixLink::pump() {
  while (count_ != 0) {
    const auto& entry = ring_[first_];
    offered_ += stream_->offer(entry.frame.subspan(offered_));
    if (offered_ != entry.frame.size()) return;
    ++counts_.sent;
    if (entry.held) owner_.sent(*entry.held);
    pop();
  }
}

// What waited so long makes no sense any more; a frame of which a part has left must follow, though.
void MixLink::drop_late() {
  while (count_ != 0 && offered_ == 0 && now() - ring_[first_].since > options_.frame_age_max) {
    ++counts_.late;
    drop_first(mix::Drop::late);
  }
}

boost::asio::awaitable<void> MixLink::run() {
  while (!stopping_ && count_ != 0) {
    if (now() < not_before_) {
      (void)co_await changed_.wait_until(not_before_);
      drop_late();
      continue;
    }
    auto opened = co_await tunnel_.open(peer_, htx::Service::mix, now() + options_.dial_timeout);
    if (opened) {
      failures_ = 0;
      co_await serve(*std::move(opened));
      continue;
    }
    if (opened.error().code == Errc::cancelled) break;
    ++failures_;
    VG_LOG(debug, "mix", "link failed peer={} reason={} failures={}", peer_, name(opened.error().code),
           failures_);
    not_before_ = now() + backoff(failures_, options_.backoff_min, options_.backoff_max, core_.random());
    drop_late();
  }
  running_ = false;
}

// Runs while the stream lives: beside send(), which hands over what there is room for at once.
boost::asio::awaitable<void> MixLink::serve(std::shared_ptr<TunnelStream> stream) {
  stream_ = stream;
  for (;;) {
    pump();
    const auto woken = co_await stream->wait_room();
    if (!woken || stopping_) break;
  }
  stream_.reset();
  if (offered_ != 0) {  // its first part is gone with the stream
    ++counts_.lost;
    drop_first(mix::Drop::route);
  }
  (void)co_await stream->shutdown_write();  // what it took still leaves
  stream->close();
}

boost::asio::awaitable<void> MixLink::stop() {
  stopping_ = true;
  tasks_.cancel();
  changed_.notify();
  co_await tasks_.join();
  for (; count_ != 0; ++counts_.lost) drop_first(mix::Drop::route);
}

}  // namespace village::service
