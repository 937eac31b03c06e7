// Heads of HTTP/1.1 requests to a directory decoy, as they come off the collector: every one gets one answer
// whose length is what it says.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "service/decoy_site.hpp"
#include "village/base/check.hpp"
#include "village/proxy/http_head.hpp"

using namespace village;
using namespace village::service;

namespace {

std::shared_ptr<const DecoySite> make_site() {
  std::string name = (std::filesystem::temp_directory_path() / "village-fuzz-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  std::ofstream{folder + "/index.html"} << "a page";
  auto site = DecoySite::load(folder);
  std::filesystem::remove_all(folder);
  VG_CHECK(site.has_value());
  return *site;
}

void check(const DecoySite::Answer& answer) {
  const auto& reply = answer.reply;
  VG_CHECK(answer.head.starts_with("HTTP/1.1 " + std::to_string(reply.status) + " "));
  VG_CHECK(answer.head.ends_with("\r\n\r\n"));
  const auto length = "\r\nContent-Length: " + std::to_string(reply.bytes().size()) + "\r\n";
  VG_CHECK(reply.bytes().empty() || answer.head.find(length) != std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto site = make_site();
  auto rest = as_bytes(data, size);
  proxy::HttpHeadCollector collector;
  while (!rest.empty()) {
    const auto taken = collector.on_bytes(rest);
    if (!taken || !collector.complete()) return 0;
    const auto answer = site->answer(collector.text(), "Thu, 01 Jan 1970 00:00:00 GMT");
    check(answer);
    if (answer.close) return 0;
    rest = rest.subspan(*taken);
    collector.reset();
  }
  return 0;
}
