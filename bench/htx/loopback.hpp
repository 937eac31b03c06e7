#pragma once
// What the loopback parts of htx.single_stream share: one content for both sides of a comparison, and our
// rates.
#include <cstddef>
#include <cstdint>
#include <string>

#include "link_pair.hpp"

namespace village::bench {

/// ContentFile is a file of random bytes in memory (/dev/shm): what our server and the HTTP/2 servers send.
class ContentFile {
 public:
  explicit ContentFile(std::size_t bytes);
  ~ContentFile();
  ContentFile(const ContentFile&) = delete;
  ContentFile& operator=(const ContentFile&) = delete;
  const std::string& folder() const { return folder_; }
  std::string name() const { return "content"; }
  ByteView view() const { return {static_cast<const std::byte*>(memory_), bytes_}; }

 private:
  std::string folder_;
  std::size_t bytes_;
  int fd_ = -1;
  void* memory_ = nullptr;
};

/// Download is a session over loopback whose server sends the content when asked.
class Download {
 public:
  Download(const ContentFile& content, const LinkPair::Shape& shape);
  /// rate fetches the whole content over one stream and returns bytes per second. `verify` compares every
  /// byte.
  double rate(bool verify = false);
  /// cpu is the processor time that client and server have used, ns.
  std::pair<double, double> cpu() { return pair_.cpu(); }

 private:
  const ContentFile& content_;
  LinkPair pair_;
  LinkPair::Stream stream_;
};

}  // namespace village::bench
