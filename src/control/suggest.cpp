#include "control/suggest.hpp"

#include <algorithm>

namespace village::control {
namespace {

constexpr std::size_t word_bytes_max = 64;

/// Optimal string alignment distance: a swap of neighbours counts as one edit.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::string folded(std::string_view word) {
  std::string out{word};
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return out;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > word_bytes_max) return {};
  const auto wanted = folded(word);
  std::string best;
  std::size_t best_edits = word_bytes_max;
  for (const auto& candidate : candidates) {
    const auto known = folded(candidate);
    auto edits = distance(wanted, known);
    const auto shorter = std::min(wanted.size(), known.size());
    if (shorter >= 3 && wanted.substr(0, shorter) == known.substr(0, shorter))
      edits = std::min<std::size_t>(edits, 1);
    if (edits <= std::max<std::size_t>(1, known.size() / 3) && edits < best_edits && edits < known.size()) {
      best = candidate;
      best_edits = edits;
    }
  }
  return best;
}

std::string quoted_list(const std::vector<std::string>& words, std::string_view last_joint) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) out += i + 1 == words.size() ? std::string{last_joint} : std::string{", "};
    out += '"' + words[i] + '"';
  }
  return out;
}

}  // namespace village::control
