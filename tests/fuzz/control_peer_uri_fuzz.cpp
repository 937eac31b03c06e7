// Any text is an invitation or refused with a reason; an invitation reads back from what is written of it.
#include "control/peer_uri.hpp"
#include "village/base/bytes.hpp"
#include "village/base/check.hpp"

using namespace village;
using namespace village::control;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string problem;
  const auto peer = parse_peer_uri(as_text(as_bytes(data, size)), problem);
  VG_CHECK(peer.has_value() == problem.empty());
  if (!peer) return 0;
  const auto uri = peer_uri(*peer);
  const auto again = parse_peer_uri(uri, problem);
  VG_CHECK(again.has_value() && peer_uri(*again) == uri);
  VG_CHECK(again->key == peer->key && again->pin == peer->pin && again->suites == peer->suites);
  return 0;
}
