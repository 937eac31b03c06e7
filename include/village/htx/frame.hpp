#pragma once
// Frames of codec htx12: a clear header of ten bytes (the AEAD's associated data), ciphertext, tag.
// Big-endian.
//
//   +--------+------+--------------+---------+=============+========+
//   | Len 24 | Ty 8 | Stream id 32 | AAD 16  | ciphertext  | tag 16 |
//   +--------+------+--------------+---------+=============+========+
//    Len = 7 + |plaintext| + 16, that is everything behind the Len field
//
// Source: htx.md section 5 (Betanet 1.2 sections 5 and 20). Encoders and decoders are inline: a few
// nanoseconds each.
#include <bit>
#include <cstdint>
#include <cstring>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

/// FrameType is the byte behind Len. Values not listed are ignored and counted once they are authenticated.
enum class FrameType : std::uint8_t {
  stream = 0x00,         ///< flags 8 (bit 0 FIN) | offset 64 | length 16 | data
  window_update = 0x01,  ///< scope 8 (0 connection, 1 stream) | credit 32 (> 0)
  ping = 0x02,           ///< 8 opaque bytes; AAD 1 marks the echo
  key_update = 0x03,     ///< empty; the next frame of this direction is under the next key
  close = 0x04,         ///< code 16 | length 16 | reason; stream id 0 = connection, else reset of that stream
  padding = 0x05,       ///< anything; discarded
  datagram = 0x06,      ///< one datagram of an open udp stream: ATYP ADDR PORT data
  rekey = 0x07,         ///< kind 8 (1 offer, 2 answer, 3 done) | Noise message; hybrid re-handshake
  path_control = 0x20,  ///< ignored
};

inline constexpr std::size_t frame_header_bytes = 10;
inline constexpr std::size_t frame_overhead_bytes = 26;    ///< header and tag
inline constexpr std::uint32_t frame_length_min = 23;      ///< Len of an empty frame
inline constexpr std::uint32_t frame_length_max = 65'532;  ///< Len + 3 <= 65,535 (Betanet 1.2 section 20)
inline constexpr std::size_t frame_bytes_max = 65'535;     ///< a whole frame on the wire
inline constexpr std::size_t plaintext_bytes_max = 65'509;
inline constexpr std::size_t stream_head_bytes = 11;  ///< flags, offset, length of a STREAM frame
inline constexpr std::size_t stream_data_bytes_max = 65'498;
inline constexpr std::size_t datagram_bytes_max = plaintext_bytes_max;  ///< address and data
inline constexpr std::uint16_t aad_ping_echo = 1;

/// FrameHeader is the clear part. `length` is the Len field.
struct FrameHeader {
  std::uint32_t length = frame_length_min;
  FrameType type = FrameType::padding;
  StreamId stream = 0;
  std::uint16_t aad = 0;

  std::size_t frame_bytes() const { return std::size_t{length} + 3; }
  std::size_t plaintext_bytes() const { return length - frame_length_min; }
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

namespace detail {
inline std::uint32_t load(const std::byte* from, int count) {
  std::uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | std::to_integer<std::uint32_t>(from[i]);
  return value;
}
/// load_u64 and store_u64 are one move and one swap each, under any compiler flags; loops over bytes are not
/// (with -ftrivial-auto-var-init a header took 11 ns).
inline std::uint64_t load_u64(const std::byte* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}
inline std::uint16_t load_u16(const std::byte* from) {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}
inline void store_u64(std::byte* to, std::uint64_t value) {
  if (std::endian::native == std::endian::little) value = __builtin_bswap64(value);
  std::memcpy(to, &value, sizeof value);
}
inline void store_u16(std::byte* to, std::uint16_t value) {
  if (std::endian::native == std::endian::little) value = __builtin_bswap16(value);
  std::memcpy(to, &value, sizeof value);
}
inline void store(std::byte* to, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) to[i] = static_cast<std::byte>(value >> (8 * (count - 1 - i)));
}
}  // namespace detail

/// frame_header makes the header of a frame with `plaintext_bytes` of plaintext (at most
/// plaintext_bytes_max).
inline FrameHeader frame_header(FrameType type, StreamId stream, std::size_t plaintext_bytes,
                                std::uint16_t aad = 0) {
  return {static_cast<std::uint32_t>(plaintext_bytes) + frame_length_min, type, stream, aad};
}

