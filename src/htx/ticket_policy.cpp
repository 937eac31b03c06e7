#include "village/htx/ticket_policy.hpp"

#include <charconv>
#include <optional>

namespace village::htx {
namespace {

constexpr std::string_view header_name = "BN-Ticket:";
constexpr std::uint16_t whole_weight = 10'000;

/// Text is a cursor that remembers where in the whole it is.
class Text {
 public:
  explicit Text(std::string_view whole) : whole_{whole}, rest_{whole} {}

  Error error() const { return fail(Errc::malformed, whole_.size() - rest_.size()); }
  bool at_end() const { return rest_.empty(); }
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view take_until(std::string_view stops) {
    const auto taken = rest_.substr(0, rest_.find_first_of(stops));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::optional<std::uint32_t> number(std::size_t digits_max) {
    std::uint32_t value = 0;
    const auto digits = rest_.substr(0, digits_max);
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (end.ec != std::errc{}) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end.ptr - digits.data()));
    return value;
  }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view whole_, rest_;
};

/// weight reads 0, 1, 0.5, 0.0625 in ten-thousandths.
Result<std::uint16_t> weight(Text& text) {
  const auto ones = text.number(1);
  if (!ones || *ones > 1) return text.error();
  auto value = *ones * whole_weight;
  if (text.take(".")) {
    const auto before = text.left();
    const auto decimals = text.number(4);
    if (!decimals) return text.error();
    auto scaled = *decimals;
    for (auto read = before - text.left(); read < 4; ++read) scaled *= 10;
    value += scaled;
  }
  if (value > whole_weight) return text.error();
  return static_cast<std::uint16_t>(value);
}

Result<void> carriers(Text& text, TicketPolicy& policy) {
  policy.cookie = policy.query = policy.body = 0;
  bool seen[3] = {};
  do {
    text.skip_blanks();
    const auto carrier = text.take("cookie:")  ? TicketCarrier::cookie
                         : text.take("query:") ? TicketCarrier::query
                                               : TicketCarrier::body;
    if (carrier == TicketCarrier::body && !text.take("body:")) return text.error();
    if (std::exchange(seen[static_cast<std::size_t>(carrier)], true)) return text.error();
    VG_TRY(value, weight(text));
    auto& place = carrier == TicketCarrier::cookie  ? policy.cookie
                  : carrier == TicketCarrier::query ? policy.query
                                                    : policy.body;
    place = value;
    text.skip_blanks();
  } while (text.take(","));
  if (policy.cookie + policy.query + policy.body == 0) return text.error();
  return ok();
}

Result<void> length(Text& text, TicketPolicy& policy) {
  const auto from = text.number(3);
  if (!from || !text.take("..")) return text.error();
  const auto to = text.number(3);
  if (!to || *from < ticket_padding_bytes_min || *from > *to || *to > ticket_padding_bytes_max) {
    return text.error();
  }
  policy.padding = {*from, *to};
  return ok();
}

void add_carrier(std::string& text, std::string_view name, std::uint16_t value) {
  if (value == 0) return;
  if (text.back() != '=') text += ',';
  text += name;
  text += ':';
  text += value >= whole_weight ? '1' : '0';
  auto decimals = std::to_string(value % whole_weight);
  decimals.insert(0, 4 - decimals.size(), '0');
  decimals.erase(decimals.find_last_not_of('0') + 1);
  if (!decimals.empty()) text += '.' + decimals;
}

}  // namespace

TicketCarrier TicketPolicy::draw(RandomSource& random) const {
  const std::uint32_t sum = std::uint32_t{cookie} + query;
  if (sum == 0) return TicketCarrier::cookie;
  return random.below(sum) < cookie ? TicketCarrier::cookie : TicketCarrier::query;
}

Result<TicketPolicy> parse_ticket_policy(std::string_view whole) {
  if (whole.size() > ticket_policy_text_max) return fail(Errc::limit_exceeded, whole.size());
  Text text{whole};
  TicketPolicy policy;
  if (text.take(header_name)) text.skip_blanks();
  const auto version = text.take_until("; \t");
  if (version != "v1") return fail(Errc::version);
  bool seen_carriers = false, seen_length = false;
  for (text.skip_blanks(); !text.at_end(); text.skip_blanks()) {
    if (!text.take(";")) return text.error();
    text.skip_blanks();
    if (text.take("carriers=")) {
      if (std::exchange(seen_carriers, true)) return text.error();
      VG_TRY_VOID(carriers(text, policy));
    } else if (text.take("len=")) {
      if (std::exchange(seen_length, true)) return text.error();
      VG_TRY_VOID(length(text, policy));
    } else if (text.take_until(";").empty()) {
      return text.error();
    }
  }
  return policy;
}

std::string to_text(const TicketPolicy& policy) {
  std::string text = "v1; carriers=";
  add_carrier(text, "cookie", policy.cookie);
  add_carrier(text, "query", policy.query);
  add_carrier(text, "body", policy.body);
  return text + "; len=" + std::to_string(policy.padding.bytes_min) + ".." +
         std::to_string(policy.padding.bytes_max);
}

}  // namespace village::htx
