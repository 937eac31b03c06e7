#pragma once
// ShapeRecording: what the records of TLS connections tell about the traffic of two sides, and the shape made
// of it. Knows no socket; shape_recorder.hpp has those.
#include <cstdint>
#include <string>
#include <vector>

#include "control/traffic_shape.hpp"
#include "village/base/bytes.hpp"
#include "village/base/time.hpp"

namespace village::control {

inline constexpr std::size_t recorded_records_max = 200'000;  ///< of one recording, 32 bytes each
inline constexpr std::size_t recorded_connections_max = 256;

/// RecordSeen is one TLS record on the wire.
struct RecordSeen {
  Instant time;
  bool from_server = false;
  std::uint8_t type = 0;     ///< 23 = application data (TLS 1.3: handshake too)
  std::uint16_t length = 0;  ///< of what follows the header
};

/// RecordCutter finds records in the bytes of one direction; it keeps five bytes.
class RecordCutter {
 public:
  explicit RecordCutter(bool from_server) : from_server_{from_server} {}
  /// take appends the records whose headers end in `bytes`; false once `bytes` is no TLS.
  bool take(ByteView bytes, Instant now, std::vector<RecordSeen>& out);

 private:
  bool from_server_;
  bool broken_ = false;
  ByteArray<5> header_{};
  std::size_t filled_ = 0;
  std::size_t body_ = 0;
};

struct ShapeRecording {
  std::vector<std::vector<RecordSeen>> connections;
  std::vector<std::uint64_t> server_ping_us;     ///< between PINGs of a WebSocket server
  std::vector<std::uint64_t> server_timeout_us;  ///< silence before a WebSocket server closed

  std::size_t records() const;
};

/// TrafficSeen is what is left of a recording: the sizes of plaintext, by what they were part of.
struct TrafficSeen {
  struct Side {
    std::vector<std::uint64_t> small, first, first_bytes, bulk;
    std::vector<std::uint64_t> again_gaps, warm_gaps;  ///< silences before bursts that began small, or not
  };
  Side client, server;
};
/// sort_records leaves out handshakes and tickets, splits what follows into bursts (silence of 100 ms between
/// them) and takes the last record of a burst for a remainder.
TrafficSeen sort_records(const ShapeRecording& recording);

/// shape_of makes a shape of what was seen; parts with fewer than 8 values, and those that no origin shows,
/// are copied from `base`, and the file says so.
TrafficShape shape_of(ShapeRecording recording, const TrafficShape& base);

}  // namespace village::control
