#include "tunnel_world.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "village/crypto/certificate.hpp"
#include "village/crypto/hash.hpp"
#include "village/net/clock.hpp"
#include "village/service/exit_policy.hpp"

namespace village::test {

using service::Outer;

namespace {

constexpr auto wait_max = std::chrono::seconds{20};

Target loopback(const net::Listener& listener) { return net::to_target(*listener.local()); }

asio_void pump(const Tamper& relay, net::Stream& from, net::Stream& to,
               std::function<void(ByteSpan, std::size_t)> change) {
  Bytes buffer(64 * 1024);
  std::size_t moved = 0;
  for (;;) {
    const auto read = co_await from.read_some(buffer);
    if (!read) break;
    if (*read == 0) {
      (void)co_await to.shutdown_write();
      co_return;
    }
    change(ByteSpan{buffer}.first(*read), moved);
    moved += *read;
    if (relay.stall) continue;
    const auto written = co_await to.write_all(ByteView{buffer}.first(*read));
    if (!written) break;
  }
  from.close();
  to.close();
}

std::function<void(ByteSpan, std::size_t)> flipper(const Tamper& relay, Tamper::Way way) {
  return [&relay, way](ByteSpan bytes, std::size_t offset) {
    if (relay.way != way || relay.flip_at < offset || relay.flip_at >= offset + bytes.size()) return;
    bytes[relay.flip_at - offset] ^= std::byte{1};
  };
}

asio_void forward(net::Core& core, Tamper& relay, net::StreamPtr near) {
  ++relay.accepted;
  if (relay.refuse) co_return;
  net::TcpDialer dialer{core};
  auto dialed = co_await dialer.dial(relay.upstream, net::after(core, wait_max));
  if (!dialed) co_return;
  const net::StreamPtr far = std::move(*dialed);
  relay.streams.push_back(near.get());
  relay.streams.push_back(far.get());
  net::Nursery pumps{core};
  pumps.spawn([&] { return pump(relay, *near, *far, flipper(relay, Tamper::Way::to_server)); });
  pumps.spawn([&] { return pump(relay, *far, *near, flipper(relay, Tamper::Way::to_client)); });
  co_await pumps.join();
  relay.streams.remove(near.get());
  relay.streams.remove(far.get());
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream{path, std::ios::binary} << text;
}

}  // namespace

TunnelWorld::TunnelWorld() {
  std::string name = (std::filesystem::temp_directory_path() / "village-tunnel-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
  runtime_ = std::make_unique<net::Runtime>(2);
  tasks_ = std::make_unique<net::Nursery>(runtime_->core(servers));
  runtime_->start();
}

TunnelWorld::~TunnelWorld() {
  for (auto& node : nodes_) stop(node);
  run(servers, [this](net::Core&) -> asio_void {
    tasks_->cancel();
    co_await tasks_->join();
    tasks_.reset();
  });
  runtime_->stop();
  runtime_->join();
  std::filesystem::remove_all(folder_);
}

Node& TunnelWorld::node(std::string name, std::size_t core) {
  auto& node = nodes_.emplace_back();
  node.name = std::move(name);
  node.core = core;
  node.identity = std::make_shared<crypto::Ed25519KeyPair>(crypto::Ed25519KeyPair::generate(random_));
  node.options = std::make_shared<service::TunnelOptions>();
  node.options->identity = node.identity;
  node.options->backoff_min = std::chrono::milliseconds{10};
  node.options->backoff_max = std::chrono::milliseconds{100};
  return node;
}

void TunnelWorld::listens(Node& node, Outer outer) {
  auto bound = net::Listener::bind_tcp(net::loopback_v4(), 1);
  ASSERT_TRUE(bound);
  node.listener = std::move(*bound);
  node.address = loopback(*node.listener);
  service::TunnelListen listen{node.address, outer, {}, {}};
  if (outer == Outer::tls) {
    const auto made = crypto::make_self_signed(node.name + ".example", net::SystemClock{}.wall(), 30);
    ASSERT_TRUE(made);
    node.pin = made->pin;
    listen.certificate_pem_path = folder_ + "/" + node.name + ".crt";
    listen.key_pem_path = folder_ + "/" + node.name + ".key";
    write_file(listen.certificate_pem_path, made->certificate_pem);
    write_file(listen.key_pem_path, made->key_pem);
  }
  node.options->listen.push_back(listen);
}

void TunnelWorld::asks_for_tickets(Node& node, Node& peer) {
  auto keys = std::make_shared<htx::TicketKeys>();
  keys->secrets.push_back(htx::TicketSecret::generate(random_));
  for (auto& entry : peer.options->peers) {
    if (entry.name == node.name) entry.ticket = keys->secrets.front().open;
  }
  static const net::SystemClock clock;
  node.desk = std::make_shared<service::TicketDesk>(node.options->tickets, keys, clock);
}

void TunnelWorld::start(Node& node) {
  auto& core = runtime_->core(node.core);
  net::TcpDialerOptions dialing;
  dialing.allow = service::make_exit_policy(node.options->exit);
  node.exit = std::make_unique<net::TcpDialer>(core, dialing);
  run(node.core, [&](net::Core& on) -> asio_void {
    node.tunnel = std::make_unique<service::Tunnel>(on, node.options, *node.exit, nullptr, node.desk);
    if (node.listener) {
      const auto served = node.tunnel->serve(node.listener, 0);
      EXPECT_TRUE(served);
    }
    co_return;
  });
}

service::TunnelPeer& TunnelWorld::knows(Node& node, const Node& peer, bool allow_inbound, const Target* via) {
  service::TunnelPeer entry;
  entry.name = peer.name;
  entry.key = peer.identity->public_key;
  entry.allow_inbound = allow_inbound;
  if (peer.listener) {
    entry.address = via != nullptr ? *via : peer.address;
    entry.outer = peer.options->listen.front().outer;
    if (entry.outer == Outer::tls) entry.pin = peer.pin;
  }
  return node.options->peers.emplace_back(std::move(entry));
}

TunnelWorld::Pair TunnelWorld::pair(Outer outer, const std::function<void(Node&, Node&)>& change) {
  auto& exit = node("exit", servers);
  auto& entry = node("entry", clients);
  listens(exit, outer);
  exit.options->exit = {true, true};
  knows(exit, entry, true);
  knows(entry, exit, false);
  if (change) change(entry, exit);
  start(exit);
  start(entry);
  return {entry, exit};
}

Target TunnelWorld::serve(Handler handler) {
  auto bound = net::Listener::bind_tcp(net::loopback_v4(), 1);
  EXPECT_TRUE(bound);
  std::shared_ptr<net::Listener> listener = std::move(*bound);
  run(servers, [&](net::Core&) -> asio_void {
    listeners_.push_back(listener);
    tasks_->spawn([this, listener, handler] {
      return listener->serve(runtime_->core(servers), [handler](net::Core& core, net::Accepted accepted) {
        return handler(core, std::move(accepted.stream));
      });
    });
    co_return;
  });
  return loopback(*listener);
}

Target TunnelWorld::echo() {
  return serve([](net::Core&, net::StreamPtr stream) -> asio_void {
    Bytes buffer(64 * 1024);
    for (;;) {
      const auto read = co_await stream->read_some(buffer);
      if (!read) co_return;
      if (*read == 0) break;
      const auto written = co_await stream->write_all(ByteView{buffer}.first(*read));
      if (!written) co_return;
    }
    (void)co_await stream->shutdown_write();
  });
}

Target TunnelWorld::closed_port() {
  const auto bound = net::Listener::bind_tcp(net::loopback_v4(), 1);
  EXPECT_TRUE(bound);
  return loopback(**bound);
}

Tamper& TunnelWorld::tamper(const Target& upstream) {
  auto& relay = tampers_.emplace_back();
  relay.upstream = upstream;
  relay.address = serve(
      [&relay](net::Core& core, net::StreamPtr stream) { return forward(core, relay, std::move(stream)); });
  return relay;
}

void TunnelWorld::cut(Tamper& relay) {
  run(servers, [&](net::Core&) -> asio_void {
    for (auto* stream : relay.streams) stream->close();
    co_return;
  });
}

net::Task<net::StreamPtr> TunnelWorld::dial(Node& node, std::string peer, Target target, Duration within) {
  auto* dialer = node.tunnel->dialer(peer);
  if (dialer == nullptr) co_return fail(Errc::not_found);
  auto stream = co_await dialer->dial(std::move(target), net::after(runtime_->core(node.core), within));
  co_return stream;
}

bool TunnelWorld::until(std::size_t core, std::function<bool()> condition) {
  return run(core, [&](net::Core& on) -> boost::asio::awaitable<bool> {
    const auto deadline = net::after(on, wait_max);
    while (!condition()) {
      if (on.clock().now() > deadline) co_return false;
      (void)co_await net::sleep_until(on, net::after(on, std::chrono::milliseconds{1}));
    }
    co_return true;
  });
}

void TunnelWorld::stop(Node& node) {
  if (!node.tunnel) return;
  run(node.core, [&](net::Core& on) -> asio_void {
    (void)co_await node.tunnel->drain(on.clock().now());
    node.tunnel.reset();
  });
}

net::Task<Bytes> read_all(net::Stream& stream, std::size_t bytes_max) {
  Bytes all;
  Bytes buffer(64 * 1024);
  while (all.size() < bytes_max) {
    const auto read = co_await stream.read_some(buffer);
    if (!read) co_return read.error();
    if (*read == 0) break;
    all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*read));
  }
  co_return all;
}

