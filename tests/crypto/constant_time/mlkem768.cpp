// ML-KEM-768 under valgrind's memcheck, with every secret marked undefined: a branch or an index that depends
// on one is reported like a use of uninitialised memory, and valgrind exits with an error. What is public
// (rho, the ciphertext that goes out) stays defined or is declared defined where it becomes public.
//
//   mlkem768_constant_time          both kernels; must be silent
//   mlkem768_constant_time leak     branches on a secret on purpose; must be reported
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>

#include "crypto/mlkem768_scheme.hpp"
#include "village/base/random.hpp"

using namespace village;
using namespace village::crypto;

namespace {

void hide(ByteSpan secret) { (void)VALGRIND_MAKE_MEM_UNDEFINED(secret.data(), secret.size()); }
void show(ByteSpan memory) { (void)VALGRIND_MAKE_MEM_DEFINED(memory.data(), memory.size()); }

int leak() {
  ByteArray<1> secret{};
  hide(secret);
  std::puts(secret[0] == std::byte{} ? "zero" : "not zero");
  return 0;
}

void run(const MlkemKernel& kernel) {
  SeededRandom random{1};
  ByteArray<32> rho, sigma, z, message, shared;
  for (auto* bytes : {&rho, &sigma, &z, &message}) random.fill(*bytes);
  hide(sigma);
  hide(z);
  hide(message);
  ByteArray<mlkem768_private_bytes> key;
  mlkem_expand(kernel, rho, sigma, z, key);
  constexpr std::size_t public_at = 1152;
  const auto public_key = std::span{key}.subspan<public_at, mlkem768_public_bytes>();
  show(std::span{key}.subspan<public_at, mlkem768_public_bytes + 32>());  // the key and its hash are public

  MlkemCiphertext ciphertext;
  mlkem_encapsulate(kernel, public_key, message, ciphertext, shared);
  show(ciphertext);
  mlkem_decapsulate(kernel, key, ciphertext, shared);
  ciphertext[100] ^= std::byte{1};
  mlkem_decapsulate(kernel, key, ciphertext, shared);  // implicit rejection takes the same way
  std::printf("%s: silent\n", kernel.name);
}

}  // namespace

int main(int count, char** arguments) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("run this under valgrind");
    return 2;
  }
  if (count > 1 && std::strcmp(arguments[1], "leak") == 0) return leak();
  run(portable_kernel());
  if (avx2_kernel() != nullptr) run(*avx2_kernel());
  return 0;
}
