#pragma once
// DecoySite: a folder of files shown over HTTP/1.1 and HTTP/2 (DecoySiteH2) to strangers, for those who have
// no web server. It is a plain site and claims to be no particular server.
//
// All files are read at start and on reload, so that no request touches the file system: nothing to traverse,
// nothing to wait for.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/net/core.hpp"
#include "village/net/stream.hpp"
#include "village/proxy/site_request.hpp"

namespace village::service {

class DecoySite {
 public:
  /// load reads the regular files below `directory`, names that begin with a dot left out. Errors: io (detail
  /// = errno), limit_exceeded (more files or bytes than decoy_site_files_max, decoy_site_bytes_max).
  static Result<std::shared_ptr<const DecoySite>> load(const std::string& directory);

  /// serve answers requests on `stream`, the first of which begins with `early`, until the stranger goes, is
  /// silent for too long, the answer ends the connection, it has had as many as HTTP/2 would give, or `end`.
  static boost::asio::awaitable<void> serve(std::shared_ptr<const DecoySite> site, net::Core& core,
                                            net::Stream& stream, Bytes early, Instant end);

  /// Reply is an answer before a version of HTTP gives it its form. `content` points into the site.
  struct Reply {
    unsigned status = 200;
    std::vector<std::pair<std::string_view, std::string>> fields;  ///< without Date and Connection
    ByteView content;
    std::string page;  ///< the body of an error
    ByteView bytes() const { return page.empty() ? content : as_bytes(page); }
  };
  /// reply answers GET and HEAD of a file, ranges and conditions; else 404, 405, 416.
  Reply reply(const proxy::SiteRequest& request) const;
  static Reply error(unsigned status, bool with_body);
  /// answer gives the answer to a complete HTTP/1.1 head; with `close` the connection ends behind it, as the
  /// `last` does.
  struct Answer {
    std::string head;
    Reply reply;
    bool close = false;
  };
  Answer answer(std::string_view head, const std::string& date, bool last = false) const;

  std::size_t files() const { return files_.size(); }

 private:
  struct File {
    Bytes content;
    std::string type;
    std::string modified;
    std::string etag;
  };
  static Reply file_reply(const proxy::SiteRequest& request, const File& file);

  std::map<std::string, File, std::less<>> files_;
};

}  // namespace village::service
