#include "crypto/mlkem768_scheme.hpp"

#include <algorithm>

#include "crypto/mlkem768_codec.hpp"
#include "village/crypto/keccak.hpp"

namespace village::crypto {
namespace {

constexpr std::size_t vector_bytes = mlkem_rank * mlkem_polynomial_bytes;
constexpr std::size_t u_bytes = mlkem_rank * mlkem_u_bytes;
static_assert(mlkem768_public_bytes == vector_bytes + 32);
static_assert(mlkem768_private_bytes == vector_bytes + mlkem768_public_bytes + 64);
static_assert(mlkem768_ciphertext_bytes == u_bytes + mlkem_v_bytes);

// Parts of a decapsulation key: s | encapsulation key | its hash | z.
constexpr std::size_t public_at = vector_bytes;
constexpr std::size_t hash_at = public_at + mlkem768_public_bytes;
constexpr std::size_t rejection_at = hash_at + 32;

/// Wiped is working memory that leaves nothing behind. It starts uninitialised: its kilobytes are written
/// before they are read.
template <std::size_t count>
class Wiped {
 public:
  Wiped() {}  // NOLINT: = default would zero
  Wiped(const Wiped&) = delete;
  Wiped& operator=(const Wiped&) = delete;
  ~Wiped() { wipe(std::as_writable_bytes(std::span{polynomials_})); }
  Polynomial& operator[](std::size_t index) { return polynomials_[index]; }
  std::span<Polynomial> all() { return polynomials_; }
  template <std::size_t first>
  PolynomialVector vector() const {
    return std::span{polynomials_}.template subspan<first, mlkem_rank>();
  }

