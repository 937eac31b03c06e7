#include "village/mix/frame.hpp"

namespace village::mix {
namespace {

constexpr std::byte frame_version{8};
constexpr std::byte sphinx_type{0};
constexpr std::byte rotation_odd{1}, rotation_even{2};

constexpr std::byte size_tag(Profile profile) {
  return profile == Profile::n2048 ? std::byte{0x40} : std::byte{0x01};
}

Error refused(Drop reason) { return fail(Errc::malformed, static_cast<std::uint64_t>(reason)); }

}  // namespace

void write_frame_header(Profile profile, std::byte rotation, std::span<std::byte, frame_header_bytes> out) {
  out[0] = frame_version;
  out[1] = size_tag(profile);
  out[2] = sphinx_type;
  out[3] = rotation;
}

Result<FrameView> read_frame(Profile profile, ByteView frame) {
  if (frame.size() != frame_bytes(profile)) return refused(Drop::length);
  if (frame[0] != frame_version) return refused(Drop::version);
  if (frame[1] != size_tag(profile)) return refused(Drop::length);
  if (frame[2] != sphinx_type) return refused(Drop::flag);
  if (frame[3] != rotation_odd && frame[3] != rotation_even) return refused(Drop::route);
  return FrameView{frame[3], frame.subspan(frame_header_bytes)};
}

}  // namespace village::mix
