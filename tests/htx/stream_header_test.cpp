#include "village/htx/stream_header.hpp"

#include <gtest/gtest.h>

#include "support/vectors.hpp"

namespace village::htx {
namespace {

StreamHeader tcp(std::string_view target) { return {Service::tcp, parse_target(target).value()}; }

TEST(StreamHeader, IsWrittenAsTheBytesSay) {
  EXPECT_EQ(to_hex(encode_stream_header(tcp("192.0.2.7:443")).value()), "0101c000020701bb");
  EXPECT_EQ(to_hex(encode_stream_header(tcp("[2001:db8::1]:80")).value()),
            "010420010db80000000000000000000000010050");
  EXPECT_EQ(to_hex(encode_stream_header(tcp("a.example:8080")).value()), "010309612e6578616d706c651f90");
  EXPECT_EQ(to_hex(encode_stream_header({Service::rpc, std::nullopt}).value()), "03");
}

TEST(StreamHeader, RefusesToBeWrittenWithoutSense) {
  EXPECT_EQ(encode_stream_header({Service::tcp, std::nullopt}).error().code, Errc::bad_argument);
  EXPECT_EQ(encode_stream_header({Service::rpc, tcp("a:1").target}).error().code, Errc::bad_argument);
  auto zero = tcp("a:1");
  zero.target->port = 0;
  EXPECT_EQ(encode_stream_header(zero).error().code, Errc::bad_argument);
}

TEST(StreamHeaderParser, ReadsAnyHeaderInAnyPieces) {
  std::vector<StreamHeader> headers{tcp("192.0.2.7:443"), tcp("[2001:db8::1]:80"),
                                    tcp(std::string(255, 'x') + ":65535"), tcp("x:1")};
  for (const auto service : {Service::udp, Service::rpc, Service::tcpcl, Service::mix, Service::file}) {
    headers.push_back({service, std::nullopt});
  }
  headers.push_back({static_cast<Service>(0x80), std::nullopt});
  for (const auto& header : headers) {
    auto bytes = encode_stream_header(header).value();
    const auto size = bytes.size();
    for (const auto b : as_bytes("data behind")) bytes.push_back(b);
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      StreamHeaderParser parser;
      std::size_t used = 0;
      while (!parser.done()) {
        const auto taken =
            parser.receive(ByteView{bytes}.subspan(used, std::min(piece, bytes.size() - used)));
        ASSERT_TRUE(taken);
        used += *taken;
      }
      EXPECT_EQ(used, size);
      EXPECT_EQ(parser.header(), header);
      EXPECT_EQ(*parser.receive(as_bytes("more")), 0U);
    }
  }
}

TEST(StreamHeaderParser, RefusesWhatIsNoHeader) {
  const auto error_of = [](std::string_view hex_text) {
    StreamHeaderParser parser;
    const auto used = parser.receive(test::hex(hex_text));
    return used ? Errc{} : used.error().code;
  };
  EXPECT_EQ(error_of("00"), Errc::unsupported);
  EXPECT_EQ(error_of("07"), Errc::unsupported);
  EXPECT_EQ(error_of("7f"), Errc::unsupported);
  EXPECT_EQ(error_of("0102"), Errc::unsupported);            // ATYP 2
  EXPECT_EQ(error_of("0101c00002070000"), Errc::malformed);  // port 0
  EXPECT_NE(error_of("010300"), Errc{});                     // no name
  EXPECT_EQ(error_of("010301000050"), Errc::malformed);      // NUL
}

TEST(Status, MapsErrorsBothWays) {
  for (const auto code : {Errc::denied, Errc::net_unreachable, Errc::host_unreachable, Errc::refused,
                          Errc::timed_out, Errc::unsupported, Errc::io}) {
    EXPECT_EQ(errc_of(status_of(code)), code) << name(code);
  }
  EXPECT_EQ(status_of(Errc::name_not_found), Status::host_unreachable);
  EXPECT_EQ(status_of(Errc::busy), Status::general_failure);
  EXPECT_EQ(errc_of(static_cast<Status>(200)), Errc::io);
}

}  // namespace
}  // namespace village::htx
