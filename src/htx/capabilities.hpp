#pragma once
// CapabilityExchange: what both ends say on stream 1 before anything is assumed. Source: htx.md section 6
// (Betanet 1.2 section 9.3), decisions/htx ("streams").
//
// Each message is u16 length | deterministic CBOR. Both sides send CapMsg at once; the side with the lower
// PeerID then sends SelMsg, bound to both CapMsgs by their SHA-256. A side's half of stream 1 ends behind its
// last message.
//
//   CapMsg {"l2": [ids], "l3": [ids], "l4": [ids], "l5": [ids], "features": {name: bool}, "streams": uint}
//   SelMsg {"l2": id, ["l3": id, ...], "bind": SHA-256(client's CapMsg) | SHA-256(server's CapMsg)}
#include <string>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/htx/handshake.hpp"

namespace village::htx {

/// Capabilities is what a CapMsg says, as far as we look at it. Unknown keys and features are passed over.
struct Capabilities {
  std::vector<std::string> l2{"betanet/htx/1.2.0"};
  std::vector<std::string> l3, l4, l5;
  bool rekey = false;             ///< feature "rekey": the sender does re-handshakes
  std::uint32_t streams = 4'096;  ///< how many streams the sender lets its peer have open; also if not said
};

/// encode_capabilities writes the CBOR without the length.
Bytes encode_capabilities(const Capabilities& capabilities);
/// decode_capabilities. Errors: malformed (no CapMsg), limit_exceeded.
Result<Capabilities> decode_capabilities(ByteView cbor);

class CapabilityExchange {
 public:
  /// Errors of the pair show at receive(): two ends with the same key are refused.
  CapabilityExchange(Role role, const crypto::Ed25519Public& local, const crypto::Ed25519Public& peer,
                     std::uint32_t streams, bool rekey = false);

  /// take_output gives what is to be sent on stream 1 now; `last` tells that our half ends behind it.
  struct Output {
    Bytes bytes;
    bool last = false;
  };
  Output take_output();
  /// receive takes bytes of stream 1. Errors: malformed, limit_exceeded, version (no common l2), auth_failed
  /// (same key, or the selection is not bound to what was sent).
  Result<void> receive(ByteView data);
  /// complete: capabilities of both sides are known and the selection is made.
  bool complete() const { return complete_; }
  std::uint32_t peer_streams() const { return peer_streams_; }
  /// peer_rekeys tells whether the peer announced the feature "rekey".
  bool peer_rekeys() const { return peer_rekeys_; }

 private:
  Result<void> on_message(ByteView cbor);
  Result<void> on_capabilities(ByteView cbor);
  Result<void> on_selection(ByteView cbor);
  void append(ByteView cbor);
  Bytes bind(ByteView peer_cbor) const;

  Role role_;
  bool same_key_, decides_;
  bool known_ = false, complete_ = false, peer_rekeys_ = false;
  std::uint32_t peer_streams_ = 0;
  Capabilities own_;
  Bytes own_cbor_;
  Bytes bind_;      ///< when the peer's CapMsg is known
  Bytes incoming_;  ///< a message as far as it came
  Output output_;
};

}  // namespace village::htx
