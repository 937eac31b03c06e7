#include "village/crypto/sha256_batch.hpp"

#include <algorithm>

#include "crypto/sha256_lanes.hpp"

namespace village::crypto {
namespace {

struct Openssl {
  static constexpr std::size_t lanes = 1;
  static constexpr bool transposed = false;
  static constexpr auto compress = sha256_compress_openssl;
};
struct Shani {
  static constexpr std::size_t lanes = 2;
  static constexpr bool transposed = false;
  static constexpr auto compress = sha256_compress_shani;
};
struct Avx2 {
  static constexpr std::size_t lanes = 8;
  static constexpr bool transposed = true;
  static constexpr auto compress = sha256_compress_avx2;
};
struct Avx512 {
  static constexpr std::size_t lanes = 16;
  static constexpr bool transposed = true;
  static constexpr auto compress = sha256_compress_avx512;
};

template <class Kernel, class Work>
void by_lanes(std::size_t rows, Work work) {
  for (std::size_t begin = 0; begin < rows; begin += Kernel::lanes) {
    const auto used = std::min(Kernel::lanes, rows - begin);
    Lanes<Kernel> lanes{used};
    work(lanes, begin, used);
  }
}

/// with_lanes runs work(lanes, first row, row count) for every group of rows.
template <class Work>
void with_lanes(Sha256Form form, std::size_t rows, Work work) {
  VG_CHECK(rows <= limits::batch_rows_max);
  switch (form) {
    case Sha256Form::avx512:
      return by_lanes<Avx512>(rows, work);
    case Sha256Form::avx2:
      return by_lanes<Avx2>(rows, work);
    case Sha256Form::shani:
      return by_lanes<Shani>(rows, work);
    case Sha256Form::openssl:
      return by_lanes<Openssl>(rows, work);
  }
}

}  // namespace

HmacSha256Key::HmacSha256Key(ByteView key) {
  ByteArray<64> block{};
  if (key.size() > block.size()) {
    sha256_batch(Sha256Form::openssl, ConstRows{key, key.size(), 0, 1}, Rows{block, 32, 0, 1});
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  std::array<std::uint32_t, 16> words;
  for (std::size_t i = 0; i < 16; ++i) {
    words[i] = 0;
    for (std::size_t j = 0; j < 4; ++j)
      words[i] = words[i] << 8 | std::to_integer<std::uint32_t>(block[4 * i + j]);
  }
  for (auto& word : words) word ^= 0x36363636;
  sha256_compress_openssl(sha256_start.data(), words.data(), inner_.data());
  for (auto& word : words) word ^= 0x36363636 ^ 0x5c5c5c5c;
  sha256_compress_openssl(sha256_start.data(), words.data(), outer_.data());
  wipe(block);
  wipe(std::as_writable_bytes(std::span{words}));
}

HmacSha256Key::~HmacSha256Key() {
  wipe(std::as_writable_bytes(std::span{inner_}));
  wipe(std::as_writable_bytes(std::span{outer_}));
}

Sha256Form sha256_form() {
  switch (cpu_level()) {
    case CpuLevel::ifma:
      return Sha256Form::avx512;
    case CpuLevel::avx2:
      return has_sha_instructions() ? Sha256Form::shani : Sha256Form::avx2;
    case CpuLevel::portable:
      break;
  }
  return Sha256Form::openssl;
}

bool sha256_form_is_available(Sha256Form form) {
  const auto best = available_cpu_levels().back();
  switch (form) {
    case Sha256Form::avx512:
      return best >= CpuLevel::ifma;
    case Sha256Form::avx2:
      return best >= CpuLevel::avx2;
    case Sha256Form::shani:
      return has_sha_instructions();
    case Sha256Form::openssl:
      break;
  }
  return true;
}

std::string_view name(Sha256Form form) {
  switch (form) {
    case Sha256Form::openssl:
      return "openssl";
    case Sha256Form::shani:
      return "shani";
    case Sha256Form::avx2:
      return "avx2";
    case Sha256Form::avx512:
      return "avx512";
  }
  return "?";
}

void sha256_batch(const ConstRows& messages, const Rows& digests) {
  sha256_batch(sha256_form(), messages, digests);
}
void hmac_sha256_batch(const ConstRows& keys, const ConstRows& messages, const Rows& macs) {
  hmac_sha256_batch(sha256_form(), keys, messages, macs);
}
void hkdf_sha256_batch(const HmacSha256Key& salt, const ConstRows& input_keys, ByteView info,
                       const Rows& out) {
  hkdf_sha256_batch(sha256_form(), salt, input_keys, info, out);
}

void sha256_batch(Sha256Form form, const ConstRows& messages, const Rows& digests) {
  VG_CHECK(digests.size() == messages.size() && digests.bytes() == 32);
  with_lanes(form, messages.size(), [&](auto& lanes, std::size_t begin, std::size_t count) {
    lanes.sha256(messages.part(begin, count), digests.part(begin, count));
  });
}

void hmac_sha256_batch(Sha256Form form, const ConstRows& keys, const ConstRows& messages, const Rows& macs) {
  VG_CHECK(keys.size() == messages.size() && macs.size() == messages.size());
  VG_CHECK(keys.bytes() <= 64 && macs.bytes() >= 1 && macs.bytes() <= 32);
  with_lanes(form, messages.size(), [&](auto& lanes, std::size_t begin, std::size_t count) {
    lanes.hmac(keys.part(begin, count), messages.part(begin, count), macs.part(begin, count));
  });
}

void hkdf_sha256_batch(Sha256Form form, const HmacSha256Key& salt, const ConstRows& input_keys, ByteView info,
                       const Rows& out) {
  VG_CHECK(out.size() == input_keys.size() && out.bytes() <= limits::hkdf_digests_max * 32);
  VG_CHECK(info.size() <= limits::hkdf_batch_info_bytes_max);
  with_lanes(form, input_keys.size(), [&](auto& lanes, std::size_t begin, std::size_t count) {
    lanes.hkdf(salt.inner(), salt.outer(), input_keys.part(begin, count), info, out.part(begin, count));
  });
}

}  // namespace village::crypto
