// What holds for every packet, over random ones; each test prints its seed when it fails.
#include <set>

#include "sphinx/forge.hpp"
#include "sphinx/support.hpp"
#include "support/allocations.hpp"
#include "support/statistics.hpp"

namespace village::sphinx::test {
namespace {

constexpr std::size_t profiles[] = {limits::payload_bytes_min, limits::payload_bytes_n2048,
                                    limits::payload_bytes_nreg};

struct Made {
  Path path;
  Destination destination;
  Identifier identifier;
  Bytes message, packet;
};

Made make(std::size_t hops, std::size_t size, RandomSource& random,
          Version version = Version::payload_seeds) {
  Made made{Path{hops, random}, random_array<32>(random), random_array<16>(random), {}, {}};
  made.message = random_bytes(random.below(message_bytes_max(size) + 1), random);
  made.packet.resize(limits::packet_bytes(size));
  EXPECT_TRUE(create_packet(made.path.hops, made.destination, made.identifier, made.message, made.packet,
                            random, version));
  return made;
}

void expect_arrives(const Made& made, Version version) {
  auto packet = made.packet;
  const auto hops = made.path.hops.size();
  for (std::size_t i = 0; i < hops; ++i) {
    Unwrapped found;
    ASSERT_EQ(unwrap(made.path.keys[i], payload_bytes(packet), packet, found), Reject::none);
    EXPECT_EQ(found.routing.version, version);
    ASSERT_EQ(found.routing.last, i + 1 == hops);
    if (found.routing.last) {
      EXPECT_EQ(found.routing.destination, made.destination);
      EXPECT_EQ(found.routing.identifier, made.identifier);
    } else {
      EXPECT_EQ(found.routing.next, made.path.hops[i + 1].address);
      EXPECT_EQ(found.routing.delay_ns, made.path.hops[i].delay_ns);
    }
  }
  const auto message = open_payload(ByteView{packet}.subspan(limits::header_bytes));
  ASSERT_TRUE(message);
  EXPECT_EQ(to_bytes(*message), made.message);
}

TEST(Packet, ArrivesOverAnyNumberOfHopsInEveryProfileAndVersion) {
  SeededRandom random{1};
  for (const auto version : {Version::payload_seeds, Version::payload_keys}) {
    for (const auto size : profiles) {
      for (std::size_t hops = 1; hops <= limits::hops_max; ++hops)
        expect_arrives(make(hops, size, random, version), version);
    }
  }
}

TEST(Packet, CarriesEveryDelay) {
  SeededRandom random{2};
  for (const std::uint64_t delay :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    Path path{2, random};
    path.hops[0].delay_ns = delay;
    Bytes packet(2048);
    ASSERT_TRUE(create_packet(path.hops, {}, {}, {}, packet, random));
    Unwrapped found;
    ASSERT_EQ(unwrap(path.keys[0], payload_bytes(packet), packet, found), Reject::none);
    EXPECT_EQ(found.routing.delay_ns, delay);
  }
}

TEST(Packet, IsNotMadeOfWhatCannotBeOne) {
  SeededRandom random{3};
  Path path{6, random};
  Bytes packet(2048), message(message_bytes_max(1700) + 1);
  const auto code = [&](std::size_t hops, ByteView text, std::size_t bytes) {
    return create_packet(std::span{path.hops}.first(hops), {}, {}, text, ByteSpan{packet}.first(bytes),
                         random)
        .error()
        .code;
  };
  EXPECT_EQ(code(0, {}, 2048), Errc::bad_argument);
  EXPECT_EQ(code(6, {}, 2048), Errc::bad_argument);
  EXPECT_EQ(code(3, message, 2048), Errc::limit_exceeded);
  EXPECT_EQ(code(3, {}, limits::packet_bytes(limits::payload_bytes_min) - 1), Errc::bad_argument);
  path.hops[1].key = {};
  EXPECT_EQ(code(3, {}, 2048), Errc::bad_key);
}

TEST(Packet, FillsThePayloadToTheLastByte) {
  SeededRandom random{4};
  for (const auto size : profiles) {
    Made made = make(3, size, random);
    made.message = random_bytes(message_bytes_max(size), random);
    made.message.back() = std::byte{1};  // looks like an end mark
    ASSERT_TRUE(
        create_packet(made.path.hops, made.destination, made.identifier, made.message, made.packet, random));
    expect_arrives(made, Version::payload_seeds);
  }
}

TEST(Packet, HeaderPaddingIsRandomAndNeverTwiceTheSame) {
  // With one secret and so one key stream, whatever differs in what the last hop decrypts is padding.
  SeededRandom random{5};
  Path path{1, random};
  std::set<std::string> seen;
  std::vector<double> counts(256), expected(256);
  for (int i = 0; i < 64; ++i) {
    const auto secret = Bytes(32, std::byte{7});
    auto script = secret;
    const auto padding = random_bytes(248, random);
    script.insert(script.end(), padding.begin(), padding.end());
    ScriptedRandom scripted{script};
    ByteArray<limits::header_bytes> header;
    ASSERT_TRUE(create_header(path.hops, {}, {}, header, scripted));
    EXPECT_TRUE(scripted.used_up());  // 248 bytes: all behind the last slot
    seen.insert(to_hex(header));
    for (const auto b : ByteView{header}.subspan(48 + 52)) ++counts[std::to_integer<std::size_t>(b)];
  }
  EXPECT_EQ(seen.size(), 64u);
  for (auto& e : expected) e = 64.0 * 248 / 256;
  EXPECT_GT(village::test::chi_square_p(counts, expected), 1e-6);
}

TEST(Packet, LooksAlikeForAllNumbersOfHops) {
  // Same size, and every byte of every field uniform: nothing in the clear tells how long the path is.
  SeededRandom random{6};
  for (std::size_t hops = 1; hops <= limits::hops_max; ++hops) {
    Path path{hops, random};
    std::vector<double> counts(256), expected(256);
    const int packets = 40;
    for (int i = 0; i < packets; ++i) {
      Bytes packet(2048);
      ASSERT_TRUE(create_packet(path.hops, {}, {}, {}, packet, random));
      for (const auto b : ByteView{packet}.subspan(32)) ++counts[std::to_integer<std::size_t>(b)];
    }
    for (auto& e : expected) e = packets * 2016.0 / 256;
    EXPECT_GT(village::test::chi_square_p(counts, expected), 1e-6) << hops;
  }
}

TEST(Unwrap, RefusesEveryFlipInTheHeaderAndLeavesThePacketAlone) {
  SeededRandom random{7};
  const auto made = make(3, limits::payload_bytes_n2048, random);
  for (std::size_t at = 0; at < limits::header_bytes; ++at) {
    auto packet = made.packet;
    packet[at] ^= std::byte{1} << (at == 31 ? at % 7 : at % 8);  // bit 255 is another test's
    const auto damaged = packet;
    Unwrapped found;
    EXPECT_EQ(unwrap(made.path.keys[0], 1700, packet, found), Reject::mac) << at;
    EXPECT_EQ(packet, damaged);
  }
}

TEST(Unwrap, GivesOneTagToAllEncodingsOfAlpha) {
  SeededRandom random{8};
  const auto pair = crypto::X25519KeyPair::generate(random);
  const Forger forger{pair.private_key};
  const auto slot = Forger::forward_slot(259, random);
  const auto payload = random_bytes(1700, random);
  for (unsigned coordinate = 2; coordinate < 19; ++coordinate) {
    auto packet = forger.packet(point_of(coordinate), slot, payload, random);
    std::set<std::string> tags, results;
    for (const auto& alpha : {point_of(coordinate), non_canonical(coordinate)}) {
      for (const unsigned top : {0u, 0x80u}) {
        auto copy = packet;
        std::ranges::copy(alpha, copy.begin());
        copy[31] |= static_cast<std::byte>(top);
        Unwrapped found;
        ASSERT_EQ(unwrap(pair.private_key, 1700, copy, found), Reject::none);
        tags.insert(to_hex(found.tag));
        results.insert(to_hex(copy));
      }
    }
    EXPECT_EQ(tags.size(), 1u);
    EXPECT_EQ(results.size(), 1u);
  }
}

TEST(Unwrap, RefusesPointsOfLowOrderEvenWithAMacThatHolds) {
  SeededRandom random{9};
  const auto pair = crypto::X25519KeyPair::generate(random);
  const Forger forger{pair.private_key};
  for (auto alpha : low_order_points()) {
    for (const unsigned top : {0u, 0x80u}) {
      alpha[31] |= static_cast<std::byte>(top);
      auto packet = forger.packet(alpha, Forger::forward_slot(259, random), Bytes(1700), random);
      Unwrapped found;
      EXPECT_EQ(unwrap(pair.private_key, 1700, packet, found), Reject::low_order);
    }
  }
}

TEST(Unwrap, TakesTwoFlagsAndTwoVersions) {
  SeededRandom random{10};
  const auto pair = crypto::X25519KeyPair::generate(random);
  const Forger forger{pair.private_key};
  const auto outcome = [&](unsigned flag, std::uint32_t version) {
    auto packet = forger.packet(point_of(9), Forger::any_slot(flag, version, random), Bytes(38), random);
    Unwrapped found;
    return unwrap(pair.private_key, 38, packet, found);
  };
  for (unsigned flag = 0; flag < 256; ++flag)
    EXPECT_EQ(outcome(flag, 259), flag == 1 || flag == 2 ? Reject::none : Reject::flag) << flag;
  for (std::uint32_t version = 0; version < 1024; ++version)
    EXPECT_EQ(outcome(1, version), version == 258 || version == 259 ? Reject::none : Reject::version)
        << version;
  for (std::uint32_t first = 1; first < 256; ++first)
    EXPECT_EQ(outcome(2, first << 16 | 259), Reject::version) << first;
  EXPECT_EQ(outcome(0, 1), Reject::flag);
}

TEST(Unwrap, RefusesEveryOtherLength) {
  SeededRandom random{11};
  const auto made = make(1, limits::payload_bytes_n2048, random);
  Bytes longer(4096);
  std::ranges::copy(made.packet, longer.begin());
  for (std::size_t size = 0; size <= longer.size(); ++size) {
    if (size == made.packet.size()) continue;
    Unwrapped found;
    ASSERT_EQ(unwrap(made.path.keys[0], 1700, ByteSpan{longer}.first(size), found), Reject::length) << size;
  }
}

TEST(Payload, OpensWhatIsWrittenAndNothingElse) {
  for (const auto size : profiles) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, message_bytes_max(size)}) {
      const auto payload = plain_payload(Bytes(bytes, std::byte{1}), size);
      const auto opened = open_payload(payload);
      ASSERT_TRUE(opened);
      EXPECT_EQ(opened->size(), bytes);
      for (std::size_t at = 0; at < 16; ++at) {
        auto damaged = payload;
        damaged[at] = std::byte{0x80};
        EXPECT_FALSE(open_payload(damaged));
      }
      for (auto at = 16 + bytes; at < size; ++at) {
        auto damaged = payload;
        damaged[at] = std::byte{2};
        EXPECT_FALSE(open_payload(damaged)) << at;
      }
    }
    EXPECT_FALSE(open_payload(Bytes(size)));
  }
  EXPECT_FALSE(open_payload({}));
  EXPECT_FALSE(open_payload(Bytes(16)));
  Bytes small(limits::payload_bytes_min - 1);
  EXPECT_EQ(write_payload({}, small).error().code, Errc::bad_argument);
}

TEST(CreatePacket, AllocatesNothingOnceWarm) {
  SeededRandom random{12};
  Path path{5, random};
  Bytes packet(2048);
  Unwrapped found;
  const auto once = [&] {
    ASSERT_TRUE(create_packet(path.hops, {}, {}, as_bytes("text"), packet, random));
    ASSERT_EQ(unwrap(path.keys[0], 1700, packet, found), Reject::none);
  };
  once();
  const auto before = village::test::allocation_count();
  for (int i = 0; i < 10; ++i) once();
  EXPECT_EQ(village::test::allocation_count(), before);
}

}  // namespace
}  // namespace village::sphinx::test
