#include "village/base/limits.hpp"

#include <algorithm>
#include <tuple>

namespace village::limits {
namespace {
std::vector<Row>& rows() {
  static std::vector<Row> list;
  return list;
}
}  // namespace

bool declare(const Row* first, std::size_t count) {
  rows().insert(rows().end(), first, first + count);
  return true;
}

std::vector<Row> all() {
  auto list = rows();
  std::sort(list.begin(), list.end(), [](const Row& a, const Row& b) {
    return std::tie(a.module, a.name) < std::tie(b.module, b.name);
  });
  return list;
}

}  // namespace village::limits
