// Shape files, and what a recorded origin says: the first byte chooses a reader.
#include <algorithm>

#include "control/shape_recorder.hpp"
#include "control/traffic_shape.hpp"
#include "village/base/check.hpp"

namespace village::control {
namespace {

void read_file_text(ByteView in) {
  const auto outcome = parse_traffic_shape(as_text(in), "fuzz.json");
  VG_CHECK(outcome.errors.empty() == (outcome.shape != nullptr));
  if (!outcome.file) return;
  const auto text = traffic_shape_text(*outcome.file);
  const auto again = parse_traffic_shape(text, "again.json");
  VG_CHECK(again.file && traffic_shape_text(*again.file) == text);
}

void cut_records(ByteView in) {
  ShapeRecording recording;
  auto& records = recording.connections.emplace_back();
  RecordCutter client{false}, server{true};
  Instant now{std::chrono::hours{1}};
  for (std::size_t at = 0; at < in.size(); at += 97) {
    const auto piece = in.subspan(at, std::min<std::size_t>(97, in.size() - at));
    now += std::chrono::milliseconds{std::to_integer<int>(piece[0])};
    (void)(at % 2 == 0 ? client : server).take(piece, now, records);
  }
  (void)sort_records(recording);
}

void read_frames(ByteView in) {
  WebSocketFrames frames;
  std::vector<WebSocketFrames::Control> controls;
  for (std::size_t at = 0; at < in.size(); at += 13) {
    if (!frames.take(in.subspan(at, std::min<std::size_t>(13, in.size() - at)), controls)) break;
  }
  for (const auto& control : controls) VG_CHECK(control.payload.size() <= 125);
}

}  // namespace
}  // namespace village::control

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace village;
  if (size == 0) return 0;
  const auto in = as_bytes(data, size);
  switch (data[0]) {
    case 'r':
      control::cut_records(in.subspan(1));
      break;
    case 'w':
      control::read_frames(in.subspan(1));
      break;
    default:
      control::read_file_text(in);
  }
  return 0;
}
