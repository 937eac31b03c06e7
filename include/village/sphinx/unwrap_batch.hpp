#pragma once
// Many packets at a time: what a mix node's core does all day.
#include <memory>
#include <span>

#include "village/crypto/x25519.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::sphinx {

/// Phase is a step of a batch, in the order in which they end.
enum class Phase : std::uint8_t {
  gather,    ///< open: lengths, headers copied together
  exchange,  ///< open: first X25519
  expand,    ///< open: key expansion
  mac,       ///< open: MACs computed and compared
  slot,      ///< open: AES-CTR, slots read
  blind,     ///< finish: second X25519
  payload,   ///< finish: payload keys and LIONESS
  output,    ///< finish: headers written, secrets wiped
};

/// PhaseProbe is told when a phase of a batch is over, for benchmarks.
class PhaseProbe {
 public:
  virtual ~PhaseProbe() = default;
  virtual void ended(Phase phase) = 0;
};

/// UnwrapBatch unwraps up to limits::batch_packets_max packets together, in two steps with the replay check
/// of the caller between them:
///
///   batch.open(key, packets);                         // packets are read, not changed
///   for each packet with batch.reject(i) == none: look batch.tag(i) up, batch.routing(i) says where to
///   batch.finish(mask of packets that may go on);     // those are rewritten in place
///
/// Packets may lie anywhere and must stay where they are, unchanged, from open to finish. Whether a packet is
/// in a batch of 1 or of 64 or beside bad ones never changes its result. Multiples of 8 pay most (16 with the
/// hash kernels of AVX-512).
///
/// Memory: some 80 KiB and 8 payloads, taken by the constructor; afterwards nothing is allocated. Belongs to
/// one thread at a time. Secrets are wiped by finish and by the destructor.
/// Cost on one core of an AMD EPYC (Zen 5), 64 packets of N-2048: see src/sphinx/README.md.
class UnwrapBatch {
 public:
  /// payload_bytes: of the profile (limits::payload_bytes_min to _max, VG_CHECKed).
  explicit UnwrapBatch(std::size_t payload_bytes);
  UnwrapBatch(UnwrapBatch&&) noexcept;
  UnwrapBatch& operator=(UnwrapBatch&&) noexcept;
  ~UnwrapBatch();

  std::size_t payload_bytes() const;
  std::size_t packet_bytes() const { return limits::packet_bytes(payload_bytes()); }

  /// open reads the headers of 1 to limits::batch_packets_max packets (VG_CHECKed) under one node key, or
  /// each under its own (around a change of epoch): exchange, key expansion, MAC, slot. Returns the mask of
  /// packets that hold (bit i: packet i). What a batch opened before and did not finish is forgotten.
  std::uint64_t open(const crypto::X25519Private& key, std::span<const ByteSpan> packets);
  std::uint64_t open(std::span<const crypto::X25519Private* const> keys, std::span<const ByteSpan> packets);

  /// reject, tag and routing are valid from open to the next open; tag and routing only where reject is none.
  Reject reject(std::size_t i) const;
  const ReplayTag& tag(std::size_t i) const;
  const Routing& routing(std::size_t i) const;

  /// finish rewrites the packets of `survivors` (a part of what open returned; other bits are ignored) as
  /// unwrap does, and leaves the others alone. Once for each open.
  void finish(std::uint64_t survivors);

  /// probe is told of phases from now on; nullptr: nobody. It must outlive its use.
  void probe(PhaseProbe* probe);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace village::sphinx
