// A stranger's bytes to the HTTP/2 side of a directory decoy. Byte 0 cuts the rest into pieces; bit 7 puts
// the preface and an empty SETTINGS in front. What is said back is bounded by what he may be granted.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "service/decoy_site_h2.hpp"
#include "village/base/check.hpp"

using namespace village;
using namespace village::service;

namespace {

std::shared_ptr<const DecoySite> make_site() {
  std::string name = (std::filesystem::temp_directory_path() / "village-fuzz-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  std::ofstream{folder + "/index.html"} << std::string(100'000, 'a');
  auto site = DecoySite::load(folder);
  std::filesystem::remove_all(folder);
  VG_CHECK(site.has_value());
  return *site;
}

constexpr std::string_view opening{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33};
constexpr std::size_t steps_max = 4'000;

void drain(DecoySiteH2& connection, Bytes& out) {
  for (std::size_t steps = 0; steps < steps_max; ++steps) {
    connection.next(out);
    if (out.empty()) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto site = make_site();
  if (size < 2) return 0;
  const auto in = as_bytes(data + 1, size - 1);
  const std::string date = "Thu, 01 Jan 1970 00:00:00 GMT";
  DecoySiteH2 connection{site};
  Bytes out;
  if ((data[0] & 0x80) != 0) connection.on_bytes(as_bytes(opening), date);
  drain(connection, out);
  const std::size_t step = std::size_t{data[0]} % 128 * 16 + 1;
  for (std::size_t at = 0; at < in.size() && !connection.over(); at += step) {
    connection.on_bytes(in.subspan(at, std::min(step, in.size() - at)), date);
    drain(connection, out);
    VG_CHECK(out.size() <= 64 * 1'024);
  }
  return 0;
}
