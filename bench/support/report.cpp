#include "support/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace village::bench {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return out + "\"";
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : ",\n  ") + part;
  return out;
}

}  // namespace

bool Options::wants(const std::string& table) const {
  return tables.empty() || std::find(tables.begin(), tables.end(), table) != tables.end();
}

std::uint64_t Options::scaled(std::uint64_t n, std::uint64_t least) const {
  return quick ? std::max(n / 10, least) : n;
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (arg == "--quick") {
      options.quick = true;
    } else if (arg == "--table" && i + 1 < argc) {
      options.tables.emplace_back(argv[++i]);
    } else if (arg == "--villaged" && i + 1 < argc) {
      options.villaged = argv[++i];
    } else if (arg == "--part" && i + 1 < argc) {
      options.part = argv[++i];
    } else if (arg == "--peers" && i + 1 < argc) {
      options.peers = argv[++i];
    } else {
      std::fprintf(stderr,
                   "usage: %s [--table ID]... [--quick] [--villaged PATH] [--peers DIR] [--part NAME]\n",
                   argv[0]);
      std::exit(2);
    }
  }
  return options;
}

Report::~Report() {
  std::printf("{\"program\": %s,\n \"rows\": [\n  %s],\n \"checks\": [\n  %s]}\n", quoted(program_).c_str(),
              joined(rows_).c_str(), joined(checks_).c_str());
}

void Report::row(const std::string& table, const std::string& key, std::map<std::string, double> measured,
                 std::string note) {
  std::string figures;
  for (const auto& [column, value] : measured) {
    figures += (figures.empty() ? "" : ", ") + quoted(column) + ": " + number(value);
  }
  rows_.push_back("{\"table\": " + quoted(table) + ", \"key\": " + quoted(key) + ", \"measured\": {" +
                  figures + "}, \"not_run\": null, \"note\": " + quoted(note) + "}");
  std::fprintf(stderr, "  %s/%s  %s\n", table.c_str(), key.c_str(), figures.c_str());
}

void Report::not_run(const std::string& table, const std::string& key, std::string why) {
  rows_.push_back("{\"table\": " + quoted(table) + ", \"key\": " + quoted(key) +
                  ", \"measured\": {}, \"not_run\": " + quoted(why) + ", \"note\": \"\"}");
}

void Report::check(const std::string& table, const std::string& name, double value, const std::string& unit,
                   const std::string& target, bool holds, const std::string& how) {
  checks_.push_back("{\"table\": " + quoted(table) + ", \"name\": " + quoted(name) + ", \"value\": " +
                    number(value) + ", \"unit\": " + quoted(unit) + ", \"target\": " + quoted(target) +
                    ", \"holds\": " + (holds ? "true" : "false") + ", \"how\": " + quoted(how) + "}");
  std::fprintf(stderr, "  %s check %s = %s %s (target %s) %s\n", table.c_str(), name.c_str(),
               number(value).c_str(), unit.c_str(), target.empty() ? "none" : target.c_str(),
               holds ? "" : "MISSED");
}

void Report::at_least(const std::string& table, const std::string& name, double value,
                      const std::string& unit, double target, const std::string& how) {
  check(table, name, value, unit, ">=" + number(target), value >= target, how);
}

void Report::at_most(const std::string& table, const std::string& name, double value, const std::string& unit,
                     double target, const std::string& how) {
  check(table, name, value, unit, "<=" + number(target), value <= target, how);
}

void Report::check_not_run(const std::string& table, const std::string& name, const std::string& unit,
                           const std::string& target, const std::string& why) {
  checks_.push_back("{\"table\": " + quoted(table) + ", \"name\": " + quoted(name) +
                    ", \"value\": null, \"unit\": " + quoted(unit) + ", \"target\": " + quoted(target) +
                    ", \"holds\": false, \"how\": " + quoted("not run: " + why) + "}");
  std::fprintf(stderr, "  %s check %s not run: %s\n", table.c_str(), name.c_str(), why.c_str());
}

void Report::shown(const std::string& table, const std::string& name, double value, const std::string& unit,
                   const std::string& how) {
  check(table, name, value, unit, "", true, how);
}

Spread spread(std::vector<double> figures) {
  if (figures.empty()) return {};
  std::sort(figures.begin(), figures.end());
  const auto at = [&](double part) {
    const double place = part * static_cast<double>(figures.size() - 1);
    const auto low = static_cast<std::size_t>(place);
    const auto high = std::min(low + 1, figures.size() - 1);
    return figures[low] + (figures[high] - figures[low]) * (place - static_cast<double>(low));
  };
  return {at(0.5), at(0.25), at(0.75)};
}

std::string Paired::text() const {
  char text[120];
  std::snprintf(text, sizeof text, "ratio %.3f, quartiles %.3f..%.3f of %zu interleaved pairs", ratio.median,
                ratio.low, ratio.high, pairs);
  return text;
}

Paired paired(std::size_t pairs, const std::function<double()>& a, const std::function<double()>& b) {
  a();
  b();
  std::vector<double> rates_a, rates_b, ratios;
  for (std::size_t i = 0; i < pairs; ++i) {
    rates_a.push_back(a());
    rates_b.push_back(b());
    ratios.push_back(rates_a.back() / rates_b.back());
  }
  return {spread(rates_a).median, spread(rates_b).median, spread(ratios), pairs};
}

void must(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "benchmark is wrong, not slow: %s\n", what);
  std::exit(1);
}

}  // namespace village::bench
