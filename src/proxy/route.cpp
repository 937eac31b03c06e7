// The index turns "first rule that matches" into "least index among the candidates that match": each way to
// name a destination (exact name, suffix, keyword, address block, any) leads to an ascending list of rules,
// and each list is walked only as far as the best rule found so far.
#include "village/proxy/route.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "text.hpp"
#include "village/base/check.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {
namespace {

using Index = std::uint32_t;
using Rules = std::vector<Index>;
constexpr Index no_rule = std::numeric_limits<Index>::max();

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
template <class T>
using TextMap = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

void append(Rules& rules, Index rule) {
  if (rules.empty() || rules.back() != rule) rules.push_back(rule);
}

/// What of a rule is left to check once its destination matched.
struct Conditions {
  Rules inbounds;               // ids, sorted
  std::vector<PortSpan> ports;  // sorted, disjoint
  std::optional<Network> network;
};

struct Question {
  Index inbound;
  Network network;
  std::uint16_t port;
};

bool holds(const Conditions& conditions, const Question& question) {
  if (conditions.network && *conditions.network != question.network) return false;
  if (!conditions.inbounds.empty() &&
      !std::binary_search(conditions.inbounds.begin(), conditions.inbounds.end(), question.inbound)) {
    return false;
  }
  if (conditions.ports.empty()) return true;
  const auto after =
      std::upper_bound(conditions.ports.begin(), conditions.ports.end(), question.port,
                       [](std::uint16_t port, const PortSpan& span) { return port < span.first; });
  return after != conditions.ports.begin() && question.port <= std::prev(after)->last;
}

Result<std::vector<PortSpan>> merged(std::vector<PortSpan> spans) {
  for (const auto& span : spans) {
    if (span.first > span.last) return fail(Errc::bad_argument);
  }
  std::sort(spans.begin(), spans.end(),
            [](const PortSpan& a, const PortSpan& b) { return a.first < b.first; });
  std::vector<PortSpan> out;
  for (const auto& span : spans) {
    if (!out.empty() && span.first <= out.back().last) {
      out.back().last = std::max(out.back().last, span.last);
    } else {
      out.push_back(span);
    }
  }
  return out;
}

/// Names are compared lower-cased and without their trailing dot.
std::string folded_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return lowered(name);
}

/// The prefix of an address as a key: its first `bits` bits, the rest zero.
std::string prefix_key(ByteView address, unsigned bits) {
  std::string key{as_text(address)};
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto kept = std::clamp<int>(static_cast<int>(bits) - static_cast<int>(8 * i), 0, 8);
    key[i] = static_cast<char>(static_cast<unsigned char>(key[i]) & (0xff00U >> kept));
  }
  return key;
}

/// Blocks of one address family, by prefix length.
class BlockIndex {
 public:
  void add(ByteView address, unsigned bits, Index rule) {
    append(by_bits_[bits][prefix_key(address, bits)], rule);
  }

  template <class Visit>
  void candidates(ByteView address, Visit visit) const {
    for (const auto& [bits, blocks] : by_bits_) {
      if (const auto found = blocks.find(prefix_key(address, bits)); found != blocks.end())
        visit(found->second);
    }
  }

 private:
  std::unordered_map<unsigned, TextMap<Rules>> by_bits_;
};

std::optional<ByteView> mapped_ipv4(const Ipv6Address& address) {
  const bool mapped =
      std::all_of(address.begin(), address.begin() + 10, [](std::byte b) { return b == std::byte{0}; }) &&
      address[10] == std::byte{0xff} && address[11] == std::byte{0xff};
  if (!mapped) return std::nullopt;
  return ByteView{address}.subspan(12);
}

}  // namespace

struct RouteTable::State {
  std::vector<Conditions> conditions;
  TextMap<Index> inbound_ids;
  TextMap<Rules> domains;
  TextMap<Rules> suffixes;
  std::vector<std::pair<std::string, Index>> keywords;  // ascending by rule
  BlockIndex blocks4, blocks6;
  Rules anywhere;
  std::size_t entries = 0;

  Result<void> add(const RouteRule& rule, Index index);
  Result<void> add_names(const RouteRule& rule, Index index);
  Result<void> add_blocks(const RouteRule& rule, Index index);
  Index id_of(std::string_view inbound);
  void improve(const Rules& candidates, const Question& question, Index& best) const;
  void match_name(std::string_view name, const Question& question, Index& best) const;
  void match_address(const Host& host, const Question& question, Index& best) const;
};

Index RouteTable::State::id_of(std::string_view inbound) {
  return inbound_ids.try_emplace(std::string{inbound}, static_cast<Index>(inbound_ids.size())).first->second;
}

