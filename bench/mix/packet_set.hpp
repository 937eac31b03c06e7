#pragma once
// Many distinct packets for one node, and the ways through them.
#include "village/base/bytes.hpp"
#include "village/crypto/x25519.hpp"
#include "village/sphinx/unwrap_batch.hpp"

namespace village::bench {

/// PacketSet is `count` packets of N-2048 with 3 hops, the first of which is ours, no two alike and none with
/// a zero byte to spare: made by our own sender with full payloads.
class PacketSet {
 public:
  explicit PacketSet(std::size_t count);

  static constexpr std::size_t packet_bytes = 2048;
  std::size_t size() const { return inputs_.size() / packet_bytes; }
  const crypto::X25519Private& key() const { return key_; }
  ByteView inputs() const { return inputs_; }
  ByteView input(std::size_t i) const { return inputs().subspan(i * packet_bytes, packet_bytes); }
  ByteView outputs() const { return outputs_; }

  /// unwrap sends packets first .. first + count - 1 through `batch`, 64 at a time: copied from where they
  /// came to where they go, unwrapped there. Ends the program unless all are forward packets. `judge` is
  /// given the batch between its halves, with the mask of good packets, and returns the mask of those that go
  /// on.
  template <class Judge>
  void unwrap(sphinx::UnwrapBatch& batch, std::size_t first, std::size_t count, Judge judge) {
    for (std::size_t begin = first; begin < first + count; begin += rows) {
      const auto used = std::min(rows, first + count - begin);
      std::array<ByteSpan, rows> packets;
      for (std::size_t i = 0; i < used; ++i) packets[i] = copied(begin + i);
      const auto good = batch.open(key_, std::span{packets}.first(used));
      batch.finish(judge(batch, good));
    }
  }
  void unwrap(sphinx::UnwrapBatch& batch, std::size_t first, std::size_t count) {
    unwrap(batch, first, count, [](const sphinx::UnwrapBatch&, std::uint64_t good) { return good; });
  }

 private:
  static constexpr std::size_t rows = sphinx::limits::batch_packets_max;

  ByteSpan copied(std::size_t i) {
    const auto from = input(i);
    const auto to = ByteSpan{outputs_}.subspan(i * packet_bytes, packet_bytes);
    std::copy(from.begin(), from.end(), to.begin());
    return to;
  }

  crypto::X25519Private key_;
  Bytes inputs_, outputs_;
};

/// thread_seconds is the processor time of this thread: others may share the core.
double thread_seconds();

}  // namespace village::bench
