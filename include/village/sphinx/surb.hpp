#pragma once
// Reply blocks: a header that its creator made, which somebody else puts a payload behind, once.
//
// Ours:      header 348 | first address 32 | seed of the last hop 16                        (396 bytes)
// all-keys:  header 348 | first address 32 | a seed of 16 or a key of 192 bytes for every hop
//
// Who holds all keys of a block can recognise the packet at every hop, so ours gives away only the last
// hop's. The replier adds that one layer; the nodes remove one each, the last hop too; the creator, who knows
// all keys, puts all of them back and then removes the replier's. Sources: nymtech/sphinx, surb, and its pull
// request 105; decisions/mix.
#include <span>

#include "village/sphinx/create.hpp"

namespace village::sphinx {

inline constexpr std::size_t reply_block_bytes = limits::header_bytes + 32 + limits::payload_seed_bytes;

/// ReplyBlock is ours as it is sent; any 396 bytes are one. To be sealed like a message, and used once.
struct ReplyBlock {
  ByteArray<reply_block_bytes> bytes{};
};

/// ReplyKeys is what a block's creator keeps to read the reply: to be found again by the identifier that went
/// into the header, and to be forgotten after one use. 88 bytes.
class ReplyKeys {
 public:
  explicit ReplyKeys(const PayloadKeys& keys);
  std::size_t size() const { return count_; }
  ByteView seed(std::size_t hop) const;

 private:
  std::size_t count_;
  crypto::Secret<limits::hops_max * limits::payload_seed_bytes> seeds_;
};

struct CreatedReplyBlock {
  ReplyBlock block;
  ReplyKeys keys;
};

/// create_reply_block makes a block whose replies go along `hops`, the last of which hands them to
/// `destination` under `identifier`. Errors: as create_header.
Result<CreatedReplyBlock> create_reply_block(std::span<const Hop> hops, const Destination& destination,
                                             const Identifier& identifier, RandomSource& random);

/// use_reply_block writes the reply `message` into `packet` (its size decides the profile, which must be the
/// creator's) and returns the node to send it to. Errors: bad_argument, limit_exceeded, as create_packet.
Result<NodeAddress> use_reply_block(const ReplyBlock& block, ByteView message, ByteSpan packet);

/// open_reply turns the payload that the last hop handed over into the plain one, in place, and finds the
/// message in it. Errors: malformed (not a reply to this block, or damaged; the payload is then spoilt).
Result<ByteView> open_reply(const ReplyKeys& keys, ByteSpan payload);

/// create_surb makes the all-keys form, as crate sphinx-packet 0.6.0 does; seeds in version 259, keys in 258.
/// A reply to it comes out of the last hop as a plain payload, for open_payload. Errors: as create_header.
Result<Bytes> create_surb(std::span<const Hop> hops, const Destination& destination,
                          const Identifier& identifier, RandomSource& random,
                          Version version = Version::payload_seeds);

/// use_surb does with an all-keys block what use_reply_block does with ours. Seeds and keys are told apart as
/// the crate does: below 192 bytes they are seeds, and their length must be a multiple of 16 or 192. One
/// layer for each key, so time is bounded by the block's length: the caller bounds that. Errors: truncated,
/// malformed (of the block); bad_argument, limit_exceeded.
Result<NodeAddress> use_surb(ByteView surb, ByteView message, ByteSpan packet);

}  // namespace village::sphinx
