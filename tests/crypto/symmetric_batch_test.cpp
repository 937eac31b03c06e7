// SHA-256, BLAKE2b, key streams and LIONESS: every form against one-at-a-time code of the libraries, and the
// published vectors.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <initializer_list>
#include <nlohmann/json.hpp>

#include "support/vectors.hpp"
#include "village/base/random.hpp"
#include "village/crypto/blake2b_batch.hpp"
#include "village/crypto/hash.hpp"
#include "village/crypto/key_stream.hpp"
#include "village/crypto/limits.hpp"
#include "village/crypto/lioness.hpp"
#include "village/crypto/sha256_batch.hpp"

namespace village::crypto {
namespace {

using nlohmann::json;

std::vector<Sha256Form> sha256_forms() {
  std::vector<Sha256Form> forms;
  for (const auto form : {Sha256Form::openssl, Sha256Form::shani, Sha256Form::avx2, Sha256Form::avx512}) {
    if (sha256_form_is_available(form)) forms.push_back(form);
  }
  return forms;
}

/// Table is count rows of `bytes` bytes with a gap of three between them.
struct Table {
  std::size_t bytes, stride, count;
  Bytes memory;
  Table(std::size_t row_bytes, std::size_t rows) : bytes{row_bytes}, stride{row_bytes + 3}, count{rows} {
    memory.resize(stride * count, std::byte{0x5a});
  }
  Table(std::size_t row_bytes, std::size_t rows, RandomSource& random) : Table{row_bytes, rows} {
    for (std::size_t i = 0; i < count; ++i) random.fill(all()[i]);
  }
  Rows all() { return {memory, bytes, stride, count}; }
  ConstRows view() const { return {memory, bytes, stride, count}; }
  bool gaps_are_whole() const {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = bytes; j < stride; ++j) {
        if (memory[i * stride + j] != std::byte{0x5a}) return false;
      }
    }
    return true;
  }
};

const std::vector<std::size_t> row_counts{1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 63, 64};
const std::vector<std::size_t> message_sizes{0,  1,   3,   31,  32,  55,  56,  63,  64,
                                             65, 119, 120, 127, 128, 129, 300, 1024};

TEST(Sha256Batch, EveryFormEqualsTheLibrary) {
  SeededRandom random{1};
  for (const auto form : sha256_forms()) {
    for (const auto count : row_counts) {
      for (const auto size : message_sizes) {
        const Table messages{size, count, random};
        Table digests{32, count};
        sha256_batch(form, messages.view(), digests.all());
        for (std::size_t i = 0; i < count; ++i)
          ASSERT_EQ(to_hex(digests.view()[i]), to_hex(sha256(messages.view()[i])))
              << name(form) << ' ' << size;
        ASSERT_TRUE(digests.gaps_are_whole());
      }
    }
  }
}

TEST(HmacSha256Batch, EveryFormEqualsTheLibrary) {
  SeededRandom random{2};
  for (const auto form : sha256_forms()) {
    for (const std::size_t key_bytes : std::initializer_list<std::size_t>{1, 16, 32, 63, 64}) {
      for (const auto size : message_sizes) {
        const Table keys{key_bytes, 19, random}, messages{size, 19, random};
        Table macs{16, 19};
        hmac_sha256_batch(form, keys.view(), messages.view(), macs.all());
        for (std::size_t i = 0; i < 19; ++i) {
          const auto wanted = hmac(HashAlgorithm::sha256, keys.view()[i], {messages.view()[i]});
          ASSERT_EQ(to_hex(macs.view()[i]), to_hex(wanted.view().first(16))) << name(form) << ' ' << size;
        }
        ASSERT_TRUE(macs.gaps_are_whole());
      }
    }
  }
}

Bytes hkdf(ByteView salt, ByteView key, ByteView info, std::size_t size) {
  Bytes out(size);
  hkdf_expand(HashAlgorithm::sha256, hkdf_extract(HashAlgorithm::sha256, salt, key).view(), {info}, out);
  return out;
}

TEST(HkdfSha256Batch, EveryFormEqualsTheLibrary) {
  SeededRandom random{3};
  for (const auto form : sha256_forms()) {
    for (const std::size_t info_bytes :
         {0UL, 1UL, 21UL, 22UL, 23UL, 53UL, 54UL, 55UL, 97UL, limits::hkdf_batch_info_bytes_max}) {
      for (const std::size_t size : std::initializer_list<std::size_t>{1, 31, 32, 33, 192, 288}) {
        Bytes info(info_bytes), salt(info_bytes % 100);
        random.fill(info);
        random.fill(salt);
        const Table keys{info_bytes % 2 == 0 ? 32U : 16U, 21, random};
        Table out{size, 21};
        hkdf_sha256_batch(form, HmacSha256Key{salt}, keys.view(), info, out.all());
        for (std::size_t i = 0; i < 21; ++i)
          ASSERT_EQ(to_hex(out.view()[i]), to_hex(hkdf(salt, keys.view()[i], info, size)))
              << name(form) << " info " << info_bytes << " size " << size;
        ASSERT_TRUE(out.gaps_are_whole());
      }
    }
  }
}

