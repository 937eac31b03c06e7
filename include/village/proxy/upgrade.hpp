#pragma once
// The WebSocket upgrade that carries an access ticket: what a client writes, as a browser would, and what
// both ends read. Only the opening handshake: no WebSocket frame is ever sent. Sources: RFC 6455 section 4,
// decisions on HTX (way in), protocols/htx.md.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/proxy/http_head.hpp"
#include "village/proxy/limits.hpp"

namespace village::proxy {

/// UpgradeProfile names the browser whose request is written. More are rows of one table (upgrade.cpp).
enum class UpgradeProfile : std::uint8_t { chrome };

/// TicketCarrier says where the ticket rides; it never rides in two places.
enum class TicketCarrier : std::uint8_t { cookie, query };

/// UpgradePlace is what both ends know of each other: the path of the WebSocket and the name of its cookie.
struct UpgradePlace {
  std::string path = "/ws";
  std::string cookie = "__Host-sid";
  friend bool operator==(const UpgradePlace&, const UpgradePlace&) = default;
};

/// is_upgrade_path: '/' and then at most 127 of A-Z a-z 0-9 - _ . ~ /, no empty segment and none of dots
/// only.
bool is_upgrade_path(std::string_view text);
/// is_cookie_name: at most 64 characters of an HTTP token.
bool is_cookie_name(std::string_view text);

struct UpgradeRequest {
  std::string authority;  ///< of the Host field, as a browser writes it: without the port if it is 443
  UpgradePlace place;
  TicketCarrier carrier = TicketCarrier::cookie;
  std::string_view ticket;  ///< base64url
};

using UpgradeKey = ByteArray<16>;  ///< random, fresh for each request

/// write_upgrade_request gives the whole head. Errors: bad_argument (a part does not belong into a head).
Result<std::string> write_upgrade_request(UpgradeProfile profile, const UpgradeRequest& request,
                                          const UpgradeKey& key);
/// upgrade_accept is the value of Sec-WebSocket-Accept for a Sec-WebSocket-Key as it stands in the request.
std::string upgrade_accept(std::string_view key_text);
/// write_upgrade_answer is the 101 to a request with that key; `date` as in RFC 9110 5.6.7.
std::string write_upgrade_answer(std::string_view key_text, std::string_view date);

/// UpgradeAnswer reads a server's answer.
class UpgradeAnswer {
 public:
  explicit UpgradeAnswer(const UpgradeKey& key);
  /// on_bytes takes bytes of the answer's head and returns how many; what is behind it stays with the
  /// caller. Errors: refused (detail = HTTP status) for any other answer than a 101; auth_failed for a 101
  /// with a wrong or missing Sec-WebSocket-Accept; malformed; limit_exceeded.
  Result<std::size_t> on_bytes(ByteView in);
  bool complete() const { return collector_.complete(); }

 private:
  HttpHeadCollector collector_;
  std::string accept_;
};

/// UpgradeWatch reads over a copy of the first bytes a client sends and says, as early as it can be known,
/// that they are no upgrade of ours: the first byte that no client of ours would send decides. What it lets
/// pass up to the end is a head that any HTTP server would take without complaint, so that nothing a server
/// might answer early is ever held back.
///
///   undecided --head complete, one ticket, nothing behind it--> upgrade
///       \------anything else----------------------------------> other
class UpgradeWatch {
 public:
  enum class Verdict : std::uint8_t { undecided, upgrade, other };
  /// What made it `other`: for a counter.
  enum class Reason : std::uint8_t { none, not_http, not_upgrade, no_ticket, too_long, pipelined };

  explicit UpgradeWatch(UpgradePlace place) : place_{std::move(place)} {}
  /// on_bytes looks at the next bytes. After a verdict it changes nothing. Linear; holds the head (at most
  /// upgrade_head_bytes_max).
  Verdict on_bytes(ByteView in);
  Verdict verdict() const { return verdict_; }
  Reason reason() const { return reason_; }
  /// ticket and key are there with Verdict::upgrade; views into the watch.
  std::string_view ticket() const { return ticket_; }
  std::string_view key() const { return key_; }

 private:
  bool take(char c);
  bool fits_request_line();
  bool take_request_line();
  bool take_field();
  bool take_cookie(std::string_view value);
  bool take_ticket(std::string_view text);
  bool finish();
  void decide(Verdict verdict, Reason reason);

  UpgradePlace place_;
  Verdict verdict_ = Verdict::undecided;
  Reason reason_ = Reason::none;
  std::string line_;  ///< the current line, its CR included
  std::size_t seen_ = 0;
  std::size_t version_at_ = 0;  ///< of the blank before HTTP/1.1
  bool in_fields_ = false;
  std::uint32_t fields_seen_ = 0;  ///< a bit for each known field
  std::size_t tickets_ = 0;
  std::string ticket_;
  std::string key_;
};

}  // namespace village::proxy
