#pragma once
// Report: what every benchmark program prints, and the arithmetic of a fair comparison.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace village::bench {

/// Options are the same for every program: --table ID (repeatable), --quick, --villaged PATH, --peers DIR,
/// --part NAME.
struct Options {
  std::vector<std::string> tables;
  bool quick = false;
  std::string peers;     ///< folder of the peers' programs (bench/peers)
  std::string villaged;  ///< path of the daemon for benchmarks that run it
  std::string part;      ///< one part of a program alone, to profile it; empty = all
  bool wants(const std::string& table) const;
  bool wants_part(const std::string& name) const { return part.empty() || part == name; }
  /// scaled gives n, or n / 10 (at least `least`) in a quick run.
  std::uint64_t scaled(std::uint64_t n, std::uint64_t least = 1) const;
};
Options parse_options(int argc, char** argv);

/// Report collects rows and checks; its destructor prints the JSON document to standard output.
class Report {
 public:
  explicit Report(std::string program) : program_{std::move(program)} {}
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  ~Report();
  /// row states what was measured for `key` of `table`, by the column names of published-tables.json.
  void row(const std::string& table, const std::string& key, std::map<std::string, double> measured,
           std::string note = {});
  void not_run(const std::string& table, const std::string& key, std::string why);
  /// check states a figure with its target, as at_least or at_most; `how` is one line: what was run against
  /// what.
  void at_least(const std::string& table, const std::string& name, double value, const std::string& unit,
                double target, const std::string& how);
  void at_most(const std::string& table, const std::string& name, double value, const std::string& unit,
               double target, const std::string& how);
  /// check_not_run lists a check whose peer is missing: it does not hold, and `how` says why there is no
  /// value.
  void check_not_run(const std::string& table, const std::string& name, const std::string& unit,
                     const std::string& target, const std::string& why);
  /// shown is a figure without a target.
  void shown(const std::string& table, const std::string& name, double value, const std::string& unit,
             const std::string& how);

 private:
  void check(const std::string& table, const std::string& name, double value, const std::string& unit,
             const std::string& target, bool holds, const std::string& how);
  std::string program_;
  std::vector<std::string> rows_, checks_;
};

/// now_ns is the monotonic clock.
inline std::uint64_t now_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

/// keep makes the compiler believe that `value` is used.
template <class T>
inline void keep(T const& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// Spread is the middle and the quartiles of some figures.
struct Spread {
  double median = 0, low = 0, high = 0;
};
Spread spread(std::vector<double> figures);

/// Paired is the outcome of interleaved runs of two subjects: median rates and the spread of the ratio a / b
/// of each pair.
struct Paired {
  double a = 0, b = 0;
  Spread ratio;
  std::string text() const;  ///< "ratio 0.93 (0.91..0.95 quartiles of 9 pairs)"
  std::size_t pairs = 0;
};
/// paired runs a, b, a, b, ... `pairs` times after one warm-up of each. Each call returns a rate (more is
/// better).
Paired paired(std::size_t pairs, const std::function<double()>& a, const std::function<double()>& b);

/// must ends the program with a message if a benchmark's own result is wrong: a figure of wrong work is worth
/// nothing.
void must(bool right, const char* what);

}  // namespace village::bench
