#pragma once
// HTTP/1.1 between nodes and authorities: one request for each connection, over any stream.
#include <memory>
#include <optional>
#include <string>

#include "village/base/target.hpp"
#include "village/crypto/ed25519.hpp"
#include "village/net/core.hpp"
#include "village/net/dialer.hpp"
#include "village/service/mix_directory.hpp"

namespace village::service {

struct MixHttpRequest {
  std::string method, path, body;
  std::string authority;  ///< Villaged-Mix-Authority: who sends a statement; see sign_request
};

struct MixHttpReply {
  unsigned status = 200;
  std::shared_ptr<const std::string> body;  ///< null = empty
  std::optional<WallTime> time;             ///< the other side's clock, where it said so
};

/// sign_request lets an authority's large body in: "<key>.<SHA-256 of the body>.<signature>" in base64url.
void sign_request(MixHttpRequest& request, const crypto::Ed25519KeyPair& authority);
/// RequestSigner is what that field says, if its signature is good.
struct RequestSigner {
  crypto::Ed25519Public key{};
  ByteArray<32> digest{};
};
std::optional<RequestSigner> request_signer(const MixHttpRequest& request);

/// mix_exchange asks and reads the answer, whose body has at most `body_max` bytes. Errors: those of dialling
/// and of the stream; malformed, limit_exceeded; timed_out.
net::Task<MixHttpReply> mix_exchange(net::Core& core, net::Dialer& dialer, Target authority,
                                     MixHttpRequest request, std::size_t body_max, Instant deadline);

/// ask_authority does so by HTX if the authority is a peer of ours, else by `dialer` at its address.
net::Task<MixHttpReply> ask_authority(net::Core& core, net::Dialer& dialer, MixHtxWay htx,
                                      MixAuthorityEntry authority, MixHttpRequest request,
                                      std::size_t body_max, Instant deadline);

/// MixHttpHandler answers requests on one core.
class MixHttpHandler {
 public:
  virtual ~MixHttpHandler() = default;
  /// on_head judges a request before its body is read: how long that may be, or the status to refuse it with.
  virtual Result<std::size_t> on_head(const MixHttpRequest& head) = 0;  ///< error detail = status
  virtual MixHttpReply answer(const MixHttpRequest& request) = 0;
};

/// serve_mix_http answers the one request of a connection, which may take until `deadline`.
net::asio::awaitable<void> serve_mix_http(net::Core& core, net::Stream& stream, MixHttpHandler& handler,
                                          Instant deadline);

}  // namespace village::service
