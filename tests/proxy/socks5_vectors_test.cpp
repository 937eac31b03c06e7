#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/proxy/socks5.hpp"

namespace village::proxy {
namespace {

using test::hex;
using Json = nlohmann::json;

/// Runs a whole handshake whose last message is `message`, byte by byte.
std::optional<Socks5Request> request_of(ByteView message) {
  const Credentials nobody;
  Socks5Handshake handshake{nobody};
  handshake.on_bytes(hex("050100"));
  for (const auto b : message) {
    if (handshake.on_bytes(ByteView{&b, 1}) != 1) return std::nullopt;
  }
  if (!handshake.done()) return std::nullopt;
  return handshake.request();
}

void check_greeting(ByteView message) {
  const Credentials nobody;
  Credentials somebody;
  somebody.add("u", "p");
  const auto offered = message.subspan(2);
  for (const auto* users : std::initializer_list<const Credentials*>{&nobody, &somebody}) {
    const auto wanted = users->empty() ? std::byte{0} : std::byte{2};
    const bool acceptable = std::find(offered.begin(), offered.end(), wanted) != offered.end();
    Socks5Handshake handshake{*users};
    EXPECT_EQ(handshake.on_bytes(message), message.size());
    ASSERT_EQ(handshake.output().size(), 2U);
    EXPECT_EQ(handshake.output()[1], acceptable ? wanted : std::byte{0xff});
    EXPECT_EQ(handshake.failed(), !acceptable);
  }
}

void check_password(const Json& item, ByteView message) {
  for (const bool right : {true, false}) {
    Credentials users;
    users.add(item.at("user").get<std::string>(),
              item.at("password").get<std::string>() + (right ? "" : "x"));
    Socks5Handshake handshake{users};
    handshake.on_bytes(hex("050102"));
    handshake.clear_output();
    EXPECT_EQ(handshake.on_bytes(message), message.size());
    EXPECT_EQ(to_hex(handshake.output()), right ? "0100" : "0101");
  }
}

void check_request(const Json& item, ByteView message, Socks5Command command) {
  const auto request = request_of(message);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->command, command);
  EXPECT_EQ(to_text(request->target), item.at("addr").get<std::string>());
}

void check_datagram(const Json& item, ByteView message) {
  const auto parsed = parse_socks5_datagram(message);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(to_text(parsed->target), item.at("addr").get<std::string>());
  EXPECT_EQ(to_hex(parsed->data), item.at("data").get<std::string>());
  Bytes written;
  wire::Writer writer{written, 65'536};
  write_socks5_datagram_header(writer, parsed->target);
  writer.bytes(parsed->data);
  EXPECT_EQ(to_hex(writer.written()), to_hex(message));
}

TEST(Socks5Vectors, AllStepsAreReadAsWritten) {
  VG_VECTORS(text, "proxy/socks5.json");
  const auto items = Json::parse(text).at("socks5");
  ASSERT_FALSE(items.empty());
  for (const auto& item : items) {
    const auto step = item.at("step").get<std::string>();
    const auto message = hex(item.at("bytes").get<std::string>());
    SCOPED_TRACE(item.dump());
    if (step.starts_with("greeting")) {
      check_greeting(message);
    } else if (step == "userpass") {
      check_password(item, message);
    } else if (step == "connect") {
      check_request(item, message, Socks5Command::connect);
    } else if (step == "udp associate") {
      check_request(item, message, Socks5Command::udp_associate);
    } else if (step == "udp datagram") {
      check_datagram(item, message);
    } else {
      ADD_FAILURE() << "unknown step";
    }
  }
}

}  // namespace
}  // namespace village::proxy
