// The section `htx.tickets`, and the forms of its values.
#include "control/config_table.hpp"
#include "control/scalar_shapes.hpp"
#include "village/htx/limits.hpp"
#include "village/service/ticket_keyring.hpp"

namespace village::control {

using htx::BucketRules;
using htx::TicketPolicy;
using htx::TicketRules;
using service::TicketOptions;
using service::TicketUse;

Shape<htx::TicketPublic> ticket() {
  return scalar<htx::TicketPublic>(
      "\"<key id>.<public key>\" in base64url as in an invitation",
      {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{11}\\.[A-Za-z0-9_-]{43}$"}},
      [](const Json& value, Hint&) -> std::optional<htx::TicketPublic> {
        if (!value.is_string()) return std::nullopt;
        const auto read = service::parse_ticket_public(value.get<std::string>());
        return read ? std::optional{*read} : std::nullopt;
      },
      [](const htx::TicketPublic& value) { return Json(service::ticket_text(value)); });
}

namespace {

/// header_part reads one parameter of a BN-Ticket header.
std::optional<TicketPolicy> header_part(const char* key, const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const auto text = value.get<std::string>();
  if (text.find(';') != std::string::npos) return std::nullopt;
  const auto read = htx::parse_ticket_policy(std::string{"v1; "} + key + "=" + text);
  return read ? std::optional{*read} : std::nullopt;
}

/// header_text writes it: what stands between `key=` and the next semicolon.
std::string header_text(const char* key, const TicketPolicy& policy) {
  const auto text = htx::to_text(policy);
  const auto begin = text.find(std::string{key} + "=") + std::string_view{key}.size() + 1;
  return text.substr(begin, text.find(';', begin) - begin);
}

}  // namespace

Shape<TicketPolicy> ticket_carriers() {
  return scalar<TicketPolicy>(
      "carriers with weights such as \"cookie:0.5,query:0.5\"", {{"type", "string"}},
      [](const Json& value, Hint& hint) -> std::optional<TicketPolicy> {
        const auto read = header_part("carriers", value);
        if (!read || read->body == 0) return read;
        hint = "a ticket travels in a GET, which has no body";
        return std::nullopt;
      },
      [](const TicketPolicy& value) { return Json(header_text("carriers", value)); });
}

Shape<htx::TicketPadding> ticket_padding() {
  return scalar<htx::TicketPadding>(
      "a range within 24..64 such as \"24..64\"",
      {{"type", "string"}, {"pattern", "^[0-9]{2}\\.\\.[0-9]{2}$"}},
      [](const Json& value, Hint&) -> std::optional<htx::TicketPadding> {
        const auto read = header_part("len", value);
        return read ? std::optional{read->padding} : std::nullopt;
      },
      [](const htx::TicketPadding& value) {
        return Json(header_text("len", TicketPolicy{5'000, 5'000, 0, value}));
      });
}

namespace {

Field<TicketOptions> bucket_row(Field<BucketRules> row) {
  return through(&TicketOptions::rules, through(&TicketRules::bucket, std::move(row)));
}

/// carriers_row keeps the padding, which has a key of its own.
Field<TicketOptions> carriers_row() {
  const auto shape = shared(ticket_carriers());
  auto row = field({.name = "carriers",
                    .reload = Reload::new_sessions,
                    .doc = "Where the tickets that we show travel, with weights: cookie, query"},
                   &TicketOptions::policy, ticket_carriers());
  row.read = [shape](TicketOptions& owner, const Json& value, const Mark& mark, Reading& reading) {
    TicketPolicy read;
    if (!shape->read(read, value, mark, reading)) return false;
    read.padding = owner.policy.padding;
    owner.policy = read;
    return true;
  };
  return row;
}

}  // namespace

Shape<TicketOptions> tickets_section() {
  constexpr auto later = Reload::new_sessions;
  return object<TicketOptions>({
      field(
          {.name = "policy",
           .doc = "Whether peers that come in by outer \"tls\" must show a ticket, \"required\" or \"off\"; "
                  "without it the address can be probed"},
          &TicketOptions::use,
          choice<TicketUse>({{"required", TicketUse::required}, {"off", TicketUse::off}})),
      through(&TicketOptions::rules,
              field({.name = "pretag",
                     .reload = later,
                     .doc = "Whether a ticket must bear the mark that only invited peers can make, which is "
                            "checked before anything expensive, \"require\" or \"ignore\""},
                    &TicketRules::pretag_required, choice<bool>({{"require", true}, {"ignore", false}}))),
      bucket_row(field({.name = "bucket",
                        .reload = later,
                        .doc = "Bad tickets in a row that one network (/24, /56) may send"},
                       &BucketRules::capacity, whole<std::uint32_t>(1, 100'000))),
      bucket_row(
          field({.name = "bucket_refill", .reload = later, .doc = "Time after which it may send one more"},
                &BucketRules::refill, duration(1ms, 1h))),
      through(&TicketOptions::rules,
              field({.name = "replays_max",
                     .reload = later,
                     .doc = "Accepted tickets remembered, 40 bytes each, for two to three hours; when as "
                            "many came in, new ones are refused"},
                    &TicketRules::replays_max, whole<std::size_t>(100, htx::limits::ticket_replays_max))),
      carriers_row(),
      through(
          &TicketOptions::policy,
          field({.name = "padding", .reload = later, .doc = "Bytes of padding of the tickets that we show"},
                &TicketPolicy::padding, ticket_padding())),
      field({.name = "keys",
             .doc =
                 "File with the ticket keys, made when it is not there; \"\" = ticket.keys in the state_dir"},
            &TicketOptions::key_path, optional_path()),
      field({.name = "rotation",
             .reload = later,
             .doc = "Age at which a new ticket key takes over by itself; 0s = only by \"villaged peer "
                    "rotate-tickets\". Peers need a new invitation before the overlap ends"},
            &TicketOptions::rotation, duration(0s, 17'520h)),
      field({.name = "overlap",
             .reload = later,
             .doc = "How long the tickets of a replaced key are still accepted"},
            &TicketOptions::overlap, duration(0s, 8'760h)),
  });
}

}  // namespace village::control
