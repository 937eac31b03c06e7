#include "service/decoy_site.hpp"

#include <sys/stat.h>

#include <algorithm>
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

DecoySite::Answer written(DecoySite::Reply reply, bool close, const std::string& date) {
  DecoySite::Answer answer;
  answer.close = close;
  answer.head = "HTTP/1.1 " + std::to_string(reply.status) + " ";
  answer.head.append(phrase(reply.status)).append("\r\nDate: ").append(date);
  answer.head.append("\r\nConnection: ").append(close ? "close" : "keep-alive").append("\r\n");
  for (const auto& [name, value] : reply.fields) answer.head.append(name).append(": ").append(value + "\r\n");
  answer.head += "\r\n";
  answer.reply = std::move(reply);
  return answer;
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
    if (static_cast<std::uint64_t>(status.st_size) > left) return fail(Errc::limit_exceeded);
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

DecoySite::Reply DecoySite::error(unsigned status, bool with_body) {
  const auto text = std::to_string(status) + " " + std::string{phrase(status)};
  auto page = "<html>\r\n<head><title>" + text + "</title></head>\r\n<body>\r\n<h1>" + text +
              "</h1>\r\n</body>\r\n</html>\r\n";
  Reply reply;
  reply.status = status;
  reply.fields = {{"Content-Type", "text/html"}, {"Content-Length", std::to_string(page.size())}};
  if (with_body) reply.page = std::move(page);
  return reply;
}

DecoySite::Answer DecoySite::answer(std::string_view head, const std::string& date, bool last) const {
  const auto request = proxy::parse_site_request(head);
  if (request) return written(reply(*request), last || !request->keep_alive || request->has_body, date);
  const auto code = request.error().code;
  return written(error(code == Errc::version          ? 505U
                       : code == Errc::limit_exceeded ? 431U
                                                      : 400U,
                       true),
                 true, date);
}

DecoySite::Reply DecoySite::reply(const proxy::SiteRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") return error(405, true);
  const auto file = files_.find(request.path);
  if (file == files_.end()) return error(404, request.method == "GET");
  auto reply = file_reply(request, file->second);
  if (request.method == "HEAD") reply.content = {};
  return reply;
}

DecoySite::Reply DecoySite::file_reply(const proxy::SiteRequest& request, const File& file) {
  Reply reply;
  reply.fields = {{"Last-Modified", file.modified}, {"ETag", file.etag}};
  const bool same = request.if_none_match.empty() ? request.if_modified_since == file.modified
                                                  : request.if_none_match == file.etag;
  if (same) {
    reply.status = 304;
    return reply;
  }
  const auto range = proxy::parse_byte_range(request.range, file.content.size());
  if (!range) return error(416, request.method == "GET");
  reply.content = file.content;
  if (const auto& part = *range) {
    reply.status = 206;
    reply.content = reply.content.subspan(part->first, part->last - part->first + 1);
    reply.fields.emplace_back("Content-Range", "bytes " + std::to_string(part->first) + "-" +
                                                   std::to_string(part->last) + "/" +
                                                   std::to_string(file.content.size()));
  }
  reply.fields.emplace_back("Accept-Ranges", "bytes");
  reply.fields.emplace_back("Content-Type", file.type);
  reply.fields.emplace_back("Content-Length", std::to_string(reply.content.size()));
  return reply;
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
                                              net::Stream& stream, Bytes early, Instant end) {
  auto buffer = Buffer::lease(limits::decoy_buffer_bytes);
  Bytes held = std::move(early);
  ByteView rest = held;
  proxy::HttpHeadCollector collector;
  const auto patience = [&core, end] { return std::min(end, net::after(core, limits::decoy_site_patience)); };
  auto deadline = patience();
  std::size_t requests = 0;
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
    const bool last = ++requests >= limits::decoy_h2_requests_max;
    const auto answer =
        taken ? site->answer(collector.text(), date, last) : written(error(status, true), true, date);
    close = answer.close;
    deadline = patience();  // of a head that came slowly nothing is taken off the answer
    auto sent = co_await net::with_deadline(core, stream.write_all(as_bytes(answer.head)), deadline);
    if (sent && !answer.reply.bytes().empty())
      sent = co_await net::with_deadline(core, stream.write_all(answer.reply.bytes()), deadline);
    if (!sent) co_return;
    if (taken) rest = rest.subspan(*taken);
    collector.reset();
    deadline = patience();
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
