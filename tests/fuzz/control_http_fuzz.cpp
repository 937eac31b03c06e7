// Requests in pieces: the first byte says how large the pieces are. However it is cut, the answer is the
// same.
#include <algorithm>

#include "control/http_message.hpp"
#include "village/base/check.hpp"

using namespace village;
using namespace village::control;

namespace {

std::string told(ByteView in, std::size_t step) {
  RequestReader reader;
  std::string out;
  for (std::size_t at = 0; at < in.size(); at += step) {
    reader.feed(in.subspan(at, std::min(step, in.size() - at)));
    for (;;) {
      const auto state = reader.advance();
      if (state == RequestReader::State::bad) return out;
      if (state == RequestReader::State::need_more) break;
      const auto request = reader.request();
      out += request.method + " " + request.path + " " + request.host +
             (request.keep_alive ? " keep\n" : " close\n");
      (void)is_loopback_host(request.host);
      (void)same_origin(request);
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto in = as_bytes(data + 1, size - 1);
  VG_CHECK(told(in, std::size_t{data[0]} + 1) == told(in, in.size()));
  return 0;
}
