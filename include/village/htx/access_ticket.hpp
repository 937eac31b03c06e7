#pragma once
// Access tickets: what a dialer shows behind TLS so that a node answers as a node and not as the site it
// pretends to be. One ticket is 129 to 169 bytes, as base64url 172 to 226 characters:
//
//    0  version 1
//    1  client's X25519 public key 32
//   33  id of the server's ticket key 8
//   41  nonce 32 = r 16 | pre-tag 16
//   73  tag 32 = HKDF-SHA256(X25519(client, ticket key), salt, "", 32)
//  105  padding 24..64
//
// salt = SHA-256("betanet-ticket-v1" | key id | u64 hour), hour = unix seconds / 3600
// pre-tag = HMAC-SHA256(SHA-256("htx-pretag-v1" | ticket key), client's key | key id | r), first 16 bytes
//
// The pre-tag costs two hashes to check instead of a scalar multiplication. Whoever has the (public) ticket
// key can make it, so it keeps out those who were never invited and proves nothing else.
// Source: Betanet 1.1 section 5.2; decisions/htx, tickets.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/random.hpp"
#include "village/base/time.hpp"
#include "village/crypto/x25519.hpp"

namespace village::htx {

using TicketKeyId = ByteArray<8>;
using TicketTag = ByteArray<32>;
using TicketText = std::string;  ///< base64url without padding; spends itself: it opens one door once

inline constexpr std::size_t ticket_padding_bytes_min = 24;
inline constexpr std::size_t ticket_padding_bytes_max = 64;
inline constexpr std::size_t ticket_bytes_min = 105 + ticket_padding_bytes_min;
inline constexpr std::size_t ticket_bytes_max = 105 + ticket_padding_bytes_max;
inline constexpr std::size_t ticket_text_min = 172;
inline constexpr std::size_t ticket_text_max = 226;

/// TicketPublic is what an invitation tells the dialer: enough to make tickets.
struct TicketPublic {
  TicketKeyId id{};
  crypto::X25519Public key{};
  friend bool operator==(const TicketPublic&, const TicketPublic&) = default;
};

/// TicketSecret is the server's half.
struct TicketSecret {
  TicketPublic open;
  crypto::X25519Private key;

  /// generate makes a key; its id is the start of SHA-256 over the public half.
  static TicketSecret generate(RandomSource& random);
  /// from_private computes the public half.
  static TicketSecret from_private(const TicketKeyId& id, crypto::X25519Private key);
  TicketSecret clone() const { return {open, key.clone()}; }
};

/// TicketPadding is the range from which the length of a ticket's padding is drawn, both ends included.
struct TicketPadding {
  std::size_t bytes_min = ticket_padding_bytes_min;
  std::size_t bytes_max = ticket_padding_bytes_max;
  friend bool operator==(const TicketPadding&, const TicketPadding&) = default;
};

/// ticket_hour numbers the hours since 1970; what lies before is 0.
std::uint64_t ticket_hour(WallTime now);

/// make_ticket makes a fresh ticket for the hour of `now`, good for one way in. `random` must be fit for
/// keys. Errors: bad_argument (padding outside 24..64, or empty range), bad_key (the server's key is of low
/// order). Cost: two scalar multiplications, about 80 us.
Result<TicketText> make_ticket(const TicketPublic& server, WallTime now, RandomSource& random,
                               TicketPadding padding = {});

/// AccessTicket is a ticket that has the right form; nothing of it is believed yet.
struct AccessTicket {
  crypto::X25519Public client{};
  TicketKeyId key_id{};
  ByteArray<32> nonce{};
  TicketTag tag{};
  std::size_t padding_bytes = 0;
};

/// parse_ticket reads the text strictly, without allocation. Errors: limit_exceeded (length), malformed,
/// not_canonical (base64url), version (not 1). About 0.3 us.
Result<AccessTicket> parse_ticket(std::string_view text);
/// parse_ticket_bytes reads the decoded form. Errors: limit_exceeded, version.
Result<AccessTicket> parse_ticket_bytes(ByteView bytes);

/// has_pretag checks the pre-tag against the public half, in constant time. About 0.5 us.
bool has_pretag(const AccessTicket& ticket, const TicketPublic& server);

/// verify_ticket compares the tag with those of the hours around `hour`, over all three in constant time, and
/// tells which one matched. Does not look at the pre-tag, nor whether the ticket was seen before. Errors:
/// bad_argument (a ticket for another key id), bad_key (the shared secret is zero), bad_tag. Cost: one
/// scalar multiplication and three HKDF, about 40 us.
Result<std::uint64_t> verify_ticket(const AccessTicket& ticket, const TicketSecret& secret,
                                    std::uint64_t hour);

}  // namespace village::htx