Result<void> RouteTable::State::add_names(const RouteRule& rule, Index index) {
  for (const auto& name : rule.domains) {
    const auto folded = folded_name(name);
    if (folded.empty()) return fail(Errc::bad_argument);
    append(domains[folded], index);
  }
  for (const auto& name : rule.suffixes) {
    const auto folded = folded_name(std::string_view{name}.substr(name.starts_with('.') ? 1 : 0));
    if (folded.empty()) return fail(Errc::bad_argument);
    append(suffixes[folded], index);
  }
  for (const auto& word : rule.keywords) {
    if (word.empty()) return fail(Errc::bad_argument);
    keywords.emplace_back(lowered(word), index);
  }
  return ok();
}

Result<void> RouteTable::State::add_blocks(const RouteRule& rule, Index index) {
  for (const auto& block : rule.blocks) {
    const auto size = block.address.size();
    if ((size != 4 && size != 16) || block.bits > 8 * size) return fail(Errc::bad_argument);
    (size == 4 ? blocks4 : blocks6).add(block.address, block.bits, index);
  }
  return ok();
}

Result<void> RouteTable::State::add(const RouteRule& rule, Index index) {
  entries += rule.domains.size() + rule.suffixes.size() + rule.keywords.size() + rule.blocks.size() +
             rule.ports.size() + rule.inbounds.size();
  if (entries > limits::route_entries_max) return fail(Errc::limit_exceeded);
  VG_TRY_VOID(add_names(rule, index));
  VG_TRY_VOID(add_blocks(rule, index));
  const bool any =
      rule.domains.empty() && rule.suffixes.empty() && rule.keywords.empty() && rule.blocks.empty();
  if (any) anywhere.push_back(index);
  VG_TRY(ports, merged(rule.ports));
  Conditions& left = conditions.emplace_back();
  left.ports = std::move(ports);
  left.network = rule.network;
  for (const auto& inbound : rule.inbounds) left.inbounds.push_back(id_of(inbound));
  std::sort(left.inbounds.begin(), left.inbounds.end());
  return ok();
}

void RouteTable::State::improve(const Rules& candidates, const Question& question, Index& best) const {
  for (const auto rule : candidates) {
    if (rule >= best) return;
    if (holds(conditions[rule], question)) {
      best = rule;
      return;
    }
  }
}

void RouteTable::State::match_name(std::string_view name, const Question& question, Index& best) const {
  if (const auto found = domains.find(name); found != domains.end()) improve(found->second, question, best);
  if (!suffixes.empty()) {
    for (auto suffix = name;;) {
      if (const auto found = suffixes.find(suffix); found != suffixes.end())
        improve(found->second, question, best);
      const auto dot = suffix.find('.');
      if (dot == std::string_view::npos) break;
      suffix.remove_prefix(dot + 1);
    }
  }
  for (const auto& [word, rule] : keywords) {
    if (rule >= best) break;
    if (name.find(word) != std::string_view::npos && holds(conditions[rule], question)) best = rule;
  }
}

void RouteTable::State::match_address(const Host& host, const Question& question, Index& best) const {
  const auto visit = [&](const Rules& candidates) { improve(candidates, question, best); };
  if (const auto* v4 = std::get_if<Ipv4Address>(&host)) blocks4.candidates(*v4, visit);
  if (const auto* v6 = std::get_if<Ipv6Address>(&host)) {
    blocks6.candidates(*v6, visit);
    if (const auto inner = mapped_ipv4(*v6)) blocks4.candidates(*inner, visit);
  }
}

RouteTable::RouteTable(std::unique_ptr<const State> state) : state_{std::move(state)} {}
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;
RouteTable::~RouteTable() = default;

Result<RouteTable> RouteTable::compile(const std::vector<RouteRule>& rules) {
  if (rules.size() > limits::route_rules_max) return fail(Errc::limit_exceeded, limits::route_rules_max);
  auto state = std::make_unique<State>();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (const auto added = state->add(rules[i], static_cast<Index>(i)); !added)
      return fail(added.error().code, i);
  }
  return RouteTable{std::move(state)};
}

std::optional<std::size_t> RouteTable::match(std::string_view inbound, Network network,
                                             const Target& target) const {
  const auto id = state_->inbound_ids.find(inbound);
  const Question question{id == state_->inbound_ids.end() ? no_rule : id->second, network, target.port};
  Index best = no_rule;
  state_->improve(state_->anywhere, question, best);
  if (const auto* name = std::get_if<DomainName>(&target.host)) {
    state_->match_name(folded_name(name->text()), question, best);
  } else {
    state_->match_address(target.host, question, best);
  }
  if (best == no_rule) return std::nullopt;
  VG_CHECK(best < state_->conditions.size());
  return best;
}

}  // namespace village::proxy
