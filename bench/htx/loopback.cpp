#include "loopback.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace village::bench {
namespace {

constexpr std::size_t piece_bytes = 262'144;

boost::asio::awaitable<void> send_content(net::Core&, LinkPair::Stream stream, ByteView content) {
  for (;;) {
    std::byte asked;
    const auto request = co_await stream->read_some(ByteSpan{&asked, 1});
    if (!request || *request == 0) co_return;
    const auto written = co_await stream->write_all(content);
    if (!written) co_return;
  }
}

boost::asio::awaitable<void> fetch(LinkPair::Stream stream, ByteView content, bool verify) {
  Bytes buffer(piece_bytes);
  const std::byte ask{1};
  const auto asked = co_await stream->write_all(ByteView{&ask, 1});
  must(asked.has_value(), "cannot ask");
  for (std::size_t at = 0; at < content.size();) {
    const auto got = co_await stream->read_some(buffer);
    must(got.has_value() && *got > 0 && *got <= content.size() - at, "download ends early or late");
    if (verify) {
      must(std::memcmp(buffer.data(), content.data() + at, *got) == 0, "download differs");
    }
    at += *got;
  }
}

}  // namespace

ContentFile::ContentFile(std::size_t bytes) : bytes_{bytes} {
  std::string pattern = "/dev/shm/villaged-bench-XXXXXX";
  must(::mkdtemp(pattern.data()) != nullptr, "no folder in /dev/shm");
  folder_ = pattern;
  ::chmod(folder_.c_str(), 0755);
  fd_ = ::open((folder_ + "/" + name()).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  must(fd_ >= 0 && ::ftruncate(fd_, static_cast<off_t>(bytes)) == 0, "no content file");
  memory_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  must(memory_ != MAP_FAILED, "content cannot be mapped");
  Bytes block(1 << 20);
  SeededRandom{17}.fill(block);
  for (std::size_t at = 0; at < bytes; at += block.size()) {
    std::memcpy(block.data(), &at, sizeof at);  // every block differs
    std::memcpy(static_cast<std::byte*>(memory_) + at, block.data(), std::min(block.size(), bytes - at));
  }
}

ContentFile::~ContentFile() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
  if (fd_ >= 0) ::close(fd_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Download::Download(const ContentFile& content, const LinkPair::Shape& shape)
    : content_{content},
      pair_{shape,
            [&content](net::Core& core, LinkPair::Stream stream) {
              return send_content(core, std::move(stream), content.view());
            }},
      stream_{pair_.open()} {
  rate(true);
}

double Download::rate(bool verify) {
  const auto start = now_ns();
  pair_.run([&](net::Core&) { return fetch(stream_, content_.view(), verify); });
  return static_cast<double>(content_.view().size()) * 1e9 / static_cast<double>(now_ns() - start);
}

}  // namespace village::bench
