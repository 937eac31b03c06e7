#include "village/htx/messages.hpp"

#include <limits>

#include "village/base/check.hpp"
#include "village/htx/frame.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {

void encode_message_prefix(std::size_t bytes, std::span<std::byte, message_prefix_bytes> out) {
  detail::store(out.data(), bytes, message_prefix_bytes);
}

bool MessageWriter::send(Session& session, StreamId stream, ByteView message) {
  VG_CHECK(message.size() <= std::numeric_limits<std::uint32_t>::max());
  if (taken_ < message_prefix_bytes) {
    ByteArray<message_prefix_bytes> prefix;
    encode_message_prefix(message.size(), prefix);
    taken_ += session.send(stream, ByteView{prefix}.subspan(taken_), false);
    if (taken_ < message_prefix_bytes) return false;
  }
  const auto rest = message.subspan(taken_ - message_prefix_bytes);
  const auto count = session.send(stream, rest, false);
  taken_ += count;
  if (count < rest.size()) return false;
  taken_ = 0;
  return true;
}

Result<std::optional<ByteView>> MessageReader::gather(ByteView& data) {
  if (held_ == 0) {
    buffer_.clear();
    if (buffer_.capacity() > limits::message_kept_bytes) Bytes{}.swap(buffer_);
  }
  if (held_ < message_prefix_bytes) {
    const auto count = std::min(message_prefix_bytes - held_, data.size());
    std::copy_n(data.begin(), count, prefix_.begin() + static_cast<std::ptrdiff_t>(held_));
    held_ += count;
    data = data.subspan(count);
    if (held_ < message_prefix_bytes) return std::optional<ByteView>{};
  }
  const std::size_t size = length(prefix_.data());
  if (size > bytes_max_) {
    data = {};
    return fail(Errc::limit_exceeded, size);  // held_ stays: every further call comes here again
  }
  const auto count = std::min(size - buffer_.size(), data.size());
  buffer_.insert(buffer_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(count));
  held_ += count;
  data = data.subspan(count);
  if (buffer_.size() < size) return std::optional<ByteView>{};
  held_ = 0;
  return std::optional<ByteView>{buffer_};
}

}  // namespace village::htx
