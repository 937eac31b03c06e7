#include "village/wire/cbor.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/hash.hpp"

namespace village::wire {
namespace {

using nlohmann::json;
using test::hex;

/// value_of reads the vector file's notation: $i integer as text, $b hex, $map pairs, the rest as JSON.
CborValue value_of(const json& v) {
  if (v.is_null()) return {};
  if (v.is_boolean()) return CborValue::boolean(v.get<bool>());
  if (v.is_string()) return CborValue::text(v.get<std::string>());
  if (v.is_array()) {
    CborValue::Array items;
    for (const auto& item : v) items.push_back(value_of(item));
    return CborValue::array(std::move(items));
  }
  if (v.contains("$b")) return CborValue::bytes(hex(v["$b"].get<std::string>()));
  if (v.contains("$i")) {
    const auto digits = v["$i"].get<std::string>();
    if (digits[0] == '-') return CborValue::nint(std::stoull(digits.substr(1)) - 1);
    return CborValue::uint(std::stoull(digits));
  }
  CborValue::Map entries;
  for (const auto& pair : v.at("$map")) entries.push_back({value_of(pair[0]), value_of(pair[1])});
  return CborValue::map(std::move(entries));
}

TEST(CborVectors, EncodeCasesBothWays) {
  VG_VECTORS(text, "htx/detcbor.json");
  std::size_t count = 0;
  const auto file = json::parse(text);
  for (const auto& v : file.at("encode")) {
    const auto wire = hex(v.at("cbor").get<std::string>());
    const auto encoded = encode_cbor(value_of(v.at("value")));
    ASSERT_TRUE(encoded) << v;
    EXPECT_EQ(to_hex(*encoded), to_hex(wire));
    EXPECT_EQ(to_hex(crypto::sha256(*encoded)), v.at("sha256"));
    const auto decoded = decode_cbor(wire);
    ASSERT_TRUE(decoded) << v;
    EXPECT_EQ(encode_cbor(*decoded).value(), wire);
    for (std::size_t cut = 0; cut < wire.size(); ++cut) {
      EXPECT_EQ(validate_cbor(ByteView{wire}.first(cut)).error().code, Errc::truncated) << v;
    }
    ++count;
  }
  EXPECT_GT(count, 0U);
}

TEST(CborVectors, RejectList) {
  VG_VECTORS(text, "htx/detcbor.json");
  std::size_t count = 0;
  const auto file = json::parse(text);
  for (const auto& v : file.at("reject")) {
    const auto in = hex(v.get<std::string>());
    EXPECT_FALSE(validate_cbor(in)) << v;
    EXPECT_FALSE(CborReader::open(in)) << v;
    EXPECT_FALSE(decode_cbor(in)) << v;
    ++count;
  }
  EXPECT_GT(count, 0U);
}

TEST(Cbor, NamesTheReasonOfARefusal) {
  const std::pair<const char*, Errc> cases[] = {{"", Errc::truncated},
                                                {"1817", Errc::not_canonical},
                                                {"190017", Errc::not_canonical},
                                                {"1a0000ffff", Errc::not_canonical},
                                                {"1b00000000ffffffff", Errc::not_canonical},
                                                {"5fff", Errc::not_canonical},
                                                {"9fff", Errc::not_canonical},
                                                {"1f", Errc::malformed},
                                                {"3c", Errc::malformed},
                                                {"c100", Errc::unsupported},
                                                {"f93c00", Errc::unsupported},
                                                {"f7", Errc::unsupported},
                                                {"f814", Errc::unsupported},
                                                {"ff", Errc::unsupported},
                                                {"61c3", Errc::malformed},
                                                {"0000", Errc::trailing_bytes},
                                                {"a2616101616102", Errc::not_canonical},
                                                {"a2616201616102", Errc::not_canonical},
                                                {"a220012002", Errc::not_canonical},
                                                {"9bffffffffffffffff", Errc::truncated},
                                                {"bb800000000000000000", Errc::truncated},
                                                {"5bffffffffffffffff00", Errc::truncated},
                                                {"a101", Errc::truncated}};
  for (const auto& [text, code] : cases) {
    const auto result = validate_cbor(hex(text));
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, code) << text << " " << name(result.error().code);
  }
}

TEST(Cbor, KeepsKeyOrderInEveryNestedMap) {
  EXPECT_TRUE(
      validate_cbor(hex("a2616180"
                        "6162a1616301")));
  EXPECT_FALSE(
      validate_cbor(hex("a16161"
                        "a2616301616201")));
  EXPECT_TRUE(
      validate_cbor(hex("a2"
                        "8101"
                        "00"
                        "8102"
                        "00")));  // containers as keys
  EXPECT_FALSE(
      validate_cbor(hex("a2"
                        "8102"
                        "00"
                        "8101"
                        "00")));
  EXPECT_TRUE(
      validate_cbor(hex("a2"
                        "80"
                        "a0"
                        "a0"
                        "80")));
}

Bytes nested(std::size_t depth, std::byte head) {
  Bytes in(depth, head);
  in.push_back(std::byte{0});
  return in;
}

TEST(Cbor, BoundsDepthItemsAndBytes) {
  EXPECT_TRUE(decode_cbor(nested(limits::cbor_depth_max, std::byte{0x81})));
  EXPECT_EQ(decode_cbor(nested(limits::cbor_depth_max + 1, std::byte{0x81})).error().code,
            Errc::limit_exceeded);
  EXPECT_FALSE(validate_cbor(nested(60000, std::byte{0x81}), {.bytes_max = 1 << 20, .depth_max = SIZE_MAX}));
  Bytes many = hex("990fff");  // 4095 elements and the array itself
  many.resize(many.size() + 4095);
  EXPECT_TRUE(validate_cbor(many));
  many[2] = std::byte{0};
  many[1] = std::byte{0x10};
  many.push_back(std::byte{0});
  EXPECT_EQ(validate_cbor(many).error().code, Errc::limit_exceeded);
  EXPECT_EQ(validate_cbor(hex("83010203"), {.bytes_max = 3}).error().code, Errc::limit_exceeded);
  EXPECT_EQ(encode_cbor(CborValue::text("abcd"), {.bytes_max = 4}).error().code, Errc::limit_exceeded);
  CborValue deep;
  for (std::size_t i = 0; i < limits::cbor_depth_max; ++i) deep = CborValue::array({deep});
  EXPECT_TRUE(encode_cbor(deep));
  EXPECT_EQ(encode_cbor(CborValue::array({deep})).error().code, Errc::limit_exceeded);
}

TEST(Cbor, EncodingRefusesDuplicateKeysAndBrokenText) {
  const auto one = CborValue::uint(1);
  EXPECT_EQ(encode_cbor(CborValue::map({{one, one}, {one, CborValue{}}})).error().code, Errc::bad_argument);
  EXPECT_EQ(encode_cbor(CborValue::text("\xC3")).error().code, Errc::bad_argument);
  EXPECT_EQ(encode_cbor(CborValue::map({{CborValue::text("\xFF"), one}})).error().code, Errc::bad_argument);
}

TEST(CborReader, WalksAndRefusesAnotherKind) {
  // {"a": [1, -2, h'03', true], "b": {}, "cc": null}
  const auto in = hex("a361618401214103f56162a0626363f6");
  auto cbor = CborReader::open(in).value();
  EXPECT_FALSE(cbor.array());
  EXPECT_EQ(cbor.map().value(), 3U);
  EXPECT_FALSE(cbor.bytes());
  EXPECT_EQ(cbor.text().value(), "a");
  EXPECT_EQ(cbor.array().value(), 4U);
  EXPECT_EQ(cbor.kind().value(), CborKind::uint);
  EXPECT_EQ(cbor.integer().value(), 1);
  EXPECT_FALSE(cbor.uint());
  EXPECT_EQ(cbor.integer().value(), -2);
  EXPECT_FALSE(cbor.text());
  EXPECT_EQ(to_hex(cbor.bytes().value()), "03");
  EXPECT_FALSE(cbor.null());
  EXPECT_TRUE(cbor.boolean().value());
  EXPECT_EQ(cbor.text().value(), "b");
  EXPECT_TRUE(cbor.skip());
  EXPECT_EQ(cbor.text().value(), "cc");
  EXPECT_FALSE(cbor.boolean());
  EXPECT_TRUE(cbor.null());
  EXPECT_TRUE(cbor.at_end());
  EXPECT_FALSE(cbor.kind());
  EXPECT_FALSE(cbor.skip());
}

TEST(CborReader, IntegerStaysWithin64Bits) {
  const auto read = [](std::string_view text) {
    const auto in = hex(text);
    return CborReader::open(in).value().integer();
  };
  EXPECT_EQ(read("1b7fffffffffffffff").value(), INT64_MAX);
  EXPECT_EQ(read("3b7fffffffffffffff").value(), INT64_MIN);
  EXPECT_EQ(read("1b8000000000000000").error().code, Errc::limit_exceeded);
  EXPECT_EQ(read("3b8000000000000000").error().code, Errc::limit_exceeded);
}

TEST(CborReader, SkipPassesOverAnyValue) {
  const auto in =
      hex("82"
          "8301826161824102410303"
          "a10102");  // [[1, ["a", [h'02', h'03']], 3], {1: 2}]
  auto cbor = CborReader::open(in).value();
  EXPECT_EQ(cbor.array().value(), 2U);
  EXPECT_TRUE(cbor.skip());
  EXPECT_EQ(cbor.map().value(), 1U);
  EXPECT_TRUE(cbor.skip());
  EXPECT_EQ(cbor.uint().value(), 2U);
  EXPECT_TRUE(cbor.at_end());
}

TEST(CborWriter, StreamsWhatTheValueFormEncodes) {
  Bytes out;
  Writer writer{out, 100};
  CborWriter cbor{writer};
  cbor.map(2);
  cbor.text("l2");
  cbor.text("betanet/htx/1.2.0");
  cbor.text("zzz");
  cbor.array(4);
  cbor.integer(INT64_MIN);
  cbor.bytes(hex("00ff"));
  cbor.boolean(false);
  cbor.null();
  const auto value = CborValue::map(
      {{CborValue::text("zzz"),
        CborValue::array(
            {CborValue::integer(INT64_MIN), CborValue::bytes(hex("00ff")), CborValue::boolean(false), {}})},
       {CborValue::text("l2"), CborValue::text("betanet/htx/1.2.0")}});
  EXPECT_EQ(to_hex(out), to_hex(encode_cbor(value).value()));
  EXPECT_EQ(*value.find("l2")->as_text(), "betanet/htx/1.2.0");
  EXPECT_EQ(value.find("l3"), nullptr);
  EXPECT_EQ(CborValue{}.find("l2"), nullptr);
}

CborValue random_value(SeededRandom& random, std::size_t depth) {
  const auto number = random.u64() >> random.below(64);
  const auto size = random.below(30);
  switch (random.below(depth > 0 ? 8 : 6)) {
    case 0:
      return CborValue::uint(number);
    case 1:
      return CborValue::nint(number);
    case 2: {
      Bytes data(size);
      random.fill(data);
      return CborValue::bytes(data);
    }
    case 3:
      return CborValue::text(std::string(size, 'a') + "\xE6\xB0\xB4" + std::to_string(number));
    case 4:
      return CborValue::boolean(number % 2 == 0);
    case 5:
      return {};
    case 6: {
      CborValue::Array items;
      for (std::size_t i = 0; i < size % 6; ++i) items.push_back(random_value(random, depth - 1));
      return CborValue::array(std::move(items));
    }
    default: {
      CborValue::Map entries;
      for (std::size_t i = 0; i < size % 6; ++i) {
        entries.push_back({CborValue::uint(1000 * i + random.below(1000)), random_value(random, depth - 1)});
      }
      return CborValue::map(std::move(entries));
    }
  }
}

TEST(Cbor, RandomValuesRoundTripAndTruncationIsSeenAtEachByte) {
  SeededRandom random{7};
  for (int i = 0; i < 2000; ++i) {
    const auto value = random_value(random, 5);
    const auto wire = encode_cbor(value);
    if (!wire) continue;  // more than the limits take
    const auto decoded = decode_cbor(*wire);
    ASSERT_TRUE(decoded);
    ASSERT_EQ(*decoded, value);  // keys were made ascending
    ASSERT_EQ(encode_cbor(*decoded).value(), *wire);
    for (std::size_t cut = 0; cut < wire->size(); ++cut) {
      ASSERT_FALSE(validate_cbor(ByteView{*wire}.first(cut)));
    }
  }
}

TEST(Cbor, WhateverIsAcceptedIsTheOneEncoding) {
  SeededRandom random{8};
  std::size_t accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    auto wire = encode_cbor(random_value(random, 3)).value();
    for (std::uint64_t flips = random.below(3); flips > 0; --flips) {
      wire[random.below(wire.size())] ^= static_cast<std::byte>(1U << random.below(8));
    }
    const auto decoded = decode_cbor(wire);
    if (!decoded) continue;
    ++accepted;
    ASSERT_EQ(to_hex(encode_cbor(*decoded).value()), to_hex(wire));
  }
  EXPECT_GT(accepted, 1000U);
}

}  // namespace
}  // namespace village::wire
