// What a folder's files look like to a stranger, by HTTP/1.1 and by HTTP/2. By curl:
// tests/integration/decoy_test.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "service/decoy_site_h2.hpp"
#include "village/service/tunnel_limits.hpp"

namespace village::service {
namespace {

const std::string date = "Thu, 01 Jan 1970 00:00:00 GMT";

std::shared_ptr<const DecoySite> site() {
  std::string name = (std::filesystem::temp_directory_path() / "village-site-XXXXXX").string();
  const std::string folder = ::mkdtemp(name.data());
  std::ofstream{folder + "/index.html"} << "0123456789";
  std::ofstream{folder + "/big"} << std::string(1'000'000, 'b');
  auto loaded = DecoySite::load(folder);
  std::filesystem::remove_all(folder);
  return loaded ? *loaded : nullptr;
}

DecoySite::Reply ask(const DecoySite& files, const std::string& fields, const std::string& method = "GET") {
  return files.answer(method + " / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", date).reply;
}

std::string value(const DecoySite::Reply& reply, std::string_view name) {
  for (const auto& [each, text] : reply.fields) {
    if (each == name) return text;
  }
  return "";
}

TEST(DecoySite, AnswersConditions) {
  const auto files = site();
  const auto whole = ask(*files, "");
  ASSERT_EQ(whole.status, 200U);
  const auto etag = value(whole, "ETag"), modified = value(whole, "Last-Modified");
  EXPECT_EQ(ask(*files, "If-None-Match: " + etag + "\r\n").status, 304U);
  EXPECT_TRUE(ask(*files, "If-None-Match: " + etag + "\r\n").bytes().empty());
  EXPECT_EQ(ask(*files, "If-None-Match: \"x\"\r\n").status, 200U);
  EXPECT_EQ(ask(*files, "If-Modified-Since: " + modified + "\r\n").status, 304U);
  // The tag decides when both are there (RFC 9110 13.2.2).
  EXPECT_EQ(ask(*files, "If-None-Match: \"x\"\r\nIf-Modified-Since: " + modified + "\r\n").status, 200U);
}

TEST(DecoySite, TheLastAnswerSaysSo) {
  const DecoySite none;
  for (const bool last : {false, true}) {
    const auto answer = none.answer("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "now", last);
    EXPECT_EQ(answer.close, last);
    EXPECT_EQ(answer.head.find("Connection: close") != std::string::npos, last);
  }
}

TEST(DecoySite, AnswersRanges) {
  const auto files = site();
  const auto part = ask(*files, "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206U);
  EXPECT_EQ(as_text(part.bytes()), "234");
  EXPECT_EQ(value(part, "Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(as_text(ask(*files, "Range: bytes=-3\r\n").bytes()), "789");
  EXPECT_EQ(ask(*files, "Range: bytes=10-\r\n").status, 416U);
  const auto head = ask(*files, "", "HEAD");
  EXPECT_EQ(value(head, "Content-Length"), "10");
  EXPECT_TRUE(head.bytes().empty());
}

std::string frame(std::string_view payload, int type, int flags, unsigned stream) {
  const auto byte = [](std::size_t number) { return static_cast<char>(number & 0xff); };
  std::string out{byte(payload.size() >> 16), byte(payload.size() >> 8), byte(payload.size())};
  out += {static_cast<char>(type), static_cast<char>(flags)};
  out += {byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)};
  return out.append(payload);
}

const std::string opening = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame("", 4, 0, 0);
std::string get(unsigned stream, const std::string& path = "\x84") {
  return frame("\x82\x87" + path + "\x41\x01" + "a", 1, 5, stream);
}

/// All that is said to `text`.
std::string told(DecoySiteH2& connection, const std::string& text) {
  connection.on_bytes(as_bytes(text), date);
  std::string all;
  Bytes out;
  for (connection.next(out); !out.empty(); connection.next(out)) all += as_text(out);
  return all;
}

/// Frames of `type` in `text`, one after the other: their payloads.
std::vector<std::string> frames(std::string_view text, int type) {
  std::vector<std::string> found;
  while (text.size() >= 9) {
    const auto at = [&text](std::size_t i) { return std::size_t{static_cast<unsigned char>(text[i])}; };
    const auto size = std::min(at(0) << 16 | at(1) << 8 | at(2), text.size() - 9);
    if (at(3) == static_cast<std::size_t>(type)) found.emplace_back(text.substr(9, size));
    text.remove_prefix(9 + size);
  }
  return found;
}

TEST(DecoySiteH2, ShowsAFile) {
  DecoySiteH2 connection{site()};
  const auto answer = told(connection, opening + get(1));
  EXPECT_EQ(frames(answer, 0), std::vector<std::string>{"0123456789"});
  ASSERT_EQ(frames(answer, 1).size(), 1U);
  EXPECT_EQ(frames(answer, 1)[0][0], '\x88');  // :status 200
  EXPECT_FALSE(connection.over());
}

TEST(DecoySiteH2, SendsNoMoreThanTheWindow) {
  DecoySiteH2 connection{site()};
  std::size_t got = 0;
  for (const auto& piece : frames(told(connection, opening + get(1, std::string{"\x04\x04/big"})), 0))
    got += piece.size();
  EXPECT_EQ(got, 65'535U);
}

TEST(DecoySiteH2, EndsFloodsWithGoaway) {
  const auto calm = std::string{"\0\0\0\x0b", 4};
  const std::string ping = frame("12345678", 6, 0, 0), settings = frame("", 4, 0, 0);
  for (const int kind : {0, 1, 2}) {
    DecoySiteH2 connection{site()};
    std::string all = told(connection, opening);
    for (unsigned i = 0; i < limits::decoy_h2_nuisances_max + 2; ++i) {
      const auto id = 2 * i + 1;
      all += told(connection, kind == 0   ? ping
                              : kind == 1 ? settings
                                          : get(id) + frame(std::string{"\0\0\0\x08", 4}, 3, 0, id));
    }
    const auto ends = frames(all, 7);
    ASSERT_EQ(ends.size(), 1U) << kind;
    EXPECT_EQ(ends[0].substr(4, 4), calm) << kind;
    EXPECT_TRUE(connection.over());
  }
}

TEST(DecoySiteH2, EndsOnWhatIsNoHttp2) {
  DecoySiteH2 connection{site()};
  EXPECT_EQ(frames(told(connection, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 7).size(), 1U);
  EXPECT_TRUE(connection.over());
}

}  // namespace
}  // namespace village::service
