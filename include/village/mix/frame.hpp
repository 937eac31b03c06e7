#pragma once
// What goes over a link: a frame of constant size around one packet.
//
//   0  u8 version (8) | u8 size tag | u8 type (0 = Sphinx mix packet) | u8 rotation (1 odd epoch, 2 even)
//   4  packet, whose length the size tag fixes
//
// Source: nymtech/nym, common/nymsphinx/framing; size tag 0x40 is ours (decisions/mix, Links).
#include <span>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/mix/drop.hpp"

namespace village::mix {

/// Profile is the packet size of a network.
enum class Profile : std::uint8_t {
  n2048,  ///< 348 + 1,700 bytes: ours
  nreg,   ///< 348 + 2,065 bytes: "regular" packets of Nym mix nodes
};

inline constexpr std::size_t frame_header_bytes = 4;
inline constexpr std::size_t packet_bytes_max = 2'413;

constexpr std::size_t packet_bytes(Profile profile) { return profile == Profile::n2048 ? 2'048 : 2'413; }
/// frame_bytes is 2,052 or 2,417: the only record size of a link.
constexpr std::size_t frame_bytes(Profile profile) { return frame_header_bytes + packet_bytes(profile); }

/// write_frame_header writes the four bytes in front of a packet. `rotation` is Epochs::rotation of the epoch
/// whose keys the packet was made for.
void write_frame_header(Profile profile, std::byte rotation, std::span<std::byte, frame_header_bytes> out);

/// FrameView is a frame that was read; lives as long as its bytes.
struct FrameView {
  std::byte rotation;  ///< 1 or 2
  ByteView packet;     ///< packet_bytes(profile)
};

/// read_frame reads a frame of the link's profile. Errors: malformed, whose detail is the Drop to count:
/// length (size, size tag), version, flag (type), route (rotation 0 or unknown).
Result<FrameView> read_frame(Profile profile, ByteView frame);
/// drop_of is the reason in an error of read_frame.
inline Drop drop_of(const Error& error) { return static_cast<Drop>(error.detail); }

}  // namespace village::mix
