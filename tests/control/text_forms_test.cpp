#include "control/text_forms.hpp"

#include <gtest/gtest.h>

#include "control/suggest.hpp"

namespace village::control {
namespace {

TEST(TextForms, DurationsReadBack) {
  for (const Duration value : {Duration{0}, Duration{1}, Duration{1'500us}, Duration{10s}, Duration{90s},
                               Duration{2h}, Duration{72h}}) {
    EXPECT_EQ(parse_duration(duration_text(value)), value) << duration_text(value);
  }
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(120s), "2m");
  EXPECT_EQ(parse_duration("500ms"), Duration{500ms});
  for (const auto* text : {"", "s", "10", "10 s", "-1s", "1.5s", "10x", "9223372036854775808ns",
                           "99999999999999999999s", "106752d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(TextForms, SizesReadBack) {
  for (const std::uint64_t value : {0ULL, 1ULL, 1'000ULL, 1'024ULL, 65'498ULL, 1ULL << 20, 3ULL << 30}) {
    EXPECT_EQ(parse_size(size_text(value)), value) << size_text(value);
  }
  EXPECT_EQ(size_text(1 << 20), "1MiB");
  EXPECT_EQ(size_text(1'000), "1000");
  for (const auto* text : {"", "KiB", "1KB", "1 KiB", "-1", "1.5MiB", "9999999TiB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(TextForms, RangesAreWholeBlocks) {
  EXPECT_EQ(range_text(parse_range("10.0.0.0/8").value()), "10.0.0.0/8");
  EXPECT_EQ(range_text(parse_range("2001:db8::/32").value()), "2001:db8::/32");
  EXPECT_EQ(range_text(parse_range("0.0.0.0/0").value()), "0.0.0.0/0");
  EXPECT_EQ(range_text(parse_range("::1").value()), "::1/128");
  for (const auto* text : {"10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "example.org",
                           "", "10.0.0.0/8/8"}) {
    EXPECT_FALSE(parse_range(text)) << text;
  }
}

TEST(TextForms, PortsAreOneOrARange) {
  EXPECT_EQ(parse_ports("443")->last, 443);
  EXPECT_EQ(parse_ports("1-65535")->last, 65'535);
  for (const auto* text : {"", "0", "65536", "2-1", "1-", "-1", "a", "1-2-3", " 1"})
    EXPECT_FALSE(parse_ports(text)) << text;
}

TEST(TextForms, NearestFindsWhatWasMeant) {
  const std::vector<std::string> words{"listen", "certificate", "outer", "handshake_timeout", "idle_timeout"};
  EXPECT_EQ(nearest("lisetn", words), "listen");
  EXPECT_EQ(nearest("Listen", words), "listen");
  EXPECT_EQ(nearest("cert", words), "certificate");
  EXPECT_EQ(nearest("handshake-timeout", words), "handshake_timeout");
  EXPECT_EQ(nearest("colour", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(1'000, 'a'), words), "");
}

}  // namespace
}  // namespace village::control
