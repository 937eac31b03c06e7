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

bool MixLink::send(std::byte* frame) {
  if (stopping_) return false;
  last_used_ = now();
  if (stream_ != nullptr && count_ == 0 && offer(frame) != Taken::none) return true;
  if (count_ == ring_.size()) {
    drop_late();
    if (count_ == ring_.size()) {
      ++counts_.refused;
      return false;
    }
  }
  push(frame);
  if (!std::exchange(running_, true) && !tasks_.spawn([this] { return run(); })) running_ = false;
  return true;
}

// What the stream took only in part becomes the first entry of the queue.
MixLink::Taken MixLink::offer(std::byte* frame) {
  const auto taken = stream_->offer({frame, options_.frame_bytes});
  if (taken == options_.frame_bytes) {
    ++counts_.sent;
    owner_.release(frame);
    return Taken::all;
  }
  if (taken == 0) return Taken::none;
  push(frame);
  offered_ = taken;
  return Taken::part;
}

void MixLink::push(std::byte* frame) {
  ring_[(first_ + count_) % ring_.size()] = {frame, now()};
  ++count_;
}

void MixLink::pop() {
  owner_.release(ring_[first_].frame);
  first_ = (first_ + 1) % ring_.size();
  --count_;
  offered_ = 0;
}

void MixLink::pump() {
  while (count_ != 0) {
    const ByteView rest{ring_[first_].frame + offered_, options_.frame_bytes - offered_};
    offered_ += stream_->offer(rest);
    if (offered_ != options_.frame_bytes) return;
    ++counts_.sent;
    pop();
  }
}

// Without a stream a frame may not wait longer than its packet makes sense; a stuck stream's frames neither,
// but for one that has left in part.
void MixLink::drop_late() {
  if (offered_ != 0) return;
  while (count_ != 0 && now() - ring_[first_].since > options_.frame_age_max) {
    ++counts_.late;
    pop();
  }
}

void MixLink::drop_all(std::uint64_t& counter) {
  while (count_ != 0) {
    ++counter;
    pop();
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
    pop();
  }
  (void)co_await stream->shutdown_write();  // what it took still leaves
  stream->close();
}

boost::asio::awaitable<void> MixLink::stop() {
  stopping_ = true;
  tasks_.cancel();
  changed_.notify();
  co_await tasks_.join();
  drop_all(counts_.lost);
}

}  // namespace village::service