inline void encode_header(const FrameHeader& header, std::span<std::byte, frame_header_bytes> out) {
  detail::store_u64(out.data(), std::uint64_t{header.length} << 40 |
                                    std::uint64_t{static_cast<std::uint8_t>(header.type)} << 32 |
                                    header.stream);
  detail::store_u16(out.data() + 8, header.aad);
}

/// decode_header reads all ten bytes without judging them.
inline FrameHeader decode_header(std::span<const std::byte, frame_header_bytes> in) {
  const auto start = detail::load_u64(in.data());
  return {static_cast<std::uint32_t>(start >> 40), static_cast<FrameType>(start >> 32 & 0xFF),
          static_cast<StreamId>(start), detail::load_u16(in.data() + 8)};
}

/// frame_size judges Len as soon as its three bytes are there, before anything is buffered, and gives the
/// size of the whole frame. Errors: truncated (fewer than 3 bytes), malformed (Len below 23 or above 65,532).
inline Result<std::size_t> frame_size(ByteView in) {
  if (in.size() < 3) return fail(Errc::truncated, in.size());
  const auto length = detail::load(in.data(), 3);
  if (length < frame_length_min || length > frame_length_max) return fail(Errc::malformed, length);
  return std::size_t{length} + 3;
}

/// StreamFrame is the plaintext of a STREAM frame; `data` is a view into it.
struct StreamFrame {
  bool fin = false;
  std::uint64_t offset = 0;
  ByteView data;
};

inline void encode_stream_head(bool fin, std::uint64_t offset, std::size_t data_bytes,
                               std::span<std::byte, stream_head_bytes> out) {
  out[0] = fin ? std::byte{1} : std::byte{0};
  detail::store_u64(out.data() + 1, offset);
  detail::store(out.data() + 9, data_bytes, 2);
}

/// parse_stream_frame. Errors: malformed (short, length not that of the data, unknown flags).
inline Result<StreamFrame> parse_stream_frame(ByteView plaintext) {
  if (plaintext.size() < stream_head_bytes) return fail(Errc::malformed, plaintext.size());
  const auto flags = std::to_integer<std::uint8_t>(plaintext[0]);
  const auto data = plaintext.subspan(stream_head_bytes);
  if (flags > 1 || detail::load(plaintext.data() + 9, 2) != data.size()) return fail(Errc::malformed, flags);
  return StreamFrame{flags == 1, detail::load_u64(plaintext.data() + 1), data};
}

/// WindowUpdate gives credit for the connection or for the stream named in the header.
struct WindowUpdate {
  bool whole_connection = true;
  std::uint32_t credit = 0;
};
inline constexpr std::size_t window_update_bytes = 5;

inline void encode_window_update(const WindowUpdate& update, std::span<std::byte, window_update_bytes> out) {
  out[0] = update.whole_connection ? std::byte{0} : std::byte{1};
  detail::store(out.data() + 1, update.credit, 4);
}

/// parse_window_update. Errors: malformed (size, scope, credit 0).
inline Result<WindowUpdate> parse_window_update(ByteView plaintext) {
  if (plaintext.size() != window_update_bytes) return fail(Errc::malformed, plaintext.size());
  const auto scope = std::to_integer<std::uint8_t>(plaintext[0]);
  const auto credit = detail::load(plaintext.data() + 1, 4);
  if (scope > 1 || credit == 0) return fail(Errc::malformed, scope);
  return WindowUpdate{scope == 0, credit};
}

/// CloseFrame ends the connection or resets a stream; `reason` is a view into the plaintext.
struct CloseFrame {
  Code code = Code::ok;
  std::string_view reason;
};
inline constexpr std::size_t close_head_bytes = 4;

/// encode_close_head writes what stands before the reason.
inline void encode_close_head(Code code, std::size_t reason_bytes,
                              std::span<std::byte, close_head_bytes> out) {
  detail::store(out.data(), static_cast<std::uint16_t>(code), 2);
  detail::store(out.data() + 2, reason_bytes, 2);
}

/// parse_close does not look at the reason's text. Errors: malformed (size).
inline Result<CloseFrame> parse_close(ByteView plaintext) {
  if (plaintext.size() < close_head_bytes) return fail(Errc::malformed, plaintext.size());
  const auto reason = plaintext.subspan(close_head_bytes);
  if (detail::load(plaintext.data() + 2, 2) != reason.size()) return fail(Errc::malformed, reason.size());
  return CloseFrame{static_cast<Code>(detail::load(plaintext.data(), 2)), as_text(reason)};
}

}  // namespace village::htx
