// Batches: recvmmsg and sendmmsg move up to 64 messages by one system call; with UDP_SEGMENT a message is up
// to 64 datagrams of one size to one peer, with UDP_GRO up to 64 that came in a row from one.
#include "village/net/udp.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "net/await.hpp"
#include "net/listen_socket.hpp"
#include "net/metrics.hpp"
#include "net/sockaddr.hpp"
#include "village/base/check.hpp"

namespace village::net {
namespace {

/// Control is room for one UDP_GRO or UDP_SEGMENT message.
struct alignas(cmsghdr) Control {
  std::array<std::byte, CMSG_SPACE(sizeof(int))> bytes;
};

bool would_wait(int code) { return code == EAGAIN || code == EWOULDBLOCK; }
/// refused_for_itself tells whether only this datagram is at fault, not the socket.
bool refused_for_itself(int code) {
  return code == EMSGSIZE || code == ENETUNREACH || code == EHOSTUNREACH || code == EPERM || code == EACCES ||
         code == ECONNREFUSED || code == EADDRNOTAVAIL || code == EINVAL || code == ENETDOWN ||
         code == EAFNOSUPPORT;
}

/// segment_size reads the size of the datagrams in a received group; 0 = it is one datagram.
std::size_t segment_size(const msghdr& message) {
  for (auto* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&message), control)) {
    if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(control), sizeof size);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }
  return 0;
}

}  // namespace

struct UdpBatch::State {
  State(std::size_t count, std::size_t bytes)
      : slots{count},
        slot_bytes{bytes},
        memory{new std::byte[count * bytes]},
        messages(count),
        vectors(count),
        peers(count),
        controls(count) {}

  std::size_t slots;
  std::size_t slot_bytes;
  std::unique_ptr<std::byte[]> memory;  ///< not cleared: pages that no datagram needs are never touched
  std::vector<mmsghdr> messages;
  std::vector<iovec> vectors;
  std::vector<sockaddr_storage> peers;
  std::vector<Control> controls;
  std::vector<Datagram> found;

  void prepare() {
    for (std::size_t i = 0; i < slots; ++i) {
      vectors[i] = {memory.get() + i * slot_bytes, slot_bytes};
      auto& header = messages[i].msg_hdr;
      header = {};
      header.msg_name = &peers[i];
      header.msg_namelen = sizeof peers[i];
      header.msg_iov = &vectors[i];
      header.msg_iovlen = 1;
      header.msg_control = &controls[i];
      header.msg_controllen = sizeof controls[i];
    }
    found.clear();
  }
  void unpack(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto& header = messages[i].msg_hdr;
      const auto peer = from_address(reinterpret_cast<const sockaddr*>(&peers[i]), header.msg_namelen);
      auto size = static_cast<std::size_t>(messages[i].msg_len);
      const auto segment = segment_size(header);
      if (!peer || ((header.msg_flags & MSG_TRUNC) != 0 && segment == 0)) {
        metric::udp_dropped_long.add();
        continue;
      }
      // A group cut short ends in the middle of a datagram: that one is lost.
      if ((header.msg_flags & MSG_TRUNC) != 0 && segment != 0) {
        metric::udp_dropped_long.add();
        size -= size % segment;
      }
      ByteView rest{memory.get() + i * slot_bytes, size};
      do {
        const auto bytes = segment == 0 ? rest.size() : std::min(segment, rest.size());
        found.push_back({rest.first(bytes), *peer});
        rest = rest.subspan(bytes);
      } while (!rest.empty());
    }
  }
};

UdpBatch::UdpBatch(std::size_t slots, std::size_t slot_bytes) {
  VG_CHECK(slots > 0 && slots <= limits::udp_batch && slot_bytes > 0);
  state_ = std::make_unique<State>(slots, slot_bytes);
}
UdpBatch::~UdpBatch() = default;
UdpBatch::UdpBatch(UdpBatch&&) noexcept = default;
UdpBatch& UdpBatch::operator=(UdpBatch&&) noexcept = default;
std::span<const Datagram> UdpBatch::datagrams() const { return state_->found; }

