#include "service/decoy_site.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "service/buffer_pool.hpp"
#include "village/net/deadline.hpp"
#include "village/proxy/http_date.hpp"
#include "village/proxy/http_head.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

namespace fs = std::filesystem;

std::string type_of(const std::string& name) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> types{
      {{".html", "text/html"},
       {".htm", "text/html"},
       {".css", "text/css"},
       {".js", "application/javascript"},
       {".json", "application/json"},
       {".txt", "text/plain"},
       {".xml", "text/xml"},
       {".svg", "image/svg+xml"},
       {".png", "image/png"},
       {".jpg", "image/jpeg"},
       {".gif", "image/gif"},
       {".ico", "image/x-icon"},
       {".webp", "image/webp"},
       {".woff2", "font/woff2"}}};
  for (const auto& [ending, type] : types) {
    if (name.ends_with(ending)) return std::string{type};
  }
  return "application/octet-stream";
}

std::string_view phrase(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Not Allowed";
    case 416:
      return "Requested Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "HTTP Version Not Supported";
  }
}

std::string start_of(unsigned status, bool close, const std::string& date) {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head.append(phrase(status)).append("\r\nDate: ").append(date);
  head.append("\r\nConnection: ").append(close ? "close" : "keep-alive").append("\r\n");
  return head;
}

Result<Bytes> read_file(const fs::path& path, std::uint64_t size_max) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (text.size() > size_max) return fail(Errc::limit_exceeded);
  return to_bytes(as_bytes(text));
}

}  // namespace

Result<std::shared_ptr<const DecoySite>> DecoySite::load(const std::string& directory) {
  const auto site = std::make_shared<DecoySite>();
  std::error_code problem;
  std::uint64_t left = limits::decoy_site_bytes_max;
  fs::recursive_directory_iterator each{directory, problem};
  for (; !problem && each != fs::end(each); each.increment(problem)) {
    const auto name = each->path().filename().string();
    struct stat status {};
    if (::lstat(each->path().c_str(), &status) != 0) continue;
    if (name.starts_with('.') || !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))) {
      each.disable_recursion_pending();
      continue;
    }
    if (S_ISDIR(status.st_mode)) continue;
    if (site->files_.size() >= limits::decoy_site_files_max) return fail(Errc::limit_exceeded);
    VG_TRY(content, read_file(each->path(), left));
    left -= content.size();
    const WallTime modified{std::chrono::seconds{status.st_mtime}};
    const auto etag = "\"" + std::to_string(status.st_mtime) + "-" + std::to_string(content.size()) + "\"";
    const auto path = "/" + each->path().lexically_relative(directory).generic_string();
    File file{std::move(content), type_of(name), proxy::http_date(modified), etag};
    if (name == "index.html") site->files_.emplace(path.substr(0, path.size() - name.size()), file);
    site->files_.emplace(path, std::move(file));
  }
  if (problem) return fail(Errc::io, static_cast<std::uint64_t>(problem.value()));
  return std::shared_ptr<const DecoySite>{site};
}

DecoySite::Answer DecoySite::error(unsigned status, bool close, bool with_body, const std::string& date) {
  const auto text = std::to_string(status) + " " + std::string{phrase(status)};
  const auto page = "<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<h1>" + text +
                    "</h1>\r\n</body>\r\n</html>\r\n";
  Answer answer;
  answer.close = close;
  answer.head = start_of(status, close, date);
  answer.head += "Content-Type: text/html\r\nContent-Length: " + std::to_string(page.size()) + "\r\n\r\n";
  if (with_body) answer.head += page;
  return answer;
}

DecoySite::Answer DecoySite::answer(std::string_view head, const std::string& date) const {
  const auto request = proxy::parse_site_request(head);
  if (!request) {
    const auto code = request.error().code;
    return error(code == Errc::version ? 505U : code == Errc::limit_exceeded ? 431U : 400U, true, true, date);
  }
  const bool close = !request->keep_alive || request->has_body;
  if (request->method != "GET" && request->method != "HEAD") return error(405, close, true, date);
  const auto file = files_.find(request->path);
  if (file == files_.end()) return error(404, close, request->method == "GET", date);
  auto answer = answer_file(*request, file->second, date);
  if (request->method == "HEAD") answer.body = {};
  return answer;
}

DecoySite::Answer DecoySite::answer_file(const proxy::SiteRequest& request, const File& file,
                                         const std::string& date) const {
  Answer answer;
  answer.close = !request.keep_alive || request.has_body;
  const auto begin = [&](unsigned status) {
    answer.head = start_of(status, answer.close, date);
    answer.head += "Last-Modified: " + file.modified + "\r\nETag: " + file.etag + "\r\n";
  };
  const bool same = request.if_none_match.empty() ? request.if_modified_since == file.modified
                                                  : request.if_none_match == file.etag;
  if (same) {
    begin(304);
    answer.head += "\r\n";
    return answer;
  }
  const auto range = proxy::parse_byte_range(request.range, file.content.size());
  if (!range) return error(416, answer.close, request.method == "GET", date);
  answer.body = file.content;
  begin(*range ? 206 : 200);
  if (const auto& part = *range) {
    answer.body = answer.body.subspan(part->first, part->last - part->first + 1);
    answer.head += "Content-Range: bytes " + std::to_string(part->first) + "-" + std::to_string(part->last) +
                   "/" + std::to_string(file.content.size()) + "\r\n";
  }
  answer.head += "Accept-Ranges: bytes\r\nContent-Type: " + file.type +
                 "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
  return answer;
}

namespace {

/// read_more takes what has come; false = the stranger is done, or too slow.
net::Task<ByteView> read_more(net::Core& core, net::Stream& stream, ByteSpan buffer, Instant deadline) {
  const auto got = co_await net::with_deadline(core, stream.read_some(buffer), deadline);
  if (!got) co_return got.error();
  if (*got == 0) co_return fail(Errc::end_of_stream);
  co_return ByteView{buffer}.first(*got);
}

}  // namespace

boost::asio::awaitable<void> DecoySite::serve(std::shared_ptr<const DecoySite> site, net::Core& core,
                                              net::Stream& stream, Bytes early) {
  auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
  Bytes held = std::move(early);
  ByteView rest = held;
  proxy::HttpHeadCollector collector;
  auto deadline = net::after(core, limits::decoy_site_patience);
  for (bool close = false; !close;) {
    auto taken = collector.on_bytes(rest);
    const auto date = proxy::http_date(core.clock().wall());
    if (taken && !collector.complete()) {
      auto more = co_await read_more(core, stream, buffer.span(), deadline);
      if (!more) break;
      rest = *more;
      continue;
    }
    const auto status = !taken && taken.error().code == Errc::limit_exceeded ? 431U : 400U;
    const auto answer = taken ? site->answer(collector.text(), date) : error(status, true, true, date);
    close = answer.close;
    auto written = co_await net::with_deadline(core, stream.write_all(as_bytes(answer.head)), deadline);
    if (written && !answer.body.empty())
      written = co_await net::with_deadline(core, stream.write_all(answer.body), deadline);
    if (!written) co_return;
    if (taken) rest = rest.subspan(*taken);
    collector.reset();
    deadline = net::after(core, limits::decoy_site_patience);
  }
  (void)co_await stream.shutdown_write();
  // Reading on for a little lets the answer arrive before our socket answers late bytes with a reset.
  deadline = net::after(core, limits::decoy_site_linger);
  for (;;) {
    const auto more = co_await read_more(core, stream, buffer.span(), deadline);
    if (!more) co_return;
  }
}

}  // namespace village::service
