#pragma once
// What a forward proxy writes: heads rewritten for the next hop, and answers of its own.
// Sources: RFC 9110 sections 7.6 and 9.3.6, RFC 9112 section 3.2, proxy.md section 3.
//
// Neither Via nor X-Forwarded-For is sent: who uses this proxy is nobody's business.
#include <string>

#include "village/proxy/http_head.hpp"

namespace village::proxy {

/// forward_request writes the head for the origin: origin form, Host from the request's URI, framing as
/// parsed. Left out: Host, Connection and the fields it names, Keep-Alive, Proxy-*, TE, Trailer,
/// Transfer-Encoding, Upgrade. A request of HTTP/1.0 goes on as HTTP/1.0, so that the origin does not answer
/// in chunks.
std::string forward_request(const HttpRequest& request);

/// forward_response writes the head for the client, with the same fields left out. `keep_alive` is whether
/// this side will keep the client's connection; `client_minor` is the version that the client spoke.
std::string forward_response(const HttpResponse& response, int client_minor, bool keep_alive);

/// connect_established is the answer to CONNECT: the tunnel begins behind it.
std::string_view connect_established();

/// error_response is a complete answer with one sentence for a human and `Connection: close`. 407 carries the
/// challenge. `head_only` for a request with HEAD.
std::string error_response(unsigned status, std::string_view sentence, bool head_only = false);

/// reason_phrase of the codes this proxy says itself.
std::string_view reason_phrase(unsigned status);

}  // namespace village::proxy
