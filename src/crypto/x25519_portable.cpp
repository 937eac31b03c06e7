// X25519 for any CPU, one at a time.
#include "crypto/field25519.hpp"

namespace village::crypto {

std::uint64_t x25519_kernel_portable(const X25519Job& job) {
  return ladder::Curve<portable::Field>::run(job);
}

}  // namespace village::crypto