struct UdpSocket::State {
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
  State(Core& core, int fd) : descriptor{core.io().get_executor()} {
    boost::system::error_code code;
    descriptor.assign(fd, code);
    VG_CHECK(!code);
  }
  int fd() { return descriptor.is_open() ? descriptor.native_handle() : -1; }

  /// Outgoing is the messages of one call: 80 KiB, one for each thread because nothing in it survives the
  /// call.
  struct Outgoing {
    std::array<mmsghdr, limits::udp_batch> messages;
    std::array<sockaddr_storage, limits::udp_batch> peers;
    std::array<Control, limits::udp_batch> controls;
    std::array<iovec, limits::udp_batch * limits::udp_segments_max> vectors;
    std::array<std::size_t, limits::udp_batch> datagrams;  ///< in each message
    std::size_t count = 0;
    std::size_t vectors_used = 0;
  };

  /// group is how many of the datagrams, from the first, may leave as one message.
  std::size_t group(std::span<const Datagram> datagrams) const {
    const auto size = datagrams.front().payload.size();
    if (!gso || size == 0) return 1;
    std::size_t count = 1, bytes = size;
    while (count < std::min(datagrams.size(), limits::udp_segments_max)) {
      const auto& next = datagrams[count];
      bytes += next.payload.size();
      if (next.payload.empty() || next.payload.size() > size || bytes > limits::udp_payload_max ||
          next.peer != datagrams.front().peer) {
        break;
      }
      ++count;
      if (next.payload.size() < size) break;  // a shorter one ends the group
    }
    return count;
  }

  void add(std::span<const Datagram> group_of, Outgoing& out) {
    const auto i = out.count++;
    out.datagrams[i] = group_of.size();
    auto& header = out.messages[i].msg_hdr;
    header = {};
    header.msg_name = &out.peers[i];
    header.msg_namelen = write_address(group_of.front().peer, out.peers[i]);
    header.msg_iov = &out.vectors[out.vectors_used];
    header.msg_iovlen = group_of.size();
    for (const auto& datagram : group_of) {
      out.vectors[out.vectors_used++] = {const_cast<std::byte*>(datagram.payload.data()),
                                         datagram.payload.size()};
    }
    if (group_of.size() == 1) return;
    const auto segment = static_cast<std::uint16_t>(group_of.front().payload.size());
    header.msg_control = &out.controls[i];
    header.msg_controllen = CMSG_SPACE(sizeof segment);
    auto* control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof segment);
    std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
  }

  /// send_batch sends up to 64 messages: how many datagrams the kernel took, or dropped because they were at
  /// fault.
  Result<std::size_t> send_batch(std::span<const Datagram> datagrams) {
    thread_local const auto outgoing = std::make_unique<Outgoing>();
    outgoing->count = outgoing->vectors_used = 0;
    for (auto rest = datagrams; !rest.empty() && outgoing->count < limits::udp_batch;) {
      const auto size = group(rest);
      add(rest.first(size), *outgoing);
      rest = rest.subspan(size);
    }
    int sent = -1;
    do {
      sent = ::sendmmsg(fd(), outgoing->messages.data(), static_cast<unsigned>(outgoing->count), 0);
    } while (sent < 0 && errno == EINTR);
    if (sent > 0) {
      std::size_t taken = 0;
      for (int i = 0; i < sent; ++i) taken += outgoing->datagrams[static_cast<std::size_t>(i)];
      metric::udp_datagrams_out.add(taken);
      return taken;
    }
    if (sent == 0 || would_wait(errno)) return std::size_t{0};
    const int code = errno;
    const auto first = outgoing->datagrams[0];
    // The device may not compute the checksums that segmentation needs (EIO), or the path may be too narrow
    // (EINVAL): without groups at least the datagrams that fit go out.
    if (first > 1 && (code == EIO || code == EINVAL || code == EMSGSIZE)) {
      gso = gso && code != EIO;
      const bool before = std::exchange(gso, false);
      auto result = send_batch(datagrams.first(first));
      gso = before;
      return result;
    }
    if (refused_for_itself(code)) {
      metric::udp_dropped_refused.add(first);
      return first;
    }
    return errno_error(code);
  }

  Result<std::size_t> send(std::span<const Datagram> datagrams) {
    std::size_t taken = 0;
    while (taken < datagrams.size()) {
      const auto sent = send_batch(datagrams.subspan(taken));
      if (sent.has_error()) return sent.error();
      if (*sent == 0) break;
      taken += *sent;
    }
    return taken;
  }

  static Task<void> send_all(std::shared_ptr<State> state, std::span<const Datagram> datagrams) {
    for (;;) {
      const auto sent = state->send(datagrams);
      if (sent.has_error()) co_return sent.error();
      datagrams = datagrams.subspan(*sent);
      if (datagrams.empty()) co_return ok();
      const auto ready = co_await wait(state, Descriptor::wait_write);
      if (ready.has_error()) co_return ready.error();
    }
  }

  static Task<void> wait(std::shared_ptr<State> state, Descriptor::wait_type what) {
    VG_CO_STOP_IF_CANCELLED();
    if (!state->descriptor.is_open()) co_return fail(Errc::closed);
    const auto [code] = co_await state->descriptor.async_wait(what, as_result);
    if (code) co_return to_error(code);
    co_return ok();
  }

  Descriptor descriptor;
  Endpoint local;
  bool gso = false;
  bool gro = false;
};

