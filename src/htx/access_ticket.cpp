#include "village/htx/access_ticket.hpp"

#include <algorithm>

#include "village/crypto/hash.hpp"
#include "village/wire/base64.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::htx {
namespace {

using crypto::HashAlgorithm;

constexpr std::uint8_t ticket_version = 1;
constexpr std::size_t half_nonce = 16;

ByteArray<8> big_endian(std::uint64_t value) {
  ByteArray<8> raw;
  wire::Writer writer{raw};
  writer.u64(value);
  return raw;
}

using TagSecret = crypto::Secret<32>;  // the right answer is secret until it was given

TagSecret tag_of(const crypto::Secret<32>& shared, const TicketKeyId& id, std::uint64_t hour) {
  const auto hour_bytes = big_endian(hour);
  const auto salt = crypto::sha256({as_bytes("betanet-ticket-v1"), id, hour_bytes});
  TagSecret tag;
  const auto key = crypto::hkdf_extract(HashAlgorithm::sha256, salt, shared.view());
  crypto::hkdf_expand(HashAlgorithm::sha256, key.view(), {}, tag.fill());
  return tag;
}

ByteArray<half_nonce> pretag_of(const crypto::X25519Public& client, const TicketPublic& server, ByteView r) {
  const auto key = crypto::sha256({as_bytes("htx-pretag-v1"), server.key});
  const auto mac = crypto::hmac(HashAlgorithm::sha256, key, {client, server.id, r});
  ByteArray<half_nonce> tag;
  std::copy_n(mac.view().begin(), tag.size(), tag.begin());
  return tag;
}

}  // namespace

TicketSecret TicketSecret::generate(RandomSource& random) {
  crypto::X25519Private key;
  random.fill(key.fill());
  auto made = from_private({}, std::move(key));
  const auto digest = crypto::sha256({as_bytes("htx-ticket-key"), made.open.key});
  std::copy_n(digest.begin(), made.open.id.size(), made.open.id.begin());
  return made;
}

TicketSecret TicketSecret::from_private(const TicketKeyId& id, crypto::X25519Private key) {
  auto pair = crypto::X25519KeyPair::from_private(std::move(key));
  return {{id, pair.public_key}, std::move(pair.private_key)};
}

std::uint64_t ticket_hour(WallTime now) {
  const auto hours = std::chrono::floor<std::chrono::hours>(now.time_since_epoch()).count();
  return hours < 0 ? 0 : static_cast<std::uint64_t>(hours);
}

Result<TicketText> make_ticket(const TicketPublic& server, WallTime now, RandomSource& random,
                               TicketPadding padding) {
  if (padding.bytes_min < ticket_padding_bytes_min || padding.bytes_max > ticket_padding_bytes_max ||
      padding.bytes_min > padding.bytes_max) {
    return fail(Errc::bad_argument);
  }
  const auto client = crypto::X25519KeyPair::generate(random);
  VG_TRY(shared, crypto::x25519(client.private_key, server.key));
  const auto tag = tag_of(shared, server.id, ticket_hour(now));
  const auto pad = padding.bytes_min + random.below(padding.bytes_max - padding.bytes_min + 1);
  ByteArray<half_nonce> r;
  random.fill(r);

  ByteArray<ticket_bytes_max> ticket;
  wire::Writer writer{ticket};
  writer.u8(ticket_version);
  writer.bytes(client.public_key);
  writer.bytes(server.id);
  writer.bytes(r);
  writer.bytes(pretag_of(client.public_key, server, r));
  writer.bytes(tag.view());
  random.fill(writer.gap(pad));
  VG_TRY(written, writer.finish());
  return wire::base64url(written);
}

Result<AccessTicket> parse_ticket_bytes(ByteView bytes) {
  if (bytes.size() < ticket_bytes_min || bytes.size() > ticket_bytes_max) {
    return fail(Errc::limit_exceeded, bytes.size());
  }
  wire::Reader reader{bytes};
  AccessTicket ticket;
  VG_TRY(version, reader.u8());
  if (version != ticket_version) return fail(Errc::version, version);
  VG_TRY_VOID(reader.fill(ticket.client));
  VG_TRY_VOID(reader.fill(ticket.key_id));
  VG_TRY_VOID(reader.fill(ticket.nonce));
  VG_TRY_VOID(reader.fill(ticket.tag));
  ticket.padding_bytes = reader.rest().size();
  return ticket;
}

Result<AccessTicket> parse_ticket(std::string_view text) {
  if (text.size() < ticket_text_min || text.size() > ticket_text_max) {
    return fail(Errc::limit_exceeded, text.size());
  }
  ByteArray<ticket_bytes_max> memory;
  const auto bytes = ByteSpan{memory}.first(text.size() * 3 / 4);
  VG_TRY_VOID(wire::from_base64url(text, bytes));
  return parse_ticket_bytes(bytes);
}

bool has_pretag(const AccessTicket& ticket, const TicketPublic& server) {
  const ByteView nonce{ticket.nonce};
  const auto expected = pretag_of(ticket.client, server, nonce.first(half_nonce));
  return crypto::equal(expected, nonce.subspan(half_nonce));
}

Result<std::uint64_t> verify_ticket(const AccessTicket& ticket, const TicketSecret& secret,
                                    std::uint64_t hour) {
  if (ticket.key_id != secret.open.id) return fail(Errc::bad_argument);
  VG_TRY(shared, crypto::x25519(secret.key, ticket.client));
  // All three are computed and compared whatever the first ones say: the time tells no hour.
  std::uint64_t matches = 0, matched_hour = 0;
  for (int step = -1; step <= 1; ++step) {
    const auto at = hour + static_cast<std::uint64_t>(static_cast<std::int64_t>(step));
    const std::uint64_t match = crypto::equal(tag_of(shared, secret.open.id, at).view(), ticket.tag) ? 1 : 0;
    matches += match;
    matched_hour |= at & (0 - match);
  }
  if (matches != 1) return fail(Errc::bad_tag);
  return matched_hour;
}

}  // namespace village::htx
