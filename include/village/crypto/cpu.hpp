#pragma once
// Which kernels this CPU runs. Chosen once; the same for every batch function of the module.
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace village::crypto {

/// CpuLevel names a family of kernels; each includes what those before it need.
enum class CpuLevel : std::uint8_t {
  portable,  ///< any CPU; what OpenSSL and libsodium choose for themselves is theirs
  avx2,      ///< AVX2, with SHA and AES instructions where the CPU has them
  ifma,      ///< AVX-512 F, BW, DQ, VL and IFMA, and VAES
};

/// cpu_level is the level in use: the best of this CPU and operating system (which must save the registers),
/// or what use_cpu_level said. In builds with tests the environment variable VILLAGED_CPU
/// (portable|avx2|ifma) decides it at first use; a level that is not available ends the process.
CpuLevel cpu_level();
/// available_cpu_levels are those that can run here, lowest first.
std::span<const CpuLevel> available_cpu_levels();
/// use_cpu_level is for benchmarks and tests that compare kernels: from now on `level` (VG_CHECKed to be
/// available) is used. Results never depend on it.
void use_cpu_level(CpuLevel level);

/// has_sha_instructions, has_aes_instructions: x86's SHA-NI and AES-NI.
bool has_sha_instructions();
bool has_aes_instructions();

std::string_view name(CpuLevel level);  ///< "portable", "avx2", "ifma"
std::optional<CpuLevel> parse_cpu_level(std::string_view text);

}  // namespace village::crypto
