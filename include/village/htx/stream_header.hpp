#pragma once
// What opener and acceptor say first on an application stream. Source: decisions/htx ("Streams").
//
//   opener:    u8 service | for tcp: ATYP ADDR PORT | data, right behind if it likes
//   acceptor:  u8 status  | data; a status other than connected is followed by FIN
#include <optional>
#include <string_view>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"
#include "village/htx/types.hpp"

namespace village::htx {

/// Status answers a stream header: the reply codes of SOCKS5 (RFC 1928 section 6).
enum class Status : std::uint8_t {
  connected = 0,
  general_failure = 1,
  not_allowed = 2,
  network_unreachable = 3,
  host_unreachable = 4,
  connection_refused = 5,
  ttl_expired = 6,
  command_not_supported = 7,  ///< also: unknown service (then the stream is reset with 10)
  address_type_not_supported = 8,
};
std::string_view name(Status status);
/// status_of maps why a target could not be opened to what the peer is told.
Status status_of(Errc code);
/// errc_of maps it back, for a status that is not connected; general_failure and unknown values are `io`.
Errc errc_of(Status status);

/// StreamHeader is what an opener asks for. `target` is there for tcp, and only for tcp.
struct StreamHeader {
  Service service = Service::tcp;
  std::optional<Target> target;
  friend bool operator==(const StreamHeader&, const StreamHeader&) = default;
};

inline constexpr std::size_t stream_header_bytes_max = 1 + 1 + 1 + 255 + 2;

/// encode_stream_header. Errors: bad_argument (tcp without target, a target without tcp, port 0).
Result<Bytes> encode_stream_header(const StreamHeader& header);

/// StreamHeaderParser takes a header from bytes as they come in, in pieces of any size.
class StreamHeaderParser {
 public:
  /// receive takes bytes until the header is whole and returns how many belong to it; what is behind is data.
  /// Errors: unsupported (detail = the unknown service or ATYP), malformed (name, port). Both are final.
  /// Private services (0x80 and up) are let through; like all but tcp they are the service byte alone.
  Result<std::size_t> receive(ByteView in);
  bool done() const { return header_.has_value(); }
  const StreamHeader& header() const { return *header_; }  ///< when done()

 private:
  Result<bool> try_parse();
  ByteArray<stream_header_bytes_max> bytes_{};
  std::size_t size_ = 0;
  std::optional<StreamHeader> header_;
};

}  // namespace village::htx
