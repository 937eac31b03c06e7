// A stream of HTTP messages as a proxy reads them: heads and bodies, one after the other. Byte 0, bit 0:
// requests or answers; byte 1 cuts the rest into pieces. However it is cut, the same messages are found, and
// a request that is passed on reads back as the same one.
#include <cstdint>
#include <string>

#include "village/base/check.hpp"
#include "village/proxy/http_body.hpp"
#include "village/proxy/http_forward.hpp"
#include "village/proxy/http_head.hpp"

using namespace village;
using namespace village::proxy;

namespace {

/// What was passed on still says the same to the next hop.
void check_forwarded(const HttpRequest& request) {
  if (request.connect) return;
  auto text = forward_request(request);
  VG_CHECK(text.starts_with(std::string{request.method} + " "));
  if (request.path == "*") return;
  // The next hop sees origin form; give it back its absolute form to read it with the same parser.
  text.insert(request.method.size() + 1, "http://" + std::string{request.authority});
  const auto again = parse_request_head(text);
  VG_CHECK(again.has_value());
  VG_CHECK(again->body == request.body && again->target == request.target && again->path == request.path);
  VG_CHECK(again->credentials.empty());
}

/// The framing of one message, or nothing if it is refused.
std::optional<HttpFraming> framing_of(std::string_view head, bool requests) {
  if (!requests) {
    const auto response = parse_response_head(head, "GET");
    if (!response) return std::nullopt;
    (void)forward_response(*response, response->minor, response->keep_alive);
    return response->body;
  }
  const auto request = parse_request_head(head);
  if (!request || request->connect) return std::nullopt;
  check_forwarded(*request);
  return request->body;
}

/// Where each message's head and body ended, as text.
std::string read_messages(ByteView in, std::size_t step, bool requests) {
  std::string found;
  HttpHeadCollector collector;
  std::optional<HttpBody> body;
  std::size_t at = 0;
  while (at < in.size()) {
    const auto piece = in.subspan(at, std::min(step, in.size() - at));
    const auto taken = body ? body->on_bytes(piece) : collector.on_bytes(piece);
    if (!taken) return found + "!";
    at += *taken;
    if (!body && collector.complete()) {
      const auto framing = framing_of(collector.text(), requests);
      if (!framing) return found + "?";
      found += "h" + std::to_string(at);
      body.emplace(*framing);
      collector.reset();
    }
    if (body && body->complete()) {
      found += "b" + std::to_string(at);
      body.reset();
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool requests = (data[0] & 1) == 0;
  const auto in = as_bytes(data + 2, size - 2);
  const auto whole = read_messages(in, in.size() + 1, requests);
  const auto cut = read_messages(in, std::size_t{data[1]} % 16 + 1, requests);
  VG_CHECK(whole == cut);
  return 0;
}
