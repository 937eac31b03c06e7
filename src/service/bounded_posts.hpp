#pragma once
// BoundedPosts: work handed to another core, as much of it at once as that core is given to catch up with.
#include <atomic>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include "village/net/core.hpp"

namespace village::service {

/// BoundedPosts may be used from any thread. Work that waits may outlive it.
class BoundedPosts {
 public:
  BoundedPosts(net::Core& to, std::size_t waiting_max)
      : to_{to}, waiting_max_{waiting_max}, waiting_{std::make_shared<std::atomic<std::size_t>>(0)} {}

  /// post has `work` run on the core; false, and work is dropped, if waiting_max of ours wait there already.
  template <class Work>
  bool post(Work work) {
    if (waiting_->fetch_add(1) >= waiting_max_) {
      waiting_->fetch_sub(1);
      return false;
    }
    boost::asio::post(to_.io(), [waiting = waiting_, work = std::move(work)]() mutable {
      waiting->fetch_sub(1);
      work();
    });
    return true;
  }

 private:
  net::Core& to_;
  std::size_t waiting_max_;
  std::shared_ptr<std::atomic<std::size_t>> waiting_;
};

}  // namespace village::service
