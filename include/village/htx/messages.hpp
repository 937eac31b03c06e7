#pragma once
// Messages: boundaries for callers of a stream. A stream is a run of bytes; who wants messages puts a length
// in front of each:
//
//   u32 length, big-endian | that many bytes
//
// MessageWriter puts them in, MessageReader finds them again, whatever pieces the stream arrives in. Both are
// a few words large and know no session but the one they are handed. Source: ours (docs/protocols/htx.md 3).
#include <algorithm>
#include <cstdint>
#include <optional>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/htx/session.hpp"

namespace village::htx {

inline constexpr std::size_t message_prefix_bytes = 4;

/// encode_message_prefix writes the length. bytes < 2^32.
void encode_message_prefix(std::size_t bytes, std::span<std::byte, message_prefix_bytes> out);

/// MessageWriter sends messages over one stream; what else is sent on the stream must not come between.
class MessageWriter {
 public:
  /// send queues `message` and tells whether all of it was taken. If not, StreamWritable will come: call send
  /// again with the same message, until it says true. O(message), copies once, allocates nothing in steady
  /// state. message.size() < 2^32 (VG_CHECKed).
  bool send(Session& session, StreamId stream, ByteView message);
  /// mid_message: a message is begun and not all taken; the stream must not end here.
  bool mid_message() const { return taken_ != 0; }

 private:
  std::uint64_t taken_ = 0;  ///< of the message under way, its prefix counted
};

/// MessageReader cuts what arrives into messages.
///
///   for (ByteView data = event.data; ...) {
///     auto message = reader.next(data);            // takes from the front of data
///     if (!message) ...                            // the peer broke the rules
///     if (!*message) break;                        // data is used up
///     handle(**message);
///   }
class MessageReader {
 public:
  /// A message longer than `bytes_max` is refused.
  explicit MessageReader(std::size_t bytes_max) : bytes_max_{bytes_max} {}

  /// next takes one message off the front of `data`, or all of `data` if no message ends in it (then
  /// nothing). A message that lies whole in `data` is viewed there, not copied; one that came in pieces is
  /// put together here and viewed until the next call. Memory grows with what arrived, never with what was
  /// announced, and is kept for reuse up to 64 KiB. Errors: limit_exceeded (detail = length); final.
  Result<std::optional<ByteView>> next(ByteView& data) {
    if (held_ == 0 && data.size() >= message_prefix_bytes) {
      const std::size_t size = length(data.data());
      if (size <= bytes_max_ && size <= data.size() - message_prefix_bytes) {
        const auto message = data.subspan(message_prefix_bytes, size);
        data = data.subspan(message_prefix_bytes + size);
        return std::optional{message};
      }
    }
    return gather(data);
  }
  /// mid_message: bytes of a message wait for the rest; a stream that ends here was cut.
  bool mid_message() const { return held_ != 0; }

 private:
  static std::uint32_t length(const std::byte* from) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < message_prefix_bytes; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(from[i]);
    return value;
  }
  Result<std::optional<ByteView>> gather(ByteView& data);

  std::size_t bytes_max_;
  std::size_t held_ = 0;  ///< bytes of the message under way, its prefix counted
  ByteArray<message_prefix_bytes> prefix_{};
  Bytes buffer_;  ///< the message under way, without its prefix; or the last one handed out
};

}  // namespace village::htx
