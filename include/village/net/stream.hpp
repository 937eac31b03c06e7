#pragma once
// Stream: a bidirectional byte stream, whatever carries it: TCP, TLS, an HTX stream, later Jet or SSH.
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"
#include "village/net/record_plan.hpp"

namespace village::net {

namespace asio = boost::asio;
template <class T>
using Task =
    asio::awaitable<Result<T>>;  ///< a coroutine that ends with a value or an Error, never an exception

/// Stream lives on one core. At most one read and one write may be under way at a time; they may overlap each
/// other.
class Stream {
 public:
  virtual ~Stream() = default;

  /// read_some waits for at least one byte and reads up to out.size(). 0 = the peer finished its side (FIN).
  /// Errors: reset, timed_out, cancelled, closed, io. After an error the stream is dead.
  virtual Task<std::size_t> read_some(ByteSpan out) = 0;
  /// write_all writes everything or fails. Waits while the other side does not take it (back-pressure).
  virtual Task<void> write_all(ByteView in) = 0;
  /// write_whole is for a caller that has more to write at once: it writes as much of `in` as fills whole TLS
  /// records and returns how much that was, perhaps 0; the rest belongs in front of the next write. Streams
  /// without records write everything.
  virtual Task<std::size_t> write_whole(ByteView in);
  /// shape_records sets the sizes of the TLS records that writes are cut into. Streams without records ignore
  /// it.
  virtual void shape_records(std::unique_ptr<RecordPlan>) {}
  /// shutdown_write ends our side in order (FIN) after what was written.
  virtual Task<void> shutdown_write() = 0;
  /// close gives the stream up at once: operations under way end with `cancelled`; the peer may see a reset.
  /// Idempotent; the destructor calls it.
  virtual void close() noexcept = 0;

  /// wait_readable waits until read_some would not wait (bytes, FIN or an error are there), so that a relay
  /// holds no buffer meanwhile. Never beside a read. Optional: `unsupported` means that the stream cannot
  /// tell.
  virtual Task<void> wait_readable();
  /// native_tcp is the socket's descriptor when this is plain TCP (a relay may then splice), else -1.
  virtual int native_tcp() const { return -1; }
  /// local is the address a proxy reports as bound, when known.
  virtual std::optional<Target> local() const { return std::nullopt; }
};
inline Task<std::size_t> Stream::write_whole(ByteView in) {
  const auto written = co_await write_all(in);
  if (!written) co_return written.error();
  co_return in.size();
}
inline Task<void> Stream::wait_readable() { co_return fail(Errc::unsupported); }

using StreamPtr = std::unique_ptr<Stream>;

}  // namespace village::net