 private:
  std::array<Polynomial, count> polynomials_;
};

PolynomialVector row_of(const Matrix& matrix, std::size_t row) {
  return std::span{matrix}.subspan(row * mlkem_rank).first<mlkem_rank>();
}

template <std::size_t size, class Span>
auto piece(Span bytes, std::size_t index) {
  return bytes.subspan(index * size).template first<size>();
}

/// decrypt is K-PKE.Decrypt, algorithm 15.
void decrypt(const MlkemKernel& kernel, std::span<const std::byte, vector_bytes> key,
             MlkemCiphertextView ciphertext, std::span<std::byte, 32> message) {
  Wiped<2 * mlkem_rank + 2> memory;  // u, s, v, w
  for (std::size_t i = 0; i < mlkem_rank; ++i) {
    decompress_u(piece<mlkem_u_bytes>(ciphertext, i), memory[i]);
    kernel.transform(memory[i]);
    decode_12(piece<mlkem_polynomial_bytes>(key, i), memory[mlkem_rank + i]);
  }
  auto& v = memory[2 * mlkem_rank];
  auto& product = memory[2 * mlkem_rank + 1];
  decompress_v(ciphertext.last<mlkem_v_bytes>(), v);
  kernel.dot(memory.vector<mlkem_rank>(), memory.vector<0>(), product);
  kernel.transform_back(product);
  subtract(v, product);
  read_message(v, message);
}

/// encrypt is K-PKE.Encrypt, algorithm 14.
void encrypt(const MlkemKernel& kernel, MlkemPublicView key, std::span<const std::byte, 32> message,
             std::span<const std::byte, 32> randomness,
             std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext) {
  Wiped<2 * mlkem_rank + 1> noise;  // y, e1, e2
  kernel.sample_noise(randomness, 0, noise.all());
  for (std::size_t i = 0; i < mlkem_rank; ++i) kernel.transform(noise[i]);
  Matrix matrix;
  kernel.sample_matrix(key.last<32>(), true, matrix);
  Wiped<1> sum;
  for (std::size_t i = 0; i < mlkem_rank; ++i) {
    kernel.dot(row_of(matrix, i), noise.vector<0>(), sum[0]);
    kernel.transform_back(sum[0]);
    add(sum[0], noise[mlkem_rank + i]);
    compress_u(sum[0], piece<mlkem_u_bytes>(ciphertext, i));
  }
  std::array<Polynomial, mlkem_rank> t;
  for (std::size_t i = 0; i < mlkem_rank; ++i) decode_12(piece<mlkem_polynomial_bytes>(key, i), t[i]);
  kernel.dot(t, noise.vector<0>(), sum[0]);
  kernel.transform_back(sum[0]);
  add(sum[0], noise[2 * mlkem_rank]);
  add_message(message, sum[0]);
  compress_v(sum[0], ciphertext.last<mlkem_v_bytes>());
}

/// same_mask is 0xff if the two are equal and 0 if not, without a branch that the compiler could put back.
std::byte same_mask(ByteView a, ByteView b) {
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= std::to_integer<std::uint32_t>(a[i] ^ b[i]);
  asm("" : "+r"(difference));
  return static_cast<std::byte>((difference - 1) >> 24);
}

}  // namespace

void mlkem_expand(const MlkemKernel& kernel, std::span<const std::byte, 32> rho,
                  std::span<const std::byte, 32> sigma, std::span<const std::byte, 32> z,
                  std::span<std::byte, mlkem768_private_bytes> out) {
  Wiped<2 * mlkem_rank> noise;  // s, e
  kernel.sample_noise(sigma, 0, noise.all());
  for (auto& each : noise.all()) kernel.transform(each);
  Matrix matrix;
  kernel.sample_matrix(rho, false, matrix);
  const auto key = out.subspan<public_at, mlkem768_public_bytes>();
  Wiped<1> t;
  for (std::size_t i = 0; i < mlkem_rank; ++i) {
    kernel.dot(row_of(matrix, i), noise.vector<0>(), t[0]);
    add(t[0], noise[mlkem_rank + i]);
    encode_12(t[0], piece<mlkem_polynomial_bytes>(key, i));
    encode_12(noise[i], piece<mlkem_polynomial_bytes>(out, i));
  }
  std::ranges::copy(rho, key.last<32>().begin());
  sha3_256({key}, out.subspan<hash_at, 32>());
  std::ranges::copy(z, out.subspan<rejection_at, 32>().begin());
}

void mlkem_generate(const MlkemKernel& kernel, std::span<const std::byte, 64> seed,
                    std::span<std::byte, mlkem768_private_bytes> out) {
  constexpr auto rank = static_cast<std::byte>(mlkem_rank);  // binds the parameter set, algorithm 13
  Secret<64> seeds;
  sha3_512({seed.first<32>(), {&rank, 1}}, seeds.fill());
  mlkem_expand(kernel, seeds.view().first<32>(), seeds.view().last<32>(), seed.last<32>(), out);
}

bool mlkem_key_is_reduced(MlkemPublicView key) {
  for (std::size_t i = 0; i < mlkem_rank; ++i) {
    if (!is_reduced_12(piece<mlkem_polynomial_bytes>(key, i))) return false;
  }
  return true;
}

bool mlkem_key_is_whole(MlkemPrivateView key) {
  ByteArray<32> hash;
  sha3_256({key.subspan<public_at, mlkem768_public_bytes>()}, hash);
  return equal(hash, key.subspan<hash_at, 32>());
}

void mlkem_encapsulate(const MlkemKernel& kernel, MlkemPublicView key, std::span<const std::byte, 32> message,
                       std::span<std::byte, mlkem768_ciphertext_bytes> ciphertext,
                       std::span<std::byte, 32> shared) {
  ByteArray<32> hash;
  sha3_256({key}, hash);
  Secret<64> keys;  // K | r
  sha3_512({message, hash}, keys.fill());
  encrypt(kernel, key, message, keys.view().last<32>(), ciphertext);
  std::ranges::copy(keys.view().first<32>(), shared.begin());
}

void mlkem_decapsulate(const MlkemKernel& kernel, MlkemPrivateView key, MlkemCiphertextView ciphertext,
                       std::span<std::byte, 32> shared) {
  Secret<32> message;
  decrypt(kernel, key.first<vector_bytes>(), ciphertext, message.fill());
  Secret<64> keys;  // K' | r'
  sha3_512({message.view(), key.subspan<hash_at, 32>()}, keys.fill());
  Secret<32> rejected;
  auto rejection = Shake::shake256();
  rejection.absorb(key.last<32>());
  rejection.absorb(ciphertext);
  rejection.squeeze(rejected.fill());

  Secret<mlkem768_ciphertext_bytes> again;
  encrypt(kernel, key.subspan<public_at, mlkem768_public_bytes>(), message.view(), keys.view().last<32>(),
          again.fill());
  const auto mask = same_mask(again.view(), ciphertext);
  for (std::size_t i = 0; i < shared.size(); ++i) {
    shared[i] = (keys.view()[i] & mask) | (rejected.view()[i] & ~mask);
  }
}

}  // namespace village::crypto
