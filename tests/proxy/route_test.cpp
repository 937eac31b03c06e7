#include "village/proxy/route.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "village/base/random.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {
namespace {

AddressBlock block(std::string_view text, unsigned bits) {
  const auto host = parse_host(text);
  if (const auto* v4 = std::get_if<Ipv4Address>(&*host)) return {to_bytes(*v4), bits};
  return {to_bytes(std::get<Ipv6Address>(*host)), bits};
}

RouteTable table(const std::vector<RouteRule>& rules) {
  auto compiled = RouteTable::compile(rules);
  EXPECT_TRUE(compiled);
  return *std::move(compiled);
}

std::optional<std::size_t> ask(const RouteTable& routes, std::string_view target,
                               std::string_view inbound = "in", Network network = Network::tcp) {
  return routes.match(inbound, network, *parse_target(target));
}

RouteRule domain(std::string name) { return {.domains = {std::move(name)}}; }
RouteRule suffix(std::string name) { return {.suffixes = {std::move(name)}}; }

TEST(RouteTable, EmptyMatchesNothing) { EXPECT_FALSE(ask(table({}), "a:1")); }

TEST(RouteTable, RuleWithoutListsMatchesEverything) {
  const auto routes = table({{}});
  EXPECT_EQ(ask(routes, "a:1"), 0U);
  EXPECT_EQ(ask(routes, "[::1]:1", "x", Network::udp), 0U);
}

TEST(RouteTable, FirstMatchWins) {
  const auto routes = table({domain("a.example"), suffix("example"), {}, domain("b.example")});
  EXPECT_EQ(ask(routes, "a.example:1"), 0U);
  EXPECT_EQ(ask(routes, "b.example:1"), 1U);
  EXPECT_EQ(ask(routes, "c.test:1"), 2U);
}

TEST(RouteTable, NamesIgnoreCaseAndTrailingDot) {
  const auto routes = table({domain("Example.ORG."), suffix(".Test.")});
  EXPECT_EQ(ask(routes, "EXAMPLE.org:1"), 0U);
  EXPECT_EQ(ask(routes, "example.org.:1"), 0U);
  EXPECT_EQ(ask(routes, "a.b.TEST.:1"), 1U);
  EXPECT_EQ(ask(routes, "test:1"), 1U);
  EXPECT_FALSE(ask(routes, "atest:1"));
  EXPECT_FALSE(ask(routes, "www.example.org:1"));
  EXPECT_FALSE(ask(routes, "test.a:1"));
}

TEST(RouteTable, KeywordsMatchAnywhere) {
  const auto routes = table({{.keywords = {"TRACK"}}});
  EXPECT_EQ(ask(routes, "my.tracker.example:1"), 0U);
  EXPECT_FALSE(ask(routes, "trac.k.example:1"));
}

TEST(RouteTable, BlocksMatchLiteralsOnly) {
  const auto routes = table({{.blocks = {block("10.1.2.3", 8)}}, {.blocks = {block("2001:db8::", 33)}}});
  EXPECT_EQ(ask(routes, "10.255.0.1:1"), 0U);
  EXPECT_FALSE(ask(routes, "11.0.0.1:1"));
  EXPECT_EQ(ask(routes, "[::ffff:10.0.0.1]:1"), 0U);
  EXPECT_EQ(ask(routes, "[2001:db8:7fff::1]:1"), 1U);
  EXPECT_FALSE(ask(routes, "[2001:db8:8000::1]:1"));
  EXPECT_FALSE(ask(routes, "name:1"));
}

TEST(RouteTable, PrefixLengthsAtTheirEnds) {
  const auto routes = table({{.blocks = {block("1.2.3.4", 32)}},
                             {.blocks = {block("0.0.0.0", 0)}},
                             {.blocks = {block("::1", 128)}},
                             {.blocks = {block("::", 0)}}});
  EXPECT_EQ(ask(routes, "1.2.3.4:1"), 0U);
  EXPECT_EQ(ask(routes, "1.2.3.5:1"), 1U);
  EXPECT_EQ(ask(routes, "[::1]:1"), 2U);
  EXPECT_EQ(ask(routes, "[::2]:1"), 3U);
}

TEST(RouteTable, AllConditionsMustHold) {
  const auto routes = table({{.inbounds = {"a", "b"},
                              .suffixes = {"example"},
                              .ports = {{80, 80}, {8'000, 8'100}},
                              .network = Network::tcp}});
  EXPECT_EQ(ask(routes, "x.example:80", "a"), 0U);
  EXPECT_EQ(ask(routes, "x.example:8100", "b"), 0U);
  EXPECT_FALSE(ask(routes, "x.example:8101", "b"));
  EXPECT_FALSE(ask(routes, "x.example:79", "b"));
  EXPECT_FALSE(ask(routes, "x.example:80", "c"));
  EXPECT_FALSE(ask(routes, "x.test:80", "a"));
  EXPECT_FALSE(ask(routes, "x.example:80", "a", Network::udp));
}

TEST(RouteTable, DestinationListsCountAsOne) {
  const auto routes = table({{.domains = {"a.b"}, .keywords = {"zz"}, .blocks = {block("192.0.2.0", 24)}}});
  EXPECT_EQ(ask(routes, "a.b:1"), 0U);
  EXPECT_EQ(ask(routes, "xzzx:1"), 0U);
  EXPECT_EQ(ask(routes, "192.0.2.9:1"), 0U);
  EXPECT_FALSE(ask(routes, "192.0.3.9:1"));
}

TEST(RouteTable, RefusesRulesThatCannotBeMeant) {
  const auto index_of_error = [](RouteRule bad) {
    const auto compiled = RouteTable::compile({{}, std::move(bad)});
    EXPECT_FALSE(compiled);
    return compiled ? 99U : compiled.error().detail;
  };
  EXPECT_EQ(index_of_error(domain("")), 1U);
  EXPECT_EQ(index_of_error(domain(".")), 1U);
  EXPECT_EQ(index_of_error(suffix(".")), 1U);
  EXPECT_EQ(index_of_error({.keywords = {""}}), 1U);
  EXPECT_EQ(index_of_error({.blocks = {block("10.0.0.0", 33)}}), 1U);
  EXPECT_EQ(index_of_error({.blocks = {{Bytes(5), 8}}}), 1U);
  EXPECT_EQ(index_of_error({.ports = {{2, 1}}}), 1U);
  EXPECT_FALSE(RouteTable::compile(std::vector<RouteRule>(limits::route_rules_max + 1)));
}

// ---------------------------------------------------------------- against a naive reading of the rules

std::string plain(std::string_view name) {
  std::string out{name};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

bool in_block(ByteView address, const AddressBlock& range) {
  if (address.size() != range.address.size()) return false;
  for (unsigned bit = 0; bit < range.bits; ++bit) {
    const auto mask = std::byte{0x80} >> (bit % 8);
    if ((address[bit / 8] & mask) != (range.address[bit / 8] & mask)) return false;
  }
  return true;
}

bool naive_destination(const RouteRule& rule, const Host& host) {
  if (rule.domains.empty() && rule.suffixes.empty() && rule.keywords.empty() && rule.blocks.empty())
    return true;
  if (const auto* domain_name = std::get_if<DomainName>(&host)) {
    const auto name = plain(domain_name->text());
    for (const auto& want : rule.domains) {
      if (name == plain(want)) return true;
    }
    for (const auto& want : rule.suffixes) {
      if (name == plain(want) || name.ends_with("." + plain(want))) return true;
    }
    return std::any_of(rule.keywords.begin(), rule.keywords.end(),
                       [&](const auto& word) { return name.find(plain(word)) != std::string::npos; });
  }
  Bytes address;
  if (const auto* v4 = std::get_if<Ipv4Address>(&host)) address = to_bytes(*v4);
  if (const auto* v6 = std::get_if<Ipv6Address>(&host)) address = to_bytes(*v6);
  const bool mapped = address.size() == 16 && to_hex(address).starts_with("00000000000000000000ffff");
  return std::any_of(rule.blocks.begin(), rule.blocks.end(), [&](const auto& range) {
    return in_block(address, range) || (mapped && in_block(ByteView{address}.subspan(12), range));
  });
}

bool naive_match(const RouteRule& rule, std::string_view inbound, Network network, const Target& target) {
  if (rule.network && *rule.network != network) return false;
  if (!rule.inbounds.empty() &&
      std::find(rule.inbounds.begin(), rule.inbounds.end(), inbound) == rule.inbounds.end()) {
    return false;
  }
  if (!rule.ports.empty() && std::none_of(rule.ports.begin(), rule.ports.end(), [&](const auto& span) {
        return span.first <= target.port && target.port <= span.last;
      })) {
    return false;
  }
  return naive_destination(rule, target.host);
}

/// A small world, so that matches are frequent.
struct World {
  SeededRandom random;

  bool rarely() { return random.below(4) == 0; }
  std::string name() {
    static constexpr const char* labels[] = {"a", "B", "ab", "example", "Org", "x-1"};
    std::string text = labels[random.below(6)];
    for (auto more = random.below(4); more > 0; --more) text += std::string{"."} + labels[random.below(6)];
    return rarely() ? text + "." : text;
  }
  Host address() {
    if (random.below(2) == 0) {
      Ipv4Address v4{};
      for (auto& b : v4) b = static_cast<std::byte>(random.below(3) * 85);
      return v4;
    }
    Ipv6Address v6{};
    if (rarely()) v6[10] = v6[11] = std::byte{0xff};
    for (std::size_t i = 12; i < 16; ++i) v6[i] = static_cast<std::byte>(random.below(3) * 85);
    if (rarely()) v6[0] = static_cast<std::byte>(random.below(256));
    return v6;
  }
  AddressBlock range() {
    const auto host = address();
    if (const auto* v4 = std::get_if<Ipv4Address>(&host))
      return {to_bytes(*v4), static_cast<unsigned>(random.below(33))};
    return {to_bytes(std::get<Ipv6Address>(host)), static_cast<unsigned>(random.below(129))};
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(1 + random.below(12)); }
  std::string inbound() { return std::string(1, static_cast<char>('p' + random.below(3))); }
  Network network() { return random.below(2) == 0 ? Network::tcp : Network::udp; }

  RouteRule rule() {
    RouteRule rule;
    if (rarely()) rule.inbounds = {inbound(), inbound()};
    while (rarely()) rule.domains.push_back(name());
    while (rarely()) rule.suffixes.push_back(name());
    if (rarely() && rarely()) rule.keywords.push_back(plain(name()));
    while (rarely()) rule.blocks.push_back(range());
    while (random.below(2) == 0) {
      const auto first = port();
      rule.ports.push_back({first, static_cast<std::uint16_t>(first + random.below(4))});
    }
    if (rarely()) rule.network = network();
    return rule;
  }
  Target target() {
    if (random.below(2) == 0) return {address(), port()};
    return {*DomainName::parse(name()), port()};
  }
};

TEST(RouteTable, AgreesWithTheNaiveReading) {
  World world{SeededRandom{7}};
  std::size_t hits = 0, late = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<RouteRule> rules;
    for (auto n = world.random.below(40); n > 0; --n) rules.push_back(world.rule());
    const auto routes = table(rules);
    for (int question = 0; question < 100; ++question) {
      const auto inbound = world.inbound();
      const auto network = world.network();
      const auto target = world.target();
      const auto expected = std::find_if(rules.begin(), rules.end(), [&](const auto& rule) {
        return naive_match(rule, inbound, network, target);
      });
      const auto found = routes.match(inbound, network, target);
      if (expected == rules.end()) {
        ASSERT_FALSE(found) << to_text(target);
        continue;
      }
      ASSERT_EQ(found, static_cast<std::size_t>(expected - rules.begin())) << to_text(target);
      ++hits;
      late += *found > 4 ? 1 : 0;
    }
  }
  EXPECT_GT(hits, 10'000U);
  EXPECT_GT(late, 1'000U);
}

TEST(RouteTable, ThousandsOfRulesCostAFewLookUps) {
  std::vector<RouteRule> rules;
  for (int i = 0; i < 20'000; ++i) rules.push_back(suffix("n" + std::to_string(i) + ".example"));
  const auto routes = table(rules);
  std::size_t sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    sum += *routes.match("in", Network::tcp,
                         *parse_target("www.n" + std::to_string(i % 20'000) + ".example:443"));
  }
  EXPECT_EQ(sum, 5ULL * 20'000 * 19'999 / 2);
}

}  // namespace
}  // namespace village::proxy
