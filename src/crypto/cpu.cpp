#include "village/crypto/cpu.hpp"

#include <atomic>
#include <cstdlib>

#include "village/base/check.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace village::crypto {
namespace {

constexpr CpuLevel levels[] = {CpuLevel::portable, CpuLevel::avx2, CpuLevel::ifma};

#if defined(__x86_64__)
/// The compiler's own detection also asks the operating system (XGETBV) whether it saves the wide registers.
/// Features without registers of their own, some of whose names the compilers do not know, are read here.
struct Leaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  explicit Leaf(unsigned leaf) { __get_cpuid_count(leaf, 0, &eax, &ebx, &ecx, &edx); }
};
bool has_vaes() { return (Leaf{7}.ecx >> 9 & 1) != 0; }

CpuLevel best_level() {
  if (__builtin_cpu_supports("avx2") == 0) return CpuLevel::portable;
  const bool ifma = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                    __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
                    __builtin_cpu_supports("avx512ifma") != 0;
  return ifma && has_vaes() && has_aes_instructions() ? CpuLevel::ifma : CpuLevel::avx2;
}
#else
CpuLevel best_level() { return CpuLevel::portable; }
#endif

bool is_available(CpuLevel level) { return level <= available_cpu_levels().back(); }

CpuLevel first_level() {
#ifdef VILLAGE_CPU_FROM_ENVIRONMENT
  if (const char* forced = std::getenv("VILLAGED_CPU"); forced != nullptr && *forced != '\0') {
    const auto level = parse_cpu_level(forced);
    const bool forced_cpu_level_is_available = level.has_value() && is_available(*level);
    VG_CHECK(forced_cpu_level_is_available);
    return *level;
  }
#endif
  return available_cpu_levels().back();
}

std::atomic<CpuLevel>& level_in_use() {
  static std::atomic<CpuLevel> level{first_level()};
  return level;
}

}  // namespace

CpuLevel cpu_level() { return level_in_use().load(std::memory_order_relaxed); }

std::span<const CpuLevel> available_cpu_levels() {
  static const CpuLevel best = best_level();
  return std::span{levels}.first(static_cast<std::size_t>(best) + 1);
}

void use_cpu_level(CpuLevel level) {
  VG_CHECK(is_available(level));
  level_in_use().store(level, std::memory_order_relaxed);
}

#if defined(__x86_64__)
bool has_sha_instructions() {
  static const bool has = (Leaf{7}.ebx >> 29 & 1) != 0 && __builtin_cpu_supports("sse4.1") != 0;
  return has;
}
bool has_aes_instructions() {
  static const bool has = __builtin_cpu_supports("aes") != 0;
  return has;
}
#else
bool has_sha_instructions() { return false; }
bool has_aes_instructions() { return false; }
#endif

std::string_view name(CpuLevel level) {
  switch (level) {
    case CpuLevel::portable:
      return "portable";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::ifma:
      return "ifma";
  }
  return "?";
}

std::optional<CpuLevel> parse_cpu_level(std::string_view text) {
  for (const auto level : levels) {
    if (text == name(level)) return level;
  }
  return std::nullopt;
}

}  // namespace village::crypto
