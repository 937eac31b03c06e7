#pragma once
// Protocol: what a name such as Noise_XKpsk3_25519_ChaChaPoly_SHA256 stands for. Source: Noise revision 34,
// 7-9.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "village/base/check.hpp"
#include "village/base/error.hpp"
#include "village/crypto/hash.hpp"
#include "village/noise/limits.hpp"

namespace village::noise {

/// Role: the initiator writes the first message.
enum class Role : std::uint8_t { initiator, responder };

/// Token is one step of a handshake message. e1 and ekem1 belong to the modifier hfs (a key encapsulation
/// beside the Diffie-Hellman): an ephemeral encapsulation key, and the ciphertext made for it.
enum class Token : std::uint8_t { none, e, s, ee, es, se, ss, psk, e1, ekem1 };

enum class Cipher : std::uint8_t { chacha_poly, aes_gcm };

/// Kem is the second algorithm of a hybrid name ("25519+MLKEM768").
enum class Kem : std::uint8_t { none, mlkem768 };

/// TokenList is one handshake message: a short list in place.
class TokenList {
 public:
  const Token* begin() const { return tokens_.data(); }
  const Token* end() const { return tokens_.data() + count_; }
  std::size_t size() const { return count_; }
  void push_back(Token token) {
    VG_CHECK(count_ < tokens_.size());
    tokens_[count_++] = token;
  }
  void push_front(Token token) {
    push_back(token);
    for (std::size_t i = count_ - 1; i > 0; --i) tokens_[i] = tokens_[i - 1];
    tokens_[0] = token;
  }
  /// insert_behind puts a token behind the one at `index`.
  void insert_behind(std::size_t index, Token token) {
    VG_CHECK(index < count_);
    push_back(token);
    for (std::size_t i = count_ - 1; i > index + 1; --i) tokens_[i] = tokens_[i - 1];
    tokens_[index + 1] = token;
  }
  bool has(Token token) const {
    for (const Token t : *this) {
      if (t == token) return true;
    }
    return false;
  }

 private:
  std::array<Token, limits::pattern_tokens_max> tokens_{};
  std::size_t count_ = 0;
};

/// Pattern is a handshake as data: who is known beforehand, and the tokens of each message, initiator's
/// first.
struct Pattern {
  std::string_view base;         ///< "XK"; static storage
  bool initiator_known = false;  ///< pre-message -> s
  bool responder_known = false;  ///< pre-message <- s
  std::array<TokenList, limits::pattern_messages_max> messages;
  std::size_t message_count = 0;
  std::size_t psk_count = 0;
  bool hybrid = false;  ///< modifier hfs

  /// one_way: N, K, X; only the initiator sends, also after the handshake.
  bool one_way() const { return message_count == 1; }
  /// writer tells whose turn message `index` is.
  static Role writer(std::size_t index) { return index % 2 == 0 ? Role::initiator : Role::responder; }
  /// needs_static: this side must have a static key pair of its own.
  bool needs_static(Role role) const;
  /// known: this side's static key must be known to the other one before the handshake.
  bool known(Role role) const { return role == Role::initiator ? initiator_known : responder_known; }
};

struct Protocol {
  std::string name;
  Pattern pattern;
  Cipher cipher = Cipher::chacha_poly;
  crypto::HashAlgorithm hash = crypto::HashAlgorithm::sha256;
  Kem kem = Kem::none;
};

/// parse_protocol reads a protocol name: N, K, X, the twelve interactive patterns, the 23 deferred ones, each
/// with psk0..pskN (N = number of messages) and, but for N, K and X, hfs (several joined by '+'); 25519, and
/// with hfs 25519+MLKEM768; ChaChaPoly, AESGCM; SHA256, SHA512, BLAKE2s, BLAKE2b. Errors: malformed (no Noise
/// name), unsupported (unknown pattern, modifier or algorithm; fallback among them), limit_exceeded (more
/// than 255 bytes). Source of hfs: noiseprotocol/noise_hfs_spec, revision 1.
Result<Protocol> parse_protocol(std::string_view name);

}  // namespace village::noise
