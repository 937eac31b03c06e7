// Own vectors, from a second implementation (tests/vectors/mix/generate.py): parsed and written again.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/mix/plain_payload.hpp"

namespace village::mix {
namespace {

using nlohmann::json;
using test::hex;

PayloadType type_of(const std::string& name) {
  if (name == "data") return PayloadType::data;
  if (name == "acknowledgement") return PayloadType::acknowledgement;
  if (name == "loop") return PayloadType::loop;
  if (name == "drop") return PayloadType::drop;
  if (name == "reply") return PayloadType::reply;
  ADD_FAILURE() << "unknown type " << name;
  return PayloadType{0};
}

/// Parts is a case with the memory that its views look into.
struct Parts {
  std::vector<Bytes> blocks;
  Bytes data;
  PlainPayload payload;

  explicit Parts(const json& v) : data{hex(v.at("data").get<std::string>())} {
    payload.type = type_of(v.at("type").get<std::string>());
    const auto id = hex(v.at("message_id").get<std::string>());
    VG_CHECK(id.size() == payload.message_id.size());
    std::copy(id.begin(), id.end(), payload.message_id.begin());
    payload.index = v.at("index").get<std::uint16_t>();
    payload.count = v.at("count").get<std::uint16_t>();
    for (const auto& surb : v.at("surbs")) blocks.push_back(hex(surb.at("bytes").get<std::string>()));
    std::size_t at = 0;
    for (const auto& surb : v.at("surbs")) {
      payload.reply_blocks.push_back({std::stoull(surb.at("epoch").get<std::string>()),
                                      ReplyForm{surb.at("form").get<std::uint8_t>()}, blocks[at++]});
    }
    payload.data = data;
  }
};

void expect_equal(const PlainPayload& a, const PlainPayload& b) {
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.message_id, b.message_id);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.count, b.count);
  EXPECT_EQ(to_hex(a.data), to_hex(b.data));
  ASSERT_EQ(a.reply_blocks.size(), b.reply_blocks.size());
  for (std::size_t i = 0; i < a.reply_blocks.size(); ++i) {
    EXPECT_EQ(a.reply_blocks[i].epoch, b.reply_blocks[i].epoch);
    EXPECT_EQ(a.reply_blocks[i].form, b.reply_blocks[i].form);
    EXPECT_EQ(to_hex(a.reply_blocks[i].bytes), to_hex(b.reply_blocks[i].bytes));
  }
}

TEST(PlainPayloadVectors, AreParsedAndWrittenAlike) {
  VG_VECTORS(text, "mix/plain_payload.json");
  const auto file = json::parse(text);
  ASSERT_FALSE(file.at("valid").empty());
  for (const auto& v : file["valid"]) {
    SCOPED_TRACE(v.at("name").get<std::string>());
    const Parts parts{v};
    const auto expected = hex(v.at("payload").get<std::string>());
    Bytes out(v.at("capacity").get<std::size_t>(), std::byte{0x55});
    ASSERT_TRUE(write_plain_payload(parts.payload, out));
    EXPECT_EQ(out, expected);
    const auto parsed = parse_plain_payload(expected, out.size());
    ASSERT_TRUE(parsed);
    expect_equal(*parsed, parts.payload);
  }
}

TEST(PlainPayloadVectors, RefusesTheInvalidOnes) {
  VG_VECTORS(text, "mix/plain_payload.json");
  const auto file = json::parse(text);
  ASSERT_FALSE(file.at("invalid").empty());
  for (const auto& v : file["invalid"]) {
    const auto payload = hex(v.at("payload").get<std::string>());
    EXPECT_FALSE(parse_plain_payload(payload, v.at("capacity").get<std::size_t>())) << v.at("name");
  }
}

}  // namespace
}  // namespace village::mix