UdpSocket::UdpSocket(std::shared_ptr<State> state) : state_{std::move(state)} {}
UdpSocket::~UdpSocket() { UdpSocket::close(); }

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(Core& core, const Endpoint& local, UdpOptions options) {
  Fd fd{::socket(family_of(local), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP)};
  if (fd.get() < 0) return errno_error(errno);
  if (!is_v4(local.ip)) set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (options.reuse_port && !set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return errno_error(errno);
  const int bytes = static_cast<int>(options.buffer_bytes);
  for (const auto& [force, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (bytes > 0 && !set_option(fd.get(), SOL_SOCKET, force, bytes))
      set_option(fd.get(), SOL_SOCKET, plain, bytes);
  }
  const auto address = to_address(local);
  if (::bind(fd.get(), address.get(), address.size) != 0) return errno_error(errno);
  const bool gso = options.gso && set_option(fd.get(), SOL_UDP, UDP_SEGMENT, 0);  // known to the kernel?
  const bool gro = options.gro && set_option(fd.get(), SOL_UDP, UDP_GRO, 1);
  auto state = std::make_shared<State>(core, fd.release());
  state->local = socket_local(state->fd()).value_or(local);
  state->gso = gso;
  state->gro = gro;
  return std::unique_ptr<UdpSocket>{new UdpSocket{std::move(state)}};
}

Result<std::size_t> UdpSocket::receive(UdpBatch& batch) {
  auto& into = *batch.state_;
  into.prepare();
  for (;;) {
    const int got =
        ::recvmmsg(state_->fd(), into.messages.data(), static_cast<unsigned>(into.slots), 0, nullptr);
    if (got > 0) {
      into.unpack(static_cast<std::size_t>(got));
      metric::udp_datagrams_in.add(into.found.size());
      return into.found.size();
    }
    if (got == 0 || would_wait(errno)) return std::size_t{0};
    if (errno == EBADF) return fail(Errc::closed, EBADF);
    // ICMP errors of earlier datagrams (connected or not) come this way; they say nothing about the socket.
    if (errno != EINTR && errno != ECONNREFUSED && !refused_for_itself(errno)) return errno_error(errno);
  }
}

Result<std::size_t> UdpSocket::send(std::span<const Datagram> datagrams) { return state_->send(datagrams); }

Task<void> UdpSocket::send_all(std::span<const Datagram> datagrams) {
  return State::send_all(state_, datagrams);
}
Task<void> UdpSocket::wait_readable() { return State::wait(state_, State::Descriptor::wait_read); }
Task<void> UdpSocket::wait_writable() { return State::wait(state_, State::Descriptor::wait_write); }

void UdpSocket::close() noexcept {
  boost::system::error_code code;
  state_->descriptor.close(code);
}

Endpoint UdpSocket::local() const { return state_->local; }
bool UdpSocket::gso() const { return state_->gso; }
bool UdpSocket::gro() const { return state_->gro; }
int UdpSocket::native() const { return state_->fd(); }

}  // namespace village::net
