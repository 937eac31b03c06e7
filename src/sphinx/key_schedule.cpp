#include "sphinx/key_schedule.hpp"

#include "village/crypto/sha256_batch.hpp"
#include "village/crypto/x25519_batch.hpp"

namespace village::sphinx {
namespace {

// Part of the wire format, letter by letter.
constexpr std::string_view expansion_info =
    "Dwste mou enan moxlo arketa makru kai ena upomoxlio gia na ton topothetisw kai tha kinisw thn gh.";
constexpr std::string_view payload_salt = "sphinx-payload-key-V01-CS01-HKDF:SHA256-SALT";
constexpr std::string_view payload_info = "sphinx-payload-key-V01-CS01-HKDF:SHA256-INFO";
static_assert(expansion_info.size() == 97 && payload_salt.size() == 44 && payload_info.size() == 44);

/// form_of: sixteen lanes cost as much for one row as for sixteen, about what two lanes cost for eight.
crypto::Sha256Form form_of(std::size_t rows) {
  const auto form = crypto::sha256_form();
  const bool few = form == crypto::Sha256Form::avx512 && rows <= 8;
  return few && crypto::has_sha_instructions() ? crypto::Sha256Form::shani : form;
}

}  // namespace

std::uint64_t exchange_batch(const crypto::ConstRows& scalars, const crypto::ConstRows& points,
                             const crypto::Rows& results) {
  const auto level = crypto::cpu_level();
  const bool alone = level == crypto::CpuLevel::avx2 && points.size() == 1;
  return crypto::x25519_batch(alone ? crypto::CpuLevel::portable : level, scalars, points, results);
}

void expand_secrets(const crypto::ConstRows& secrets, const crypto::Rows& expansions) {
  static const crypto::HmacSha256Key salt{{}};
  crypto::hkdf_sha256_batch(form_of(secrets.size()), salt, secrets, as_bytes(expansion_info), expansions);
}

void derive_payload_keys(const crypto::ConstRows& seeds, const crypto::Rows& keys) {
  static const crypto::HmacSha256Key salt{as_bytes(payload_salt)};
  crypto::hkdf_sha256_batch(form_of(seeds.size()), salt, seeds, as_bytes(payload_info), keys);
}

void header_macs(const crypto::ConstRows& keys, const crypto::ConstRows& routings, const crypto::Rows& macs) {
  crypto::hmac_sha256_batch(form_of(keys.size()), keys, routings, macs);
}

}  // namespace village::sphinx
