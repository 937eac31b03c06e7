#include "village/wire/utf8.hpp"

namespace village::wire {
namespace {

struct Lead {
  std::size_t tail;    ///< continuation bytes that follow; 9 = no lead byte
  unsigned low, high;  ///< range of the first of them (RFC 3629 section 4)
};

Lead classify(unsigned octet) {
  if (octet < 0x80) return {0, 0, 0};
  if (octet >= 0xC2 && octet <= 0xDF) return {1, 0x80, 0xBF};
  if (octet == 0xE0) return {2, 0xA0, 0xBF};
  if (octet == 0xED) return {2, 0x80, 0x9F};
  if (octet >= 0xE1 && octet <= 0xEF) return {2, 0x80, 0xBF};
  if (octet == 0xF0) return {3, 0x90, 0xBF};
  if (octet >= 0xF1 && octet <= 0xF3) return {3, 0x80, 0xBF};
  if (octet == 0xF4) return {3, 0x80, 0x8F};
  return {9, 0, 0};
}

}  // namespace

bool is_utf8(ByteView text) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const Lead lead = classify(at(i));
    if (lead.tail >= text.size() - i) return false;
    for (std::size_t j = 1; j <= lead.tail; ++j) {
      const unsigned low = j == 1 ? lead.low : 0x80;
      const unsigned high = j == 1 ? lead.high : 0xBF;
      if (at(i + j) < low || at(i + j) > high) return false;
    }
    i += 1 + lead.tail;
  }
  return true;
}

}  // namespace village::wire
