// Both readers of the WebSocket upgrade. Byte 0, bit 0: the server's watch or the client's answer; byte 1
// cuts the rest into pieces. However it is cut, the verdict is the same; a verdict once given stays.
#include <cstdint>
#include <string>

#include "village/base/check.hpp"
#include "village/proxy/upgrade.hpp"

using namespace village;
using namespace village::proxy;

namespace {

std::string watched(ByteView in, std::size_t step) {
  UpgradeWatch watch{UpgradePlace{}};
  while (!in.empty()) {
    const auto before = watch.verdict();
    // What is behind a complete head arrives with it or not at all: a later piece is the caller's.
    if (before == UpgradeWatch::Verdict::upgrade) return "other";
    const auto piece = in.first(std::min(step, in.size()));
    const auto now = watch.on_bytes(piece);
    VG_CHECK(before == UpgradeWatch::Verdict::undecided || now == before);
    in = in.subspan(piece.size());
  }
  if (watch.verdict() == UpgradeWatch::Verdict::undecided) return "undecided";
  if (watch.verdict() == UpgradeWatch::Verdict::other) return "other";
  VG_CHECK(!watch.ticket().empty() && !watch.key().empty());
  VG_CHECK(upgrade_accept(watch.key()).size() == 28);
  return "upgrade " + std::string{watch.ticket()};
}

std::string answered(ByteView in, std::size_t step) {
  UpgradeAnswer answer{UpgradeKey{}};
  std::size_t taken = 0;
  while (taken < in.size() && !answer.complete()) {
    const auto size = std::min(step, in.size() - taken);
    const auto used = answer.on_bytes(in.subspan(taken, size));
    if (!used) return "error " + std::to_string(static_cast<int>(used.error().code));
    VG_CHECK(*used == size || answer.complete());
    taken += *used;
  }
  return (answer.complete() ? "complete " : "more ") + std::to_string(taken);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto in = as_bytes(data + 2, size - 2);
  const auto step = std::size_t{data[1]} % 16 + 1;
  const auto read = (data[0] & 1) == 0 ? watched : answered;
  VG_CHECK(read(in, in.size() + 1) == read(in, step));
  return 0;
}
