// Reader, Writer and varints.
#include "village/wire/reader.hpp"

#include <gtest/gtest.h>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/wire/utf8.hpp"
#include "village/wire/varint.hpp"
#include "village/wire/writer.hpp"

namespace village::wire {
namespace {

using test::hex;

TEST(Reader, ReadsBothByteOrders) {
  const auto in = hex("0102030405060708090a0b0c0d0e0f101112");
  Reader reader{in};
  EXPECT_EQ(reader.u8().value(), 0x01);
  EXPECT_EQ(reader.u16().value(), 0x0203);
  EXPECT_EQ(reader.u24().value(), 0x040506U);
  EXPECT_EQ(reader.u32().value(), 0x0708090AU);
  EXPECT_EQ(reader.u64().value(), 0x0B0C0D0E0F101112U);
  EXPECT_TRUE(reader.at_end());
  Reader little{in};
  EXPECT_EQ(little.u16le().value(), 0x0201);
  EXPECT_EQ(little.u24le().value(), 0x050403U);
  EXPECT_EQ(little.u32le().value(), 0x09080706U);
  EXPECT_EQ(little.u64le().value(), 0x11100F0E0D0C0B0AU);
  EXPECT_EQ(little.remaining(), 1U);
}

TEST(Reader, DoesNotMoveWhenInputIsShort) {
  const auto in = hex("010203");
  Reader reader{in};
  EXPECT_TRUE(reader.skip(1));
  EXPECT_EQ(reader.u32().error(), (Error{Errc::truncated, 1}));
  EXPECT_EQ(reader.u24le().error(), (Error{Errc::truncated, 1}));
  EXPECT_EQ(reader.bytes(3).error(), (Error{Errc::truncated, 1}));
  EXPECT_EQ(reader.fixed<8>().error(), (Error{Errc::truncated, 1}));
  EXPECT_EQ(reader.bytes(SIZE_MAX).error(), (Error{Errc::truncated, 1}));
  EXPECT_EQ(reader.position(), 1U);
  EXPECT_EQ(reader.finish().error(), (Error{Errc::trailing_bytes, 1}));
  EXPECT_EQ(to_hex(reader.since(0)), "01");
  EXPECT_EQ(reader.peek().value(), 2);
  EXPECT_EQ(to_hex(reader.rest()), "0203");
  EXPECT_EQ(reader.peek().error().code, Errc::truncated);
  EXPECT_TRUE(reader.finish());
  EXPECT_TRUE(reader.rest().empty());
}

/// put writes one of each to the writer.
void put(Writer& writer) {
  writer.u8(0xA1);
  writer.u16(0xB1B2);
  writer.u24(0xC1C2C3);
  writer.u32(0xD1D2D3D4);
  writer.u64(0xE1E2E3E4E5E6E7E8);
  writer.u16le(0xB1B2);
  writer.u24le(0xC1C2C3);
  writer.u32le(0xD1D2D3D4);
  writer.u64le(0xE1E2E3E4E5E6E7E8);
  writer.text("xy");
  writer.zeros(2);
}
constexpr std::string_view put_hex =
    "a1b1b2c1c2c3d1d2d3d4e1e2e3e4e5e6e7e8b2b1c3c2c1d4d3d2d1e8e7e6e5e4e3e2e178790000";

TEST(Writer, WritesBothByteOrdersIntoBothForms) {
  ByteArray<64> memory;
  Writer fixed{memory};
  put(fixed);
  EXPECT_EQ(to_hex(fixed.finish().value()), put_hex);
  Bytes owned;
  Writer growing{owned, 1000};
  put(growing);
  EXPECT_EQ(to_hex(growing.finish().value()), put_hex);
  EXPECT_EQ(to_hex(owned), put_hex);
}

TEST(Writer, EveryCapacityBelowTheNeedFailsAndNeverWritesBeyond) {
  const std::size_t need = put_hex.size() / 2;
  for (std::size_t capacity = 0; capacity < need; ++capacity) {
    Bytes memory(need + 8, std::byte{0x55});
    Writer fixed{ByteSpan{memory}.first(capacity)};
    put(fixed);
    EXPECT_EQ(fixed.finish().error(), (Error{Errc::limit_exceeded, static_cast<std::uint32_t>(capacity)}));
    EXPECT_EQ(Bytes(memory.begin() + static_cast<std::ptrdiff_t>(capacity), memory.end()),
              Bytes(need + 8 - capacity, std::byte{0x55}));
    Bytes owned;
    Writer growing{owned, capacity};
    put(growing);
    EXPECT_FALSE(growing.finish());
    EXPECT_LE(owned.size(), capacity);
  }
}

TEST(Writer, OverflowIsSticky) {
  ByteArray<3> memory{};
  Writer writer{memory};
  writer.u16(1);
  writer.u16(2);
  writer.u8(3);  // would fit, but the message has a hole already
  EXPECT_TRUE(writer.overflowed());
  EXPECT_EQ(writer.position(), 2U);
  EXPECT_TRUE(writer.gap(1).empty());
  writer.patch_u16(0, 0xFFFF);
  EXPECT_EQ(to_hex(writer.written()), "0001");
}

TEST(Writer, PatchesALengthWrittenBefore) {
  Bytes out = hex("ff");
  Writer writer{out, 100};
  const auto length_at = writer.position();
  writer.u16(0);
  writer.text("abc");
  writer.patch_u16(length_at, static_cast<std::uint16_t>(writer.position() - length_at - 2));
  EXPECT_EQ(to_hex(out), "ff0003616263");
}

TEST(Varint, MatchesTheExamplesOfRfc9000) {
  const std::pair<std::uint64_t, const char*> examples[] = {
      {151288809941952652, "c2197c5eff14e88c"}, {494878333, "9d7f3e7d"}, {15293, "7bbd"}, {37, "25"}};
  for (const auto& [value, text] : examples) {
    const auto in = hex(text);
    Reader reader{in};
    EXPECT_EQ(read_varint(reader).value(), value);
    EXPECT_TRUE(reader.at_end());
    Bytes out;
    Writer writer{out, 8};
    write_varint(writer, value);
    EXPECT_EQ(out, in);
  }
}

TEST(Varint, LongerFormsAreAcceptedUnlessToldOtherwise) {
  for (const char* text : {"4025", "80000025", "c000000000000025"}) {
    const auto in = hex(text);
    Reader reader{in};
    EXPECT_EQ(read_varint(reader, Form::shortest).error().code, Errc::not_canonical);
    EXPECT_EQ(reader.position(), 0U);
    EXPECT_EQ(read_varint(reader).value(), 37U);
  }
}

TEST(Leb128, RefusesWhatIsTooLongOrNotShortest) {
  const auto read = [](std::string_view text, Form form = Form::shortest, std::size_t bytes_max = 10) {
    const auto in = hex(text);
    Reader reader{in};
    return read_leb128(reader, form, bytes_max);
  };
  EXPECT_EQ(read("e58e26").value(), 624485U);
  EXPECT_EQ(read("00").value(), 0U);
  EXPECT_EQ(read("8000").error().code, Errc::not_canonical);
  EXPECT_EQ(read("8000", Form::any).value(), 0U);
  EXPECT_EQ(read("ffffffffffffffffff01").value(), UINT64_MAX);
  EXPECT_EQ(read("ffffffffffffffffff02").error().code, Errc::limit_exceeded);
  EXPECT_EQ(read("ffffffffffffffffff8100").error().code, Errc::limit_exceeded);
  EXPECT_EQ(read("ffffffff0f", Form::shortest, 4).error().code, Errc::limit_exceeded);
  EXPECT_EQ(read("ffffff7f", Form::shortest, 4).value(), (1U << 28) - 1);
}

template <class Write, class Read, class Size>
void round_trips(std::uint64_t value, Write write, Read read, Size size) {
  Bytes out;
  Writer writer{out, 16};
  write(writer, value);
  ASSERT_EQ(out.size(), size(value));
  Reader reader{out};
  ASSERT_EQ(read(reader).value(), value);
  ASSERT_TRUE(reader.at_end());
  for (std::size_t cut = 0; cut < out.size(); ++cut) {
    Reader cut_short{ByteView{out}.first(cut)};
    ASSERT_EQ(read(cut_short).error().code, Errc::truncated);
    ASSERT_EQ(cut_short.position(), 0U);
  }
}

TEST(Varint, RoundTripsAndKnowsTruncationAtEachByte) {
  SeededRandom random{1};
  for (int i = 0; i < 20000; ++i) {
    const auto value = random.u64() >> random.below(64);
    round_trips(
        value >> 2, write_varint, [](Reader& r) { return read_varint(r, Form::shortest); }, varint_bytes);
    round_trips(
        value, write_leb128, [](Reader& r) { return read_leb128(r); }, leb128_bytes);
  }
}

TEST(Utf8, AcceptsTheEdgesAndRefusesTheirNeighbours) {
  for (const char* good :
       {"", "00", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf", "f0908080", "f48fbfbf"}) {
    EXPECT_TRUE(is_utf8(hex(good))) << good;
  }
  for (const char* bad : {"80", "c0af", "c1bf", "c2", "c27f", "e09fbf", "eda080", "edbfbf", "e0a0",
                          "f08fbfbf", "f4908080", "f5808080", "f09080", "ff", "c2c0", "6180"}) {
    EXPECT_FALSE(is_utf8(hex(bad))) << bad;
  }
}

}  // namespace
}  // namespace village::wire
