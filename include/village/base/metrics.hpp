#pragma once
// Metric facade: cells that each core writes alone, summed when somebody scrapes.
//
// A metric is a static object: `static metrics::Counter refused{"villaged_proxy_refused_total", "Why.",
// "reason=\"acl\""};` Names are villaged_<module>_<noun>_<unit>[_total]; labels are few, constant and never
// name a peer or a stream. Adding costs about 0.3 ns on a worker thread (a plain load and store of its own
// cache line), an atomic add elsewhere.
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/limits.hpp"

namespace village::metrics {

/// core_slot is 1 + the core's number on a worker thread, 0 elsewhere. The runtime sets it once for each
/// thread; no two living threads may share a slot other than 0.
inline thread_local std::size_t core_slot = 0;

class Cells {
 public:
  void add(std::uint64_t n) {
    auto& cell = cells_[core_slot].value;
    if (core_slot == 0) {
      cell.fetch_add(n, std::memory_order_relaxed);
    } else {
      cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
  }
  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto& cell : cells_) sum += cell.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(limits::cache_line_bytes) Cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::array<Cell, limits::cores_max + 1> cells_{};
};

enum class Kind { counter, gauge, histogram };

/// Metric is what the scrape sees. Static storage only: metrics are never removed.
class Metric {
 public:
  Metric(Kind kind, std::string_view name, std::string_view help, std::string_view labels);
  Metric(const Metric&) = delete;
  Metric& operator=(const Metric&) = delete;
  Kind kind() const { return kind_; }
  std::string_view name() const { return name_; }
  std::string_view help() const { return help_; }
  std::string_view labels() const { return labels_; }  ///< `reason="acl",direction="in"` or empty

 private:
  Kind kind_;
  std::string_view name_, help_, labels_;
};

/// Counter only grows.
class Counter : public Metric {
 public:
  Counter(std::string_view name, std::string_view help, std::string_view labels = {})
      : Metric(Kind::counter, name, help, labels) {}
  void add(std::uint64_t n = 1) { cells_.add(n); }
  std::uint64_t total() const { return cells_.total(); }

 private:
  Cells cells_;
};

/// Gauge goes up and down; add and sub may happen on different cores (the cells' sum wraps correctly).
/// It counts in whole steps; one step is shown as `step` of the unit that the name says.
class Gauge : public Metric {
 public:
  Gauge(std::string_view name, std::string_view help, std::string_view labels = {}, double step = 1)
      : Metric(Kind::gauge, name, help, labels), step_(step) {}
  void add(std::int64_t n = 1) { cells_.add(static_cast<std::uint64_t>(n)); }
  void sub(std::int64_t n = 1) { add(-n); }
  std::int64_t value() const { return static_cast<std::int64_t>(cells_.total()); }
  double shown() const { return static_cast<double>(value()) * step_; }

 private:
  Cells cells_;
  double step_;
};

/// Histogram counts seconds in powers of four from 1 us to 64 s (14 buckets and +Inf).
class Histogram : public Metric {
 public:
  static constexpr std::size_t buckets = 14;
  Histogram(std::string_view name, std::string_view help, std::string_view labels = {})
      : Metric(Kind::histogram, name, help, labels) {}
  void record_ns(std::uint64_t ns);
  /// bound_s is the upper bound of bucket i in seconds.
  static double bound_s(std::size_t i);
  std::uint64_t count(std::size_t bucket) const {
    return cells_[bucket].total();
  }  ///< bucket == buckets: +Inf
  double sum_s() const { return static_cast<double>(sum_ns_.total()) * 1e-9; }

 private:
  std::array<Cells, buckets + 1> cells_;
  Cells sum_ns_;
};

/// all lists every metric, by name and labels.
std::vector<const Metric*> all();

}  // namespace village::metrics
