#pragma once
// DecoySite: a folder of files shown over HTTP/1.1 to strangers, for those who have no web server. It is a
// plain site and claims to be no particular server.
//
// All files are read at start and on reload, so that no request touches the file system: nothing to traverse,
// nothing to wait for.
#include <map>
#include <memory>
#include <string>

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
  /// silent for too long, or the answer ends the connection.
  static boost::asio::awaitable<void> serve(std::shared_ptr<const DecoySite> site, net::Core& core,
                                            net::Stream& stream, Bytes early);

  std::size_t files() const { return files_.size(); }

 private:
  struct File {
    Bytes content;
    std::string type;
    std::string modified;
    std::string etag;
  };
  struct Answer {
    std::string head;
    ByteView body;
    bool close = false;
  };
  Answer answer(std::string_view head, const std::string& date) const;
  Answer answer_file(const proxy::SiteRequest& request, const File& file, const std::string& date) const;
  static Answer error(unsigned status, bool close, bool with_body, const std::string& date);

  std::map<std::string, File, std::less<>> files_;
};

}  // namespace village::service
