#include "htx/capabilities.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/crypto/hash.hpp"
#include "village/htx/limits.hpp"
#include "village/wire/cbor.hpp"
#include "village/wire/node_id.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::htx {
namespace {

using wire::CborValue;

constexpr std::size_t id_bytes_max = 64;
constexpr wire::CborLimits message_limits{limits::capability_message_bytes_max, 4, 256};

CborValue text_array(const std::vector<std::string>& ids) {
  CborValue::Array items;
  for (const auto& id : ids) items.push_back(CborValue::text(id));
  return CborValue::array(std::move(items));
}

Result<std::vector<std::string>> id_list(const CborValue& message, std::string_view key) {
  const auto* value = message.find(key);
  if (value == nullptr || value->as_array() == nullptr) return fail(Errc::malformed);
  if (value->as_array()->size() > limits::capability_ids_max) return fail(Errc::limit_exceeded);
  std::vector<std::string> ids;
  for (const auto& item : *value->as_array()) {
    const auto* text = item.as_text();
    if (text == nullptr || text->size() > id_bytes_max) return fail(Errc::malformed);
    ids.push_back(*text);
  }
  return ids;
}

/// common is the first of `preferred` that `offered` has too; empty if none.
std::string common(const std::vector<std::string>& preferred, const std::vector<std::string>& offered) {
  for (const auto& id : preferred) {
    if (std::find(offered.begin(), offered.end(), id) != offered.end()) return id;
  }
  return {};
}

CborValue::Map::value_type entry(std::string_view key, CborValue value) {
  return {CborValue::text(key), std::move(value)};
}

Bytes encode(CborValue::Map map) {
  auto encoded = wire::encode_cbor(CborValue::map(std::move(map)), message_limits);
  VG_CHECK(encoded.has_value());
  return std::move(*encoded);
}

}  // namespace

Bytes encode_capabilities(const Capabilities& capabilities) {
  CborValue::Map map;
  map.push_back(entry("l2", text_array(capabilities.l2)));
  map.push_back(entry("l3", text_array(capabilities.l3)));
  map.push_back(entry("l4", text_array(capabilities.l4)));
  map.push_back(entry("l5", text_array(capabilities.l5)));
  CborValue::Map features;
  if (capabilities.rekey) features.push_back(entry("rekey", CborValue::boolean(true)));
  map.push_back(entry("features", CborValue::map(std::move(features))));
  map.push_back(entry("streams", CborValue::uint(capabilities.streams)));
  return encode(std::move(map));
}

Result<Capabilities> decode_capabilities(ByteView cbor) {
  VG_TRY(message, wire::decode_cbor(cbor, message_limits));
  Capabilities result;
  VG_TRY(l2, id_list(message, "l2"));
  VG_TRY(l3, id_list(message, "l3"));
  VG_TRY(l4, id_list(message, "l4"));
  VG_TRY(l5, id_list(message, "l5"));
  result.l2 = std::move(l2);
  result.l3 = std::move(l3);
  result.l4 = std::move(l4);
  result.l5 = std::move(l5);
  const auto* features = message.find("features");
  if (features == nullptr || features->as_map() == nullptr) return fail(Errc::malformed);
  for (const auto& feature : *features->as_map()) {
    if (feature.key.as_text() == nullptr || feature.value.as_boolean() == nullptr)
      return fail(Errc::malformed);
    if (*feature.key.as_text() == "rekey") result.rekey = *feature.value.as_boolean();
  }
  if (const auto* streams = message.find("streams")) {
    if (streams->as_uint() == nullptr) return fail(Errc::malformed);
    result.streams =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(*streams->as_uint(), limits::peer_streams_max));
  }
  return result;
}

CapabilityExchange::CapabilityExchange(Role role, const crypto::Ed25519Public& local,
                                       const crypto::Ed25519Public& peer, std::uint32_t streams, bool rekey)
    : role_{role}, same_key_{local == peer}, decides_{wire::PeerId::of(local) < wire::PeerId::of(peer)} {
  own_.streams = streams;
  own_.rekey = rekey;
  own_cbor_ = encode_capabilities(own_);
  append(own_cbor_);
  output_.last = !decides_;
}

void CapabilityExchange::append(ByteView cbor) {
  wire::Writer writer{output_.bytes, 2 * (2 + limits::capability_message_bytes_max)};
  writer.u16(static_cast<std::uint16_t>(cbor.size()));
  writer.bytes(cbor);
  VG_CHECK(!writer.overflowed());
}

CapabilityExchange::Output CapabilityExchange::take_output() { return std::exchange(output_, {}); }

Result<void> CapabilityExchange::receive(ByteView data) {
  while (!data.empty()) {
    if (complete_) return fail(Errc::malformed);  // nothing follows the last message
    const auto have = incoming_.size();
    const auto size = have < 2 ? 2 : 2 + std::size_t{wire::Reader{incoming_}.u16().value()};
    const auto piece = data.first(std::min(data.size(), size - have));
    incoming_.insert(incoming_.end(), piece.begin(), piece.end());
    data = data.subspan(piece.size());
    if (incoming_.size() < size) return ok();
    if (size == 2) {
      const auto length = wire::Reader{incoming_}.u16().value();
      if (length == 0 || length > limits::capability_message_bytes_max)
        return fail(Errc::limit_exceeded, length);
      continue;
    }
    VG_TRY_VOID(on_message(ByteView{incoming_}.subspan(2)));
    incoming_ = {};
  }
  return ok();
}

Result<void> CapabilityExchange::on_message(ByteView cbor) {
  return known_ ? on_selection(cbor) : on_capabilities(cbor);
}

Result<void> CapabilityExchange::on_capabilities(ByteView cbor) {
  if (same_key_) return fail(Errc::auth_failed);
  VG_TRY(peer, decode_capabilities(cbor));
  known_ = true;
  peer_streams_ = peer.streams;
  peer_rekeys_ = peer.rekey;
  bind_ = bind(cbor);
  const auto l2 = common(own_.l2, peer.l2);
  if (l2.empty()) return fail(Errc::version);
  if (!decides_) return ok();
  CborValue::Map selection;
  selection.push_back(entry("l2", CborValue::text(l2)));
  selection.push_back(entry("bind", CborValue::bytes(bind_)));
  append(encode(std::move(selection)));
  output_.last = true;
  complete_ = true;
  return ok();
}

Result<void> CapabilityExchange::on_selection(ByteView cbor) {
  VG_TRY(message, wire::decode_cbor(cbor, message_limits));
  const auto* l2 = message.find("l2");
  const auto* bound = message.find("bind");
  if (l2 == nullptr || l2->as_text() == nullptr || bound == nullptr || bound->as_bytes() == nullptr) {
    return fail(Errc::malformed);
  }
  if (*bound->as_bytes() != bind_) return fail(Errc::auth_failed);
  if (std::find(own_.l2.begin(), own_.l2.end(), *l2->as_text()) == own_.l2.end()) return fail(Errc::version);
  complete_ = true;
  return ok();
}

Bytes CapabilityExchange::bind(ByteView peer_cbor) const {
  const auto own = crypto::sha256(own_cbor_);
  const auto peer = crypto::sha256(peer_cbor);
  Bytes both;
  const auto& first = role_ == Role::client ? own : peer;
  const auto& second = role_ == Role::client ? peer : own;
  both.insert(both.end(), first.begin(), first.end());
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

}  // namespace village::htx
