#include "service/mix_observations.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace village::service {
namespace {

Error system_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

}  // namespace

MixObservations::MixObservations(std::string folder, std::uint64_t bytes_max)
    : path_{folder + "/observations.jsonl"},
      old_path_{folder + "/observations.old.jsonl"},
      bytes_max_{bytes_max} {}

std::string MixObservations::text(const MixLoops::Observed& loop) {
  std::string out = "{\"epoch\":" + std::to_string(loop.epoch) + ",\"hops\":[";
  for (std::size_t i = 0; i < loop.hops.size(); ++i) {
    const auto& hop = loop.hops[i];
    out += std::string{i == 0 ? "" : ","} + "{\"node\":\"" + hop.node.name() + "\",\"tag\":\"" +
           to_hex(hop.tag) + "\",\"wish_ns\":" + std::to_string(hop.wish_ns) + "}";
  }
  return out + "],\"total_ns\":" + std::to_string(loop.total.count()) + "}\n";
}

Result<void> MixObservations::open() {
  file_ = FileDescriptor{::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)};
  struct stat status {};
  if (!file_ || ::fstat(file_.get(), &status) != 0) return system_error();
  bytes_ = static_cast<std::uint64_t>(status.st_size);
  return ok();
}

Result<void> MixObservations::write(const MixLoops::Observed& loop) {
  const auto line = text(loop);
  if (!file_) VG_TRY_VOID(open());
  if (bytes_ + line.size() > bytes_max_ / 2) {
    file_ = FileDescriptor{};
    if (std::rename(path_.c_str(), old_path_.c_str()) != 0) return system_error();
    VG_TRY_VOID(open());
  }
  // One call for a line: after a crash there is all of it or, at the end, a part that nobody takes for one.
  const auto written = ::write(file_.get(), line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    const auto problem = system_error();
    file_ = FileDescriptor{};
    return problem;
  }
  bytes_ += line.size();
  return ok();
}

}  // namespace village::service
