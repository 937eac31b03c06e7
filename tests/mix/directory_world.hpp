#pragma once
// What tests of the directory are made of: keys, nodes and documents from seeds.
#include <string>

#include "village/crypto/x25519.hpp"
#include "village/mix/document.hpp"

namespace village::mix::test {

inline crypto::Ed25519KeyPair key_of(std::uint64_t seed) {
  SeededRandom random{seed};
  return crypto::Ed25519KeyPair::generate(random);
}

/// descriptor_of makes node number `n`: a mix with three keys from `epoch`, at 10.n.0.1.
inline Descriptor descriptor_of(std::uint64_t n, Epoch epoch, Roles roles = {true, false, false}) {
  SeededRandom random{n * 1000 + 7};
  Descriptor out;
  out.key = key_of(n).public_key;
  const Ipv4Address address{std::byte(10 + n / 256), std::byte(n % 256), std::byte{0}, std::byte{1}};
  out.link.host = address;  // not assigned whole: g++ 12 warns of the name that is not there
  out.link.port = 8443;
  out.mix_address = sphinx::node_address(address, 9001);
  for (Epoch e = epoch; e < epoch + 3; ++e) {
    out.sphinx_keys.push_back({e, crypto::X25519KeyPair::generate(random).public_key});
  }
  out.vrf_key = crypto::VrfKeyPair::generate(random).public_key;
  out.operator_name = "operator " + std::to_string(n);
  out.roles = roles;
  out.capacity_pps = 1'000;
  out.profiles = {"n2048"};
  out.software = "villaged 0.1";
  out.sequence = 1;
  return out;
}

inline constexpr Epochs test_epochs{std::chrono::seconds{30}, std::chrono::seconds{5}};

/// document_of: `mixes` mixes, then `gateways` gateways.
inline Document document_of(Epoch epoch, std::uint64_t mixes, std::uint64_t gateways) {
  Document out;
  out.epoch = epoch;
  out.valid_from = test_epochs.start(epoch);
  out.valid_until = test_epochs.end(epoch);
  SeededRandom random{epoch};
  random.fill(out.randomness);
  for (std::uint64_t n = 1; n <= mixes + gateways; ++n) {
    out.nodes.push_back(
        descriptor_of(n, epoch, n <= mixes ? Roles{true, false, false} : Roles{false, true, false}));
  }
  std::sort(out.nodes.begin(), out.nodes.end(),
            [](const Descriptor& a, const Descriptor& b) { return a.id() < b.id(); });
  return out;
}

/// authorities_of makes n authorities, whose keys are key_of(9000 + i).
inline AuthoritySet authorities_of(std::size_t n, std::size_t threshold) {
  AuthoritySet out;
  for (std::size_t i = 0; i < n; ++i) out.keys.push_back(key_of(9'000 + i).public_key);
  out.threshold = threshold;
  return out;
}

inline SignedDocument signed_by(Document document, std::size_t count) {
  SignedDocument out{std::move(document), {}};
  const auto of = digest(out.document);
  for (std::size_t i = 0; i < count; ++i) out.signatures.push_back(sign(of, key_of(9'000 + i)));
  std::sort(out.signatures.begin(), out.signatures.end(),
            [](const auto& a, const auto& b) { return a.authority < b.authority; });
  return out;
}

}  // namespace village::mix::test
