#include "village/sphinx/unwrap_batch.hpp"

#include "sphinx/forge.hpp"
#include "sphinx/support.hpp"
#include "support/allocations.hpp"

namespace village::sphinx::test {
namespace {

/// Mixed is packets for two node keys, good ones of every kind and each kind of bad one, in random order.
struct Mixed {
  std::vector<crypto::X25519KeyPair> nodes;
  std::vector<Bytes> packets;
  std::vector<const crypto::X25519Private*> keys;

  Mixed(std::size_t count, std::size_t size, RandomSource& random) {
    for (int i = 0; i < 2; ++i) nodes.push_back(crypto::X25519KeyPair::generate(random));
    for (std::size_t i = 0; i < count; ++i) {
      const auto& node = nodes[random.below(2)];
      keys.push_back(&node.private_key);
      packets.push_back(one(node, size, random));
    }
  }

  static Bytes one(const crypto::X25519KeyPair& node, std::size_t size, RandomSource& random) {
    const Forger forger{node.private_key};
    const auto payload = plain_payload(random_bytes(size / 2, random), size);
    const auto alpha = random_array<32>(random);
    switch (random.below(12)) {
      case 0: {
        auto packet = forger.packet(alpha, Forger::forward_slot(259, random), payload, random);
        packet[random.below(limits::header_bytes)] ^= std::byte{0x04};
        return packet;
      }
      case 1:
        return forger.packet(low_order_points()[random.below(7)], Forger::last_slot(259, random), payload,
                             random);
      case 2:
        return forger.packet(alpha, Forger::any_slot(0, 259, random), payload, random);
      case 3:
        return forger.packet(alpha, Forger::forward_slot(257, random), payload, random);
      case 4:
        return random_bytes(random.below(2 * size), random);
      case 5:
        return forger.packet(alpha, Forger::last_slot(258, random), payload, random);
      case 6:
        return forger.packet(alpha, Forger::forward_slot(258, random), payload, random);
      case 7:
        return forger.packet(alpha, Forger::last_slot(259, random), payload, random);
      default:
        return made(node, size, random);
    }
  }
  static Bytes made(const crypto::X25519KeyPair& node, std::size_t size, RandomSource& random) {
    Path path{1 + random.below(limits::hops_max), random};
    path.hops[0].key = node.public_key;
    Bytes packet(limits::packet_bytes(size));
    EXPECT_TRUE(create_packet(path.hops, random_array<32>(random), random_array<16>(random),
                              random_bytes(random.below(size - 17), random), packet, random));
    return packet;
  }
};

void expect_same_routing(const Routing& a, const Routing& b) {
  EXPECT_EQ(a.last, b.last);
  EXPECT_EQ(a.version, b.version);
  if (a.last) {
    EXPECT_EQ(a.destination, b.destination);
    EXPECT_EQ(a.identifier, b.identifier);
  } else {
    EXPECT_EQ(a.next, b.next);
    EXPECT_EQ(a.delay_ns, b.delay_ns);
  }
}

/// expect_as_single compares a batch, of which `allowed` may go on, with unwrap of each packet alone.
void expect_as_single(UnwrapBatch& batch, const Mixed& mixed, std::uint64_t allowed) {
  auto packets = mixed.packets;
  const std::vector<ByteSpan> views{packets.begin(), packets.end()};
  const auto good = batch.open(mixed.keys, views);
  EXPECT_EQ(packets, mixed.packets) << "open changes nothing";
  auto expected = mixed.packets;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    SCOPED_TRACE(i);
    auto alone = mixed.packets[i];
    Unwrapped found;
    const auto reject = unwrap(*mixed.keys[i], batch.payload_bytes(), alone, found);
    EXPECT_EQ(batch.reject(i), reject) << name(reject);
    EXPECT_EQ((good >> i & 1) != 0, reject == Reject::none);
    if (reject != Reject::none) continue;
    EXPECT_EQ(batch.tag(i), found.tag);
    expect_same_routing(batch.routing(i), found.routing);
    if ((allowed >> i & 1) != 0) expected[i] = alone;
  }
  batch.finish(allowed);
  EXPECT_EQ(packets, expected);
}

void expect_equal_at_all_levels(std::size_t size, std::size_t rounds, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  SeededRandom random{seed};
  for (const auto kernels : crypto::available_cpu_levels()) {
    SCOPED_TRACE(crypto::name(kernels));
    const AtLevel level{kernels};
    UnwrapBatch batch{size};
    for (std::size_t round = 0; round < rounds; ++round) {
      const auto count = 1 + random.below(limits::batch_packets_max);
      const Mixed mixed{count, size, random};
      const auto allowed = round % 3 == 0 ? ~std::uint64_t{0} : random.u64();
      expect_as_single(batch, mixed, allowed);
    }
  }
}

TEST(UnwrapBatch, EqualsUnwrapForMixedPacketsAndAnySurvivors) {
  expect_equal_at_all_levels(limits::payload_bytes_n2048, 6, 21);
  expect_equal_at_all_levels(limits::payload_bytes_nreg, 2, 22);
  expect_equal_at_all_levels(limits::payload_bytes_min, 6, 23);
}

TEST(UnwrapBatchSoak, EqualsUnwrapForMixedPacketsAndAnySurvivors) {
  expect_equal_at_all_levels(limits::payload_bytes_n2048, 400, 24);
}

TEST(UnwrapBatch, EqualsUnwrapForEveryCountOfEachKernel) {
  SeededRandom random{25};
  for (const auto kernels : crypto::available_cpu_levels()) {
    const AtLevel level{kernels};
    UnwrapBatch batch{limits::payload_bytes_min};
    for (std::size_t count = 1; count <= limits::batch_packets_max; ++count)
      expect_as_single(batch, Mixed{count, limits::payload_bytes_min, random}, ~std::uint64_t{0});
  }
}

TEST(UnwrapBatch, TakesABatchOfNothingButBadLengths) {
  SeededRandom random{26};
  const auto node = crypto::X25519KeyPair::generate(random);
  std::vector<Bytes> packets(5, Bytes(7));
  const std::vector<ByteSpan> views{packets.begin(), packets.end()};
  UnwrapBatch batch{limits::payload_bytes_n2048};
  EXPECT_EQ(batch.open(node.private_key, views), 0u);
  EXPECT_EQ(batch.reject(4), Reject::length);
  batch.finish(~std::uint64_t{0});
}

TEST(UnwrapBatch, ForgetsWhatWasNotFinishedAndFinishesOnce) {
  SeededRandom random{27};
  const Mixed first{64, limits::payload_bytes_min, random}, second{3, limits::payload_bytes_min, random};
  UnwrapBatch batch{limits::payload_bytes_min};
  auto packets = first.packets;
  batch.open(first.keys, std::vector<ByteSpan>{packets.begin(), packets.end()});
  expect_as_single(batch, second, ~std::uint64_t{0});
  batch.finish(~std::uint64_t{0});
  EXPECT_EQ(packets, first.packets);
}

TEST(UnwrapBatch, AllocatesNothingOnceWarm) {
  SeededRandom random{28};
  for (const auto kernels : crypto::available_cpu_levels()) {
    const AtLevel level{kernels};
    Mixed mixed{64, limits::payload_bytes_n2048, random};
    const std::vector<ByteSpan> views{mixed.packets.begin(), mixed.packets.end()};
    UnwrapBatch batch{limits::payload_bytes_n2048};
    batch.finish(batch.open(mixed.keys, views));
    const auto before = village::test::allocation_count();
    batch.finish(batch.open(mixed.keys, views));
    EXPECT_EQ(village::test::allocation_count(), before);
  }
}

TEST(UnwrapBatch, TellsAProbeEveryPhaseInOrder) {
  struct Recorder final : PhaseProbe {
    std::vector<Phase> phases;
    void ended(Phase phase) override { phases.push_back(phase); }
  } recorder;
  SeededRandom random{29};
  Mixed mixed{8, limits::payload_bytes_min, random};
  UnwrapBatch batch{limits::payload_bytes_min};
  batch.probe(&recorder);
  batch.finish(batch.open(mixed.keys, std::vector<ByteSpan>{mixed.packets.begin(), mixed.packets.end()}));
  const std::vector wanted{Phase::gather, Phase::exchange, Phase::expand,  Phase::mac,
                           Phase::slot,   Phase::blind,    Phase::payload, Phase::output};
  EXPECT_EQ(recorder.phases, wanted);
}

}  // namespace
}  // namespace village::sphinx::test
