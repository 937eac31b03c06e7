#include "village/wire/base64.hpp"

#include "wire/radix.hpp"

namespace village::wire {
namespace {

constexpr Radix<6> url{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
constexpr Radix<6> standard{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"};

}  // namespace

std::string base64url(ByteView bytes) { return url.encode(bytes); }

std::string base64(ByteView bytes) {
  std::string text = standard.encode(bytes);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Result<Bytes> from_base64url(std::string_view text, std::size_t bytes_max) {
  return url.decode_bounded(text, bytes_max);
}

Result<void> from_base64url(std::string_view text, ByteSpan out) { return url.decode(text, out); }

Result<Bytes> from_base64(std::string_view text, std::size_t bytes_max) {
  if (text.size() % 4 != 0) return fail(Errc::malformed, text.size());
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return standard.decode_bounded(text, bytes_max);
}

}  // namespace village::wire
