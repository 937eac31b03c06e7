#include "control/mix_routes.hpp"

#include <charconv>

#include "control/json.hpp"
#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

namespace asio = net::asio;

constexpr std::uint64_t reply_blocks_max = 32;

HttpReply json_reply(int status, const Json& body) {
  HttpReply reply;
  reply.status = status;
  reply.body = body.dump() + "\n";
  return reply;
}

HttpReply bad(std::string_view message) { return error_reply(400, "bad_argument", message); }

/// number reads a whole number of the query; `fallback` if it is not there, nullopt if it is no number or too
/// large.
std::optional<std::uint64_t> number(const HttpRequest& request, std::string_view key, std::uint64_t fallback,
                                    std::uint64_t most) {
  const auto text = query_value(request.query, key);
  if (!text) return fallback;
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = problem == std::errc{} && end == text->data() + text->size();
  return whole && value <= most ? std::optional{value} : std::nullopt;
}

/// failure words what the mixnet's client said.
HttpReply failure(const Error& error) {
  switch (error.code) {
    case Errc::not_found:
      return error_reply(404, "not_found",
                         "no such gateway in the directory, or nothing to reply with (each reply block works "
                         "once)");
    case Errc::busy:
      return error_reply(429, "busy", "too many messages are under way; try later");
    case Errc::denied:
      return error_reply(503, "no_directory", "there is no valid directory now; see villaged status");
    case Errc::timed_out:
      return error_reply(504, "timed_out", "it did not come back in time");
    case Errc::limit_exceeded:
    case Errc::bad_argument:
      return error_reply(400, name(error.code),
                         "a message has 1 byte to 1 MiB, a reply as much as its blocks");
    default:
      return error_reply(503, name(error.code), "the mixnet's client cannot do it now");
  }
}

Json message_json(const service::MixIncoming& message) {
  return {{"sequence", message.sequence},
          {"id", message.id},
          {"from", message.from ? Json(wire::base64url(*message.from)) : Json(nullptr)},
          {"reply_to", message.reply_to.empty() ? Json(nullptr) : Json(message.reply_to)},
          {"reply_blocks", message.reply_blocks},
          {"message", wire::base64url(message.message)}};
}

asio::awaitable<HttpReply> send(const MixHooks& hooks, HttpRequest request) {
  service::MixOutgoing out;
  const auto to = query_value(request.query, "to");
  out.reply_to = query_value(request.query, "reply_to").value_or("");
  if (to.has_value() == !out.reply_to.empty()) co_return bad("say \"to\" or \"reply_to\"");
  if (to) {
    const auto address = service::MixAddress::parse(*to);
    if (!address) co_return bad("\"to\" is <key>@<name of the gateway>, as \"villaged mix keys\" prints it");
    out.to = *address;
  }
  const auto blocks = number(request, "reply_blocks", 0, reply_blocks_max);
  const auto within = number(request, "within_s", 3'600, 86'400);
  if (!blocks || !within) co_return bad("\"reply_blocks\" is 0 to 32, \"within_s\" up to 86400");
  out.reply_blocks = static_cast<std::uint32_t>(*blocks);
  out.within = std::chrono::seconds{*within};
  if (request.body.empty()) co_return bad("the message is empty");
  out.message = to_bytes(std::string_view{request.body});
  const auto id = co_await hooks.send(std::move(out));
  if (!id) co_return failure(id.error());
  co_return json_reply(202, Json{{"id", *id}});
}

asio::awaitable<HttpReply> receive(const MixHooks& hooks, HttpRequest request) {
  const auto after = number(request, "after", 0, ~std::uint64_t{0});
  const auto wait = number(request, "wait_s", 0, static_cast<std::uint64_t>(limits::mix_wait_max.count()));
  if (!after || !wait) co_return bad("\"after\" is a sequence, \"wait_s\" at most 60");
  const auto messages = co_await hooks.receive(*after, std::chrono::seconds{*wait});
  if (!messages) co_return failure(messages.error());
  auto list = Json::array();
  for (const auto& message : *messages) list.push_back(message_json(message));
  co_return json_reply(200, Json{{"messages", std::move(list)}});
}

std::string_view name(service::MixFate fate) {
  switch (fate) {
    case service::MixFate::under_way:
      return "under_way";
    case service::MixFate::delivered:
      return "delivered";
    case service::MixFate::failed:
      return "failed";
    case service::MixFate::unknown:
      break;
  }
  return "unknown";
}

asio::awaitable<HttpReply> ping(const MixHooks& hooks, HttpRequest request) {
  const auto within = number(request, "within_s", 10, 60);
  if (!within) co_return bad("\"within_s\" is at most 60");
  const auto time = co_await hooks.ping(std::chrono::seconds{*within});
  if (!time) co_return failure(time.error());
  co_return json_reply(200, Json{{"ms", static_cast<double>(time->count()) / 1e6}});
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    auto pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (!pair.starts_with(key) || pair.size() == key.size() || pair[key.size()] != '=') continue;
    pair.remove_prefix(key.size() + 1);
    std::string value;
    for (std::size_t i = 0; i < pair.size(); ++i) {
      if (pair[i] != '%') {
        value.push_back(pair[i]);
        continue;
      }
      const int high = i + 2 < pair.size() ? hex_digit(pair[i + 1]) : -1;
      const int low = i + 2 < pair.size() ? hex_digit(pair[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      value.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
    return value;
  }
  return std::nullopt;
}

asio::awaitable<HttpReply> answer_mix(const MixHooks& hooks, HttpRequest request) {
  if (request.path == "/api/v1/mix/send") co_return co_await send(hooks, std::move(request));
  if (request.path == "/api/v1/mix/recv") co_return co_await receive(hooks, std::move(request));
  if (request.path == "/api/v1/mix/ping") co_return co_await ping(hooks, std::move(request));
  const auto id = query_value(request.query, "id");
  if (!id) co_return bad("say which: id=...");
  co_return json_reply(200, Json{{"id", *id}, {"state", name(hooks.fate(*id))}});
}

}  // namespace village::control
