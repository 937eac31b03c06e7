#include "control/peer_uri.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "village/control/limits.hpp"
#include "village/service/ticket_keyring.hpp"
#include "village/wire/base64.hpp"

namespace village::control {
namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;

/// split cuts `text` at the first `mark`; the part behind it is empty if there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  const auto at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool read_parameters(std::string_view query, Parameters& out, std::string& problem) {
  while (!query.empty()) {
    const auto [pair, rest] = split(query, '&');
    const auto [key, value] = split(pair, '=');
    query = rest;
    constexpr std::string_view known[] = {"outer", "pin", "suites", "ticket", "path", "cookie", "name"};
    if (std::find(std::begin(known), std::end(known), key) == std::end(known)) {
      problem = "the invitation has the unknown parameter \"" + std::string{key} +
                "\"; it may come from a newer villaged, or be damaged";
      return false;
    }
    if (!out.emplace(key, value).second) {
      problem = "the invitation gives \"" + std::string{key} + "\" twice";
      return false;
    }
  }
  return true;
}

bool read_suites(std::string_view text, std::vector<htx::Suite>& out, std::string& problem) {
  out.clear();
  const auto& built = suites_built();
  for (bool more = true; more;) {
    more = text.find(',') != std::string_view::npos;
    const auto [number_text, rest] = split(text, ',');
    text = rest;
    unsigned number = 0;
    const auto r = std::from_chars(number_text.data(), number_text.data() + number_text.size(), number);
    if (r.ec != std::errc{} || r.ptr != number_text.data() + number_text.size() || number == 0 ||
        number > 255) {
      problem = "the invitation's suites are no list of numbers such as 5,3";
      return false;
    }
    const auto suite = static_cast<htx::Suite>(number);
    const bool known = std::find(built.begin(), built.end(), suite) != built.end();
    if (known && std::find(out.begin(), out.end(), suite) == out.end()) out.push_back(suite);
  }
  if (out.empty())
    problem = "this build speaks none of the invitation's suites; use the same villaged on both sides";
  return !out.empty();
}

bool read_outer(const Parameters& parameters, service::TunnelPeer& peer, std::string& problem) {
  if (const auto outer = parameters.find("outer"); outer != parameters.end()) {
    if (outer->second != "tls" && outer->second != "none") {
      problem = "the invitation's outer is \"" + outer->second + "\", expected tls or none";
      return false;
    }
    peer.outer = outer->second == "tls" ? service::Outer::tls : service::Outer::none;
  }
  if (const auto pin = parameters.find("pin"); pin != parameters.end()) {
    peer.pin = key_bytes(pin->second);
    if (!peer.pin || peer.outer == service::Outer::none) {
      problem = peer.pin ? "the invitation has a pin, but outer=none has no certificate"
                         : "the invitation's pin is damaged";
      return false;
    }
  }
  if (const auto ticket = parameters.find("ticket"); ticket != parameters.end()) {
    const auto read = service::parse_ticket_public(ticket->second);
    if (!read || peer.outer == service::Outer::none) {
      problem = read ? "the invitation has a ticket key, but outer=none takes no tickets"
                     : "the invitation's ticket key is damaged; copy it again";
      return false;
    }
    peer.ticket = *read;
  }
  return true;
}

bool read_upgrade(const Parameters& parameters, proxy::UpgradePlace& place, std::string& problem) {
  const auto take = [&](const char* name, std::string& into, bool (*good)(std::string_view)) {
    const auto found = parameters.find(name);
    if (found == parameters.end()) return true;
    into = found->second;
    if (!good(into)) problem = std::string{"the invitation's "} + name + " is damaged";
    return good(into);
  };
  return take("path", place.path, proxy::is_upgrade_path) &&
         take("cookie", place.cookie, proxy::is_cookie_name);
}

}  // namespace

std::optional<service::TunnelPeer> parse_peer_uri(std::string_view text, std::string& problem) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  const auto refuse = [&problem](std::string why) {
    problem = std::move(why);
    return std::nullopt;
  };
  if (text.size() > limits::peer_uri_bytes_max) return refuse("the invitation is longer than any can be");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c >= 0x7F; })) {
    return refuse("the invitation holds blanks or other characters that do not belong there; copy it again");
  }
  constexpr std::string_view scheme = "htx://";
  if (!text.starts_with(scheme))
    return refuse("an invitation begins with htx://; \"villaged peer invite\" makes one on the other node");
  const auto [authority, query] = split(text.substr(scheme.size()), '?');
  const auto [key_text, address_text] = split(authority, '@');
  service::TunnelPeer peer;
  const auto key = key_bytes(key_text);
  if (!key || !crypto::x25519_public(*key))
    return refuse("the key in the invitation is damaged; copy it again");
  peer.key = *key;
  auto address = parse_target(address_text);
  if (!address)
    return refuse("the invitation's address \"" + std::string{address_text} + "\" is no host:port");
  peer.address = *std::move(address);
  Parameters parameters;
  if (!read_parameters(query, parameters, problem) || !read_outer(parameters, peer, problem) ||
      !read_upgrade(parameters, peer.upgrade, problem)) {
    return std::nullopt;
  }
  if (const auto suites = parameters.find("suites"); suites != parameters.end()) {
    if (!read_suites(suites->second, peer.suites, problem)) return std::nullopt;
  }
  if (const auto name = parameters.find("name"); name != parameters.end()) {
    if (!is_label(name->second)) return refuse("the invitation's name is not made of a-z, 0-9 and \"-\"");
    peer.name = name->second;
  }
  return peer;
}

std::string peer_uri(const service::TunnelPeer& peer) {
  auto uri = "htx://" + wire::base64url(peer.key) + "@" + to_text(peer.address.value());
  uri += peer.outer == service::Outer::tls ? "?outer=tls" : "?outer=none";
  if (peer.pin) uri += "&pin=" + wire::base64url(*peer.pin);
  std::string suites;
  for (const auto suite : peer.suites)
    suites += (suites.empty() ? "" : ",") + std::to_string(static_cast<int>(suite));
  uri += "&suites=" + suites;
  if (peer.ticket) uri += "&ticket=" + service::ticket_text(*peer.ticket);
  const proxy::UpgradePlace usual;
  if (peer.upgrade.path != usual.path) uri += "&path=" + peer.upgrade.path;
  if (peer.upgrade.cookie != usual.cookie) uri += "&cookie=" + peer.upgrade.cookie;
  if (!peer.name.empty()) uri += "&name=" + peer.name;
  return uri;
}

}  // namespace village::control