TEST(HkdfSha256Batch, LongestOutput) {
  const Bytes salt(7, std::byte{1}), key(80, std::byte{2}), info(5, std::byte{3});
  for (const auto form : sha256_forms()) {
    Bytes out(limits::hkdf_digests_max * 32);
    hkdf_sha256_batch(form, HmacSha256Key{salt}, ConstRows::repeated(key, 1), info,
                      Rows{out, out.size(), 0, 1});
    EXPECT_EQ(to_hex(out), to_hex(hkdf(salt, key, info, out.size()))) << name(form);
  }
}

TEST(HmacSha256Key, TakesKeysLongerThanABlock) {
  const Bytes salt(100, std::byte{9}), key(32, std::byte{2});
  Bytes out(64);
  hkdf_sha256_batch(HmacSha256Key{salt}, ConstRows::repeated(key, 1), {}, Rows{out, 64, 0, 1});
  EXPECT_EQ(to_hex(out), to_hex(hkdf(salt, key, {}, 64)));
}

/// blake2b_by_openssl is its MAC of that name.
Bytes blake2b_by_openssl(ByteView key, ByteView message, std::size_t size) {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "BLAKE2BMAC", nullptr);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context{EVP_MAC_CTX_new(mac),
                                                                          EVP_MAC_CTX_free};
  OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_MAC_init(context.get(), octets(key), key.size(), params), 1);
  EXPECT_EQ(EVP_MAC_update(context.get(), octets(message), message.size()), 1);
  Bytes digest(size);
  EXPECT_EQ(EVP_MAC_final(context.get(), octets(ByteSpan{digest}), &size, size), 1);
  return digest;
}

TEST(Blake2bBatch, EveryLevelEqualsOpenssl) {
  SeededRandom random{4};
  for (const auto level : available_cpu_levels()) {
    for (const auto count : row_counts) {
      for (const auto size : message_sizes) {
        for (const std::size_t digest_bytes : std::initializer_list<std::size_t>{1, 32, 64}) {
          const Table keys{digest_bytes == 32 ? 64U : 16U + size % 48, count, random};
          const Table messages{size, count, random};
          Table digests{digest_bytes, count};
          blake2b_batch(level, keys.view(), messages.view(), digests.all());
          for (std::size_t i = 0; i < count; ++i)
            ASSERT_EQ(to_hex(digests.view()[i]),
                      to_hex(blake2b_by_openssl(keys.view()[i], messages.view()[i], digest_bytes)))
                << name(level) << " rows " << count << " size " << size << " key " << keys.bytes;
          ASSERT_TRUE(digests.gaps_are_whole());
        }
      }
    }
  }
}

template <std::size_t N>
std::span<const std::byte, N> fixed(ByteView view) {
  return view.first<N>();
}

TEST(KeyStream, EveryLevelEqualsThePortableOneAtEverySize) {
  SeededRandom random{5};
  ByteArray<32> key;
  for (std::size_t size = 0; size < 2300; size += size < 140 ? 1 : 61) {
    random.fill(key);
    Bytes text(size);
    random.fill(text);
    auto chacha = text, aes = text;
    chacha20_xor(CpuLevel::portable, key, chacha);
    aes128_ctr_xor(CpuLevel::portable, fixed<16>(key), aes);
    for (const auto level : available_cpu_levels()) {
      auto other = text;
      other.push_back(std::byte{0x77});
      chacha20_xor(level, key, ByteSpan{other}.first(size));
      EXPECT_EQ(other.back(), std::byte{0x77});
      other.pop_back();
      EXPECT_EQ(other, chacha) << name(level) << ' ' << size;
      other = text;
      aes128_ctr_xor(level, fixed<16>(key), other);
      EXPECT_EQ(other, aes) << name(level) << ' ' << size;
    }
  }
}

TEST(Lioness, EveryLevelDecryptsWhatEveryOtherEncrypted) {
  SeededRandom random{6};
  for (const std::size_t size : std::initializer_list<std::size_t>{33, 64, 1024, 1700, 2065}) {
    for (const auto count : row_counts) {
      const Table keys{lioness_key_bytes, count, random}, plain{size, count, random};
      auto wanted = plain;
      lioness_encrypt(CpuLevel::portable, keys.view(), wanted.all());
      ASSERT_NE(wanted.memory, plain.memory);
      for (const auto level : available_cpu_levels()) {
        auto work = plain;
        lioness_encrypt(level, keys.view(), work.all());
        ASSERT_EQ(work.memory, wanted.memory) << name(level) << " rows " << count << " size " << size;
        lioness_decrypt(level, keys.view(), work.all());
        ASSERT_EQ(work.memory, plain.memory) << name(level) << " rows " << count << " size " << size;
      }
    }
  }
}

