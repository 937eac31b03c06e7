// SOCKS clients of any kind: bit 0 of the first byte asks for a password, the second byte cuts the rest into
// pieces. However it is cut, the outcome is the same; nothing behind the request is taken.
#include <cstdint>
#include <string>

#include "village/base/check.hpp"
#include "village/proxy/socks4.hpp"
#include "village/proxy/socks5.hpp"

using namespace village;

namespace {

struct Outcome {
  bool done = false, failed = false;
  std::size_t taken = 0;
  std::string output;
  std::optional<proxy::Socks5Request> request;
};

Outcome play(const proxy::Credentials& users, ByteView in, std::size_t step) {
  proxy::Socks5Handshake handshake{users};
  Outcome outcome;
  while (outcome.taken < in.size() && !handshake.done() && !handshake.failed()) {
    const auto piece = in.subspan(outcome.taken, std::min(step, in.size() - outcome.taken));
    const auto taken = handshake.on_bytes(piece);
    VG_CHECK(taken == piece.size() || handshake.done() || handshake.failed());
    outcome.taken += taken;
    outcome.output += as_text(handshake.output());
    handshake.clear_output();
  }
  outcome.done = handshake.done();
  outcome.failed = handshake.failed();
  if (outcome.done) outcome.request = handshake.request();
  return outcome;
}

void check_datagram(ByteView in) {
  const auto parsed = proxy::parse_socks5_datagram(in);
  if (!parsed) return;
  VG_CHECK(parsed->target.port != 0);
  Bytes again;
  wire::Writer writer{again, 128 * 1024};
  proxy::write_socks5_datagram_header(writer, parsed->target);
  writer.bytes(parsed->data);
  const auto twice = proxy::parse_socks5_datagram(writer.written());
  VG_CHECK(twice.has_value() && twice->target == parsed->target);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  proxy::Credentials users;
  if ((data[0] & 1) != 0) users.add("alice", "s3cret");
  const auto in = as_bytes(data + 2, size - 2);
  const auto whole = play(users, in, in.size() + 1);
  const auto cut = play(users, in, std::size_t{data[1]} % 16 + 1);
  VG_CHECK(whole.done == cut.done && whole.failed == cut.failed);
  VG_CHECK(whole.output == cut.output);
  if (whole.done) {
    VG_CHECK(whole.taken == cut.taken);
    VG_CHECK(whole.request->target == cut.request->target && whole.request->command == cut.request->command);
    VG_CHECK(whole.request->command != proxy::Socks5Command::connect || whole.request->target.port != 0);
  }
  if (const auto request = proxy::parse_socks4_request(in)) VG_CHECK(request->bytes <= in.size());
  check_datagram(in);
  return 0;
}
