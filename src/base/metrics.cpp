#include "village/base/metrics.hpp"

#include <algorithm>
#include <mutex>
#include <tuple>

namespace village::metrics {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const Metric*> list;
};
Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

Metric::Metric(Kind kind, std::string_view name, std::string_view help, std::string_view labels)
    : kind_{kind}, name_{name}, help_{help}, labels_{labels} {
  const std::lock_guard lock{registry().mutex};
  registry().list.push_back(this);
}

void Histogram::record_ns(std::uint64_t ns) {
  std::size_t bucket = 0;
  for (std::uint64_t bound_ns = 1'000; bucket < buckets && ns > bound_ns; ++bucket) bound_ns *= 4;
  cells_[bucket].add(1);
  sum_ns_.add(ns);
}

double Histogram::bound_s(std::size_t i) { return 1e-6 * static_cast<double>(std::uint64_t{1} << (2 * i)); }

std::vector<const Metric*> all() {
  std::vector<const Metric*> list;
  {
    const std::lock_guard lock{registry().mutex};
    list = registry().list;
  }
  std::stable_sort(list.begin(), list.end(), [](const Metric* a, const Metric* b) {
    return std::make_tuple(a->name(), a->labels()) < std::make_tuple(b->name(), b->labels());
  });
  return list;
}

}  // namespace village::metrics