TEST(Lioness, OneBitChangesBothHalves) {
  Bytes key(lioness_key_bytes, std::byte{1}), block(1700, std::byte{2});
  lioness_encrypt(fixed<lioness_key_bytes>(key), block);
  for (const std::size_t at : std::initializer_list<std::size_t>{0UL, 31UL, 32UL, 1699UL}) {
    auto damaged = block;
    damaged[at] ^= std::byte{1};
    lioness_decrypt(fixed<lioness_key_bytes>(key), damaged);
    const auto untouched = std::count(damaged.begin(), damaged.end(), std::byte{2});
    EXPECT_LT(untouched, 40) << at;  // 1700 / 256 by chance
  }
}

TEST(LionessVectors, UpstreamAndGenerated) {
  VG_VECTORS(text, "mixnet/lioness_chacha20_blake2b.json");
  const auto file = json::parse(text);
  std::size_t ran = 0;
  for (const auto& [set, cases] : file.items()) {
    if (!cases.is_array()) continue;
    for (const auto& test : cases) {
      const auto key = test::hex(test.at("key").get<std::string>());
      const auto plain = test::hex(test.at("plaintext").get<std::string>());
      const auto sealed = test.at("ciphertext").get<std::string>();
      for (const auto level : available_cpu_levels()) {
        auto block = plain;
        lioness_encrypt(level, ConstRows::repeated(key, 1), Rows{block, block.size(), 0, 1});
        EXPECT_EQ(to_hex(block), sealed) << set << ' ' << name(level);
        lioness_decrypt(level, ConstRows::repeated(key, 1), Rows{block, block.size(), 0, 1});
        EXPECT_EQ(to_hex(block), to_hex(plain)) << set << ' ' << name(level);
      }
      ++ran;
    }
  }
  EXPECT_GT(ran, 0U);
}

Bytes field(const json& test, const char* name) { return test::hex(test.at(name).get<std::string>()); }

TEST(MixPrimitivesVectors, KeyStreams) {
  VG_VECTORS(text, "mixnet/primitives.json");
  const auto file = json::parse(text);
  std::size_t ran = 0;
  for (const auto level : available_cpu_levels()) {
    for (const auto& test : file.at("chacha20_64bit_nonce_zero")) {
      auto data = field(test, "input");
      chacha20_xor(level, fixed<32>(field(test, "key")), data);
      EXPECT_EQ(to_hex(data), test.at("output")) << name(level);
      ++ran;
    }
    for (const auto& test : file.at("aes128_ctr_zero_iv")) {
      const auto wanted = test.at("keystream360").get<std::string>();
      Bytes data(wanted.size() / 2);
      aes128_ctr_xor(level, fixed<16>(field(test, "key")), data);
      EXPECT_EQ(to_hex(data), wanted) << name(level);
      ++ran;
    }
  }
  EXPECT_GT(ran, 0U);
}

TEST(MixPrimitivesVectors, Hashes) {
  VG_VECTORS(text, "mixnet/primitives.json");
  const auto file = json::parse(text);
  std::size_t ran = 0;
  for (const auto& test : file.at("blake2b256_keyed64")) {
    const auto key = field(test, "key"), message = field(test, "input");
    for (const auto level : available_cpu_levels()) {
      Bytes digest(32);
      blake2b_batch(level, ConstRows::repeated(key, 1), ConstRows::repeated(message, 1),
                    Rows{digest, 32, 0, 1});
      EXPECT_EQ(to_hex(digest), test.at("output")) << name(level);
    }
    ++ran;
  }
  for (const auto& test : file.at("hkdf_sha256")) {
    const auto salt = field(test, "salt"), key = field(test, "ikm"), info = field(test, "info");
    for (const auto& [field_name, value] : test.items()) {
      if (!field_name.starts_with("okm")) continue;
      const auto wanted = value.get<std::string>();
      for (const auto form : sha256_forms()) {
        Bytes out(wanted.size() / 2);
        hkdf_sha256_batch(form, HmacSha256Key{salt}, ConstRows::repeated(key, 1), info,
                          Rows{out, out.size(), 0, 1});
        EXPECT_EQ(to_hex(out), wanted) << name(form);
      }
      ++ran;
    }
  }
  EXPECT_GT(ran, 0U);
}

}  // namespace
}  // namespace village::crypto
