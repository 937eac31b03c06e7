// A link's bytes: byte 0 picks the profile, the rest is a frame.
#include "village/base/check.hpp"
#include "village/mix/frame.hpp"

using namespace village;
using namespace village::mix;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto profile = (data[0] & 1) == 0 ? Profile::n2048 : Profile::nreg;
  const auto input = as_bytes(data + 1, size - 1);
  const auto frame = read_frame(profile, input);
  if (!frame) {
    VG_CHECK(static_cast<std::size_t>(drop_of(frame.error())) < drop_count);
    return 0;
  }
  VG_CHECK(input.size() == frame_bytes(profile) && frame->packet.size() == packet_bytes(profile));
  ByteArray<frame_header_bytes> header;
  write_frame_header(profile, frame->rotation, header);
  VG_CHECK(std::equal(header.begin(), header.end(), input.begin()));
  return 0;
}
