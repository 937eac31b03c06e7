// The Prometheus text of every metric of the process.
#include <dirent.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>

#include "village/base/check.hpp"
#include "village/base/metrics.hpp"
#include "village/control/server.hpp"

namespace village::control {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

/// labels_of reads `reason="acl",direction="in"`; our own static texts, without escapes.
std::vector<ClientMetric::Label> labels_of(std::string_view text) {
  std::vector<ClientMetric::Label> labels;
  while (!text.empty()) {
    const auto equals = text.find("=\"");
    if (equals == std::string_view::npos) break;
    const auto end = text.find('"', equals + 2);
    if (!VG_EXPECT(end != std::string_view::npos)) break;
    ClientMetric::Label label;
    label.name = std::string{text.substr(0, equals)};
    label.value = std::string{text.substr(equals + 2, end - equals - 2)};
    labels.push_back(std::move(label));
    text.remove_prefix(std::min(text.size(), end + 2));
  }
  return labels;
}

MetricType type_of(metrics::Kind kind) {
  switch (kind) {
    case metrics::Kind::counter:
      return MetricType::Counter;
    case metrics::Kind::gauge:
      return MetricType::Gauge;
    case metrics::Kind::histogram:
      return MetricType::Histogram;
  }
  return MetricType::Untyped;
}

ClientMetric value_of(const metrics::Metric& metric) {
  ClientMetric out;
  out.label = labels_of(metric.labels());
  if (metric.kind() == metrics::Kind::counter) {
    out.counter.value = static_cast<double>(static_cast<const metrics::Counter&>(metric).total());
  } else if (metric.kind() == metrics::Kind::gauge) {
    out.gauge.value = static_cast<const metrics::Gauge&>(metric).shown();
  } else {
    const auto& histogram = static_cast<const metrics::Histogram&>(metric);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= metrics::Histogram::buckets; ++i) {
      sum += histogram.count(i);
      ClientMetric::Bucket bucket;
      bucket.cumulative_count = sum;
      bucket.upper_bound = i < metrics::Histogram::buckets ? metrics::Histogram::bound_s(i)
                                                           : std::numeric_limits<double>::infinity();
      out.histogram.bucket.push_back(bucket);
    }
    out.histogram.sample_count = sum;
    out.histogram.sample_sum = histogram.sum_s();
  }
  return out;
}

void add_own(std::vector<MetricFamily>& families) {
  for (const auto* metric : metrics::all()) {
    if (families.empty() || families.back().name != metric->name()) {
      MetricFamily family;
      family.name = std::string{metric->name()};
      family.help = std::string{metric->help()};
      family.type = type_of(metric->kind());
      families.push_back(std::move(family));
    }
    if (VG_EXPECT(families.back().type == type_of(metric->kind())))
      families.back().metric.push_back(value_of(*metric));
  }
}

void add_one(std::vector<MetricFamily>& families, const char* name, const char* help, MetricType type,
             double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  families.push_back({name, help, type, {metric}});
}

double open_descriptors() {
  auto* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return -1;  // a sandbox hides it
  double count = -3;                 // ".", ".." and this folder's own
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

/// stat_field reads field `number` (from 3 on) of /proc/self/stat, behind the name in brackets; proc(5).
double stat_field(int number) {
  std::ifstream file{"/proc/self/stat"};
  std::string text;
  std::getline(file, text);
  std::istringstream fields{text.substr(std::min(text.rfind(')') + 2, text.size()))};
  std::string field;
  for (int i = 3; i <= number && fields >> field; ++i) {
  }
  return fields ? std::strtod(field.c_str(), nullptr) : -1;
}

double boot_time() {
  std::ifstream file{"/proc/stat"};
  std::string word;
  double value = 0;
  while (file >> word) {
    if (word == "btime" && file >> value) return value;
  }
  return -1;
}

void add_process(std::vector<MetricFamily>& families) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  add_one(families, "process_cpu_seconds_total", "CPU time used, user and system.", MetricType::Counter,
          seconds(usage.ru_utime) + seconds(usage.ru_stime));
  const auto gauge = [&families](const char* name, const char* help, double value) {
    if (value >= 0) add_one(families, name, help, MetricType::Gauge, value);
  };
  gauge("process_open_fds", "Open file descriptors.", open_descriptors());
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  gauge("process_max_fds", "Most file descriptors that may be open.",
        static_cast<double>(descriptors.rlim_cur));
  constexpr int start_field = 22, size_field = 23, resident_field = 24;
  gauge("process_virtual_memory_bytes", "Virtual memory.", stat_field(size_field));
  const auto pages = stat_field(resident_field);
  gauge("process_resident_memory_bytes", "Resident memory.",
        pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  static const double started = [] {
    const auto boot = boot_time();
    return boot < 0 ? -1 : boot + stat_field(start_field) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }();
  gauge("process_start_time_seconds", "Start of the process, seconds since 1970.", started);
}

}  // namespace

std::string metrics_text() {
  std::vector<MetricFamily> families;
  add_own(families);
  add_process(families);
  add_one(families, "villaged_base_bugs_total", "Doubtful invariants seen false.", MetricType::Counter,
          static_cast<double>(bug_count()));
  add_one(families, "villaged_build_info", "1, labelled with what was built.", MetricType::Gauge, 1,
          {{"version", std::string{version()}}, {"compiler", std::string{compiler()}}});
  std::ostringstream text;
  prometheus::TextSerializer{}.Serialize(text, families);
  return std::move(text).str();
}

}  // namespace village::control
