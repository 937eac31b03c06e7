// The steps of an unwrap under valgrind's memcheck, with the node's key and all that follows from it marked
// undefined: a branch or an index that depends on one is reported. What a node tells by what it does (low
// order, the MAC's verdict, the slot) is declared defined there. valgrind 3.19 knows no AVX-512: portable and
// AVX2.
//
//   unwrap_constant_time          must be silent
//   unwrap_constant_time leak     branches on a derived key on purpose; must be reported
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "sphinx/unwrap_rows.hpp"
#include "village/base/check.hpp"
#include "village/base/random.hpp"
#include "village/crypto/lioness.hpp"
#include "village/sphinx/create.hpp"

using namespace village;
using namespace village::sphinx;

namespace {

constexpr std::size_t count = 10, payload_bytes = 300;

void hide(ByteSpan secret) { (void)VALGRIND_MAKE_MEM_UNDEFINED(secret.data(), secret.size()); }
template <class T>
void show(T& memory) {
  (void)VALGRIND_MAKE_MEM_DEFINED(&memory, sizeof memory);
}

std::vector<OpenRow> opened(const crypto::X25519KeyPair& node, Bytes& packet) {
  SeededRandom random{2};
  const std::array<Hop, 2> hops{Hop{node.public_key, {}, 1}, Hop{node.public_key, {}, 2}};
  VG_CHECK(create_packet(hops, {}, {}, as_bytes("text"), packet, random));
  std::vector<OpenRow> rows(count);
  for (auto& row : rows) {
    load(row, node.private_key, packet);
    hide(row.private_key);
  }
  exchange(rows);
  for (auto& row : rows) show(row.reject);
  expand(rows);
  return rows;
}

void check_mac_keys(std::vector<OpenRow>& rows) {
  std::array<ByteArray<16>, count> macs;
  const std::span all{rows};
  header_macs(column(all, &OpenRow::expansion).columns(mac_key_at, mac_key_bytes),
              column(all, &OpenRow::routing).columns(0, limits::routing_bytes),
              crypto::Rows{std::span{macs}});
  for (std::size_t i = 0; i < count; ++i) {
    bool good = crypto::equal(macs[i], rows[i].mac);
    show(good);
    VG_CHECK(good);
  }
}

void finish(std::vector<OpenRow>& rows, ByteView packet) {
  std::vector<FinishRow> finish(count);
  for (std::size_t i = 0; i < count; ++i) {
    decrypt_slot(rows[i]);
    show(rows[i].routing);
    Routing routing;
    VG_CHECK(read(rows[i], routing) == Reject::none && !routing.last);
    load(finish[i], rows[i]);
  }
  make_payload_keys(finish);
  for (auto& row : finish) {
    auto payload = to_bytes(packet.subspan(limits::header_bytes));
    crypto::lioness_decrypt(row.payload_key, payload);
  }
  blind(finish);
  wipe_rows(std::span{finish});
}

}  // namespace

int main(int arguments_count, char** arguments) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("run this under valgrind");
    return 2;
  }
  const bool leak = arguments_count > 1 && std::strcmp(arguments[1], "leak") == 0;
  SeededRandom random{1};
  const auto node = crypto::X25519KeyPair::generate(random);
  Bytes packet(limits::packet_bytes(payload_bytes));
  for (const auto level : crypto::available_cpu_levels()) {
    if (level == crypto::CpuLevel::ifma) continue;
    crypto::use_cpu_level(level);
    auto rows = opened(node, packet);
    if (leak) {
      std::puts(rows[0].expansion[blinding_at] == std::byte{0} ? "zero" : "not zero");
      return 0;
    }
    check_mac_keys(rows);
    finish(rows, packet);
    std::printf("%s: silent\n", std::string{crypto::name(level)}.c_str());
  }
  return 0;
}
