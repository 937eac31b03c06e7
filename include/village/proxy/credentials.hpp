#pragma once
// Credentials: who may use an inbound. Names and passwords are kept as digests only and compared in constant
// time.
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/crypto/secret.hpp"

namespace village::proxy {

/// Credentials is a set of user/password pairs. Empty = no authentication wanted. Immutable while connections
/// use it.
class Credentials {
 public:
  /// add puts one pair into the set. The texts are not kept.
  void add(std::string_view user, std::string_view password);
  bool empty() const { return digests_.empty(); }
  std::size_t size() const { return digests_.size(); }

  /// allows tells whether the pair is in the set. Time depends on the number of pairs and on the lengths the
  /// client sent, never on which pair matched or how much of it. O(pairs) after one SHA-256.
  [[nodiscard]] bool allows(std::string_view user, std::string_view password) const;

  /// allows_basic does the same for the value of Proxy-Authorization ("Basic dXNlcjpwYXNz"; RFC 7617). A
  /// value of any other scheme or form is not allowed.
  [[nodiscard]] bool allows_basic(std::string_view field_value) const;

 private:
  std::vector<crypto::Secret<32>> digests_;
};

}  // namespace village::proxy
