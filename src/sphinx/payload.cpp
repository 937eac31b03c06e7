#include "village/sphinx/payload.hpp"

#include <algorithm>

#include "village/crypto/secret.hpp"

namespace village::sphinx {
namespace {

constexpr std::size_t zeros_bytes = 16;
constexpr std::byte end_mark{1};

}  // namespace

Result<void> write_payload(ByteView message, ByteSpan payload) {
  if (payload.size() < limits::payload_bytes_min) return fail(Errc::bad_argument, payload.size());
  if (message.size() > message_bytes_max(payload.size())) return fail(Errc::limit_exceeded, message.size());
  const auto begin = payload.begin();
  std::fill_n(begin, zeros_bytes, std::byte{0});
  auto end = std::ranges::copy(message, begin + zeros_bytes).out;
  *end++ = end_mark;
  std::fill(end, payload.end(), std::byte{0});
  return ok();
}

Result<ByteView> open_payload(ByteView payload) {
  if (payload.size() < limits::payload_overhead_bytes) return fail(Errc::malformed);
  if (!crypto::is_zero(payload.first(zeros_bytes))) return fail(Errc::malformed);
  auto end = payload.size();
  while (end > zeros_bytes && payload[end - 1] == std::byte{0}) --end;
  if (end == zeros_bytes || payload[end - 1] != end_mark) return fail(Errc::malformed, end);
  return payload.subspan(zeros_bytes, end - 1 - zeros_bytes);
}

}  // namespace village::sphinx
