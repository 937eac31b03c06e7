#pragma once
// The sockets of `villaged shape record`: asks an origin and watches the records, or relays a browser to it.
#include <functional>
#include <optional>
#include <string>

#include "control/shape_recording.hpp"
#include "village/base/target.hpp"
#include "village/net/address.hpp"

namespace village::control {

struct RecordOrder {
  Target origin{Ipv4Address{}, 0};
  std::string path = "/";
  bool websocket = false;              ///< upgrade, then listen
  std::string ca_pem;                  ///< roots instead of the system's
  std::optional<net::Endpoint> relay;  ///< listen here and pass on, instead of asking
  Duration time = std::chrono::seconds{60};
};

/// parse_origin reads "https://host[:port][/path]", "wss://..." and "host[:port]". false: none of them.
bool parse_origin(std::string_view text, RecordOrder& order);

/// record_shape watches for `order.time`; `listening` is told the relay's address. Errors: what the first
/// connection failed with, when nothing was seen; auth_failed when the origin refused the upgrade.
Result<ShapeRecording> record_shape(const RecordOrder& order,
                                    const std::function<void(const std::string&)>& listening);

/// WebSocketFrames finds frames of a server (RFC 6455 5.2) in a byte stream; control frames are kept, others
/// passed over.
class WebSocketFrames {
 public:
  struct Control {
    std::uint8_t opcode;  ///< 8 close, 9 ping, 10 pong
    Bytes payload;        ///< at most 125 bytes
  };
  /// take reads on and appends the control frames that are complete; false when it is no such stream.
  bool take(ByteView bytes, std::vector<Control>& out);

 private:
  bool head(std::byte next);
  Bytes head_, payload_;
  std::uint64_t left_ = 0;  ///< of the payload
  bool in_payload_ = false;
};

}  // namespace village::control
