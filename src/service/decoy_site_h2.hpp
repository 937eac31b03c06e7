#pragma once
// DecoySiteH2: one HTTP/2 connection to a DecoySite (RFC 9113, by nghttp2), without I/O: bytes in, bytes out.
//
// What a stranger can make grow is bounded: streams at once, bytes of a request's fields, acknowledgements
// that wait, requests, and frames that cost us something and bring him nothing (RST_STREAM, PING, SETTINGS,
// ...). Beyond a bound he gets GOAWAY.
#include <memory>
#include <string>

#include "service/decoy_site.hpp"

namespace village::service {

class DecoySiteH2 {
 public:
  explicit DecoySiteH2(std::shared_ptr<const DecoySite> site);
  DecoySiteH2(const DecoySiteH2&) = delete;
  DecoySiteH2& operator=(const DecoySiteH2&) = delete;
  ~DecoySiteH2();

  /// on_bytes takes what the stranger said; `date` is for the answers to it. After a violation what is left
  /// to send ends with GOAWAY.
  void on_bytes(ByteView in, std::string date);
  /// next fills `out` with more to send, replacing what it held: about decoy_buffer_bytes at most, empty =
  /// nothing now. Bodies come from the site's memory as the stranger's windows allow.
  void next(Bytes& out);
  /// over tells that all was said and nothing more is awaited.
  bool over() const;

  /// serve speaks HTTP/2 on `stream` until the stranger goes, is silent for too long, breaks a rule, or until
  /// `end`.
  static boost::asio::awaitable<void> serve(std::shared_ptr<const DecoySite> site, net::Core& core,
                                            net::Stream& stream, Instant end);

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace village::service