net::Task<Bytes> read_exactly(net::Stream& stream, std::size_t bytes) {
  Bytes all(bytes);
  std::size_t filled = 0;
  while (filled < bytes) {
    const auto read = co_await stream.read_some(ByteSpan{all}.subspan(filled));
    if (!read) co_return read.error();
    if (*read == 0) co_return fail(Errc::end_of_stream);
    filled += *read;
  }
  co_return all;
}

Bytes pattern(std::size_t size, std::uint64_t seed) {
  SeededRandom random{seed};
  Bytes bytes(size);
  random.fill(bytes);
  return bytes;
}

// agree.
net::Task<bool> echo_digest(net::Core& core, net::Stream& stream, std::size_t size, std::uint64_t seed) {
  crypto::HashStream sent{crypto::HashAlgorithm::sha256};
  crypto::HashStream got{crypto::HashAlgorithm::sha256};
  std::size_t read_bytes = 0;
  bool failed = false;
  net::Nursery both{core};
  auto write = [&]() -> asio_void {
    SeededRandom random{seed};
    Bytes piece(100'000);
    for (std::size_t done = 0; done < size;) {
      const auto count = std::min(piece.size(), size - done);
      const auto part = ByteSpan{piece}.first(count);
      random.fill(part);
      sent.update(part);
      const auto written = co_await stream.write_all(part);
      if (!written) failed = true;
      if (failed) co_return;
      done += count;
    }
    const auto finished = co_await stream.shutdown_write();
    if (!finished) failed = true;
  };
  auto read = [&]() -> asio_void {
    Bytes piece(70'000);
    for (;;) {
      const auto count = co_await stream.read_some(piece);
      if (!count) failed = true;
      if (!count || *count == 0) co_return;
      got.update(ByteView{piece}.first(*count));
      read_bytes += *count;
    }
  };
  both.spawn(write);
  both.spawn(read);
  co_await both.join();
  const auto a = sent.finish();
  const auto b = got.finish();
  co_return !failed && read_bytes == size && crypto::equal(a.view(), b.view());
}

Error dial_error(TunnelWorld& world, Node& from, const std::string& peer, const Target& target,
                 Duration within) {
  return world.run(from.core, [&](net::Core&) -> boost::asio::awaitable<Error> {
    auto stream = co_await world.dial(from, peer, target, within);
    co_return stream ? Error{Errc::internal} : stream.error();
  });
}

Error refusal(TunnelWorld& world, Node& from, const std::string& peer, const Target& target) {
  Error error;
  for (const Duration within : {500ms, 2'000ms, 8'000ms, 20'000ms}) {
    error = dial_error(world, from, peer, target, within);
    if (error.code != Errc::timed_out) break;
  }
  return error;
}

std::int64_t metric(std::string_view name, std::string_view labels) {
  for (const auto* each : metrics::all()) {
    if (each->name() != name || each->labels() != labels) continue;
    if (each->kind() == metrics::Kind::gauge) return static_cast<const metrics::Gauge*>(each)->value();
    if (each->kind() == metrics::Kind::counter)
      return static_cast<std::int64_t>(static_cast<const metrics::Counter*>(each)->total());
  }
  ADD_FAILURE() << "no metric " << name << "{" << labels << "}";
  return 0;
}

}  // namespace village::test
