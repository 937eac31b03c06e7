#pragma once
// SocketStream: a connected stream socket, whatever its family. TcpStream and UnixStream are its two forms.
#include <memory>
#include <span>

#include "village/net/core.hpp"
#include "village/net/stream.hpp"

namespace village::net {

/// SocketStream owns a connected, non-blocking descriptor. No buffer of its own.
class SocketStream : public Stream {
 public:
  /// Takes ownership of `fd`, which must be connected; makes it non-blocking.
  SocketStream(Core& core, int fd);
  ~SocketStream() override;
  SocketStream(const SocketStream&) = delete;
  SocketStream& operator=(const SocketStream&) = delete;

  Task<std::size_t> read_some(ByteSpan out) override;
  Task<void> write_all(ByteView in) override;
  Task<void> shutdown_write() override;
  void close() noexcept override;
  Task<void> wait_readable() override;

  /// wait_writable waits until the kernel takes bytes again.
  Task<void> wait_writable();
  /// write_gather writes all parts in order with as few system calls as they need. At most 64 parts.
  Task<void> write_gather(std::span<const ByteView> parts);
  /// try_read reads what is there: 0 = FIN, `busy` = nothing yet.
  Result<std::size_t> try_read(ByteSpan out);
  /// try_peek copies what is there and leaves it: 0 = FIN, `busy` = nothing yet.
  Result<std::size_t> try_peek(ByteSpan out);
  /// try_write writes what the kernel takes at once; `busy` = nothing.
  Result<std::size_t> try_write(ByteView in);
  /// reset closes with RST instead of FIN (TCP).
  void reset() noexcept;
  bool is_open() const { return native() >= 0; }
  /// native is the descriptor, -1 after close().
  int native() const;
  Core& core() { return core_; }

 private:
  struct Socket;
  Core& core_;
  std::shared_ptr<Socket> socket_;  ///< shared with operations under way, which may end after the stream
};

}  // namespace village::net
