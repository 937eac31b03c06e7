#include "service/mix_directory_streams.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "service/tunnel_stream.hpp"
#include "village/net/visit.hpp"
#include "village/wire/node_id.hpp"

namespace village::service {
namespace {

namespace asio = boost::asio;

/// on runs an operation on `at`, its stream's core.
template <class T>
net::Task<T> on(net::Core* at, net::Task<T> work, std::shared_ptr<net::Stream> held) {
  if (at == nullptr) {
    auto here = co_await std::move(work);
    co_return here;
  }
  auto there = co_await net::visit(*at, std::move(work));
  held.reset();
  co_return there;
}

}  // namespace

StreamElsewhere::StreamElsewhere(std::shared_ptr<net::Stream> stream, net::Core* at)
    : stream_{std::move(stream)}, at_{at} {}

StreamElsewhere::~StreamElsewhere() { close(); }

net::Task<std::size_t> StreamElsewhere::read_some(ByteSpan out) {
  return on<std::size_t>(at_, stream_->read_some(out), stream_);
}
net::Task<void> StreamElsewhere::write_all(ByteView in) {
  return on<void>(at_, stream_->write_all(in), stream_);
}
net::Task<void> StreamElsewhere::shutdown_write() {
  return on<void>(at_, stream_->shutdown_write(), stream_);
}

void StreamElsewhere::close() noexcept {
  if (at_ == nullptr) {
    stream_->close();
  } else {
    asio::post(at_->io(), [stream = stream_] { stream->close(); });
  }
}

net::Task<net::StreamPtr> MixStreamDialer::dial(Target, Instant deadline) {
  auto opened = co_await tunnel_.open(peer_, htx::Service::mix, deadline);
  if (!opened) co_return opened.error();
  net::StreamPtr stream = std::make_unique<StreamElsewhere>(*std::move(opened), nullptr);
  co_return stream;
}

net::Ip network_of_peer(const crypto::Ed25519Public& peer) {
  const auto id = wire::NodeId::of(peer);
  Ipv6Address address{std::byte{0xfd}};
  std::copy_n(id.view().begin(), address.size() - 1, address.begin() + 1);
  return address;
}

}  // namespace village::service
