#pragma once
// Identity: the file that makes a node that node. Text: lines that begin with '#', then the Ed25519 seed in
// base64url.
#include <optional>
#include <string>

#include "village/base/random.hpp"
#include "village/crypto/ed25519.hpp"

namespace village::control {

/// read_identity reads the key pair; otherwise nothing, and `problem` says what to do. Refuses a file that
/// others than its owner can read or write.
std::optional<crypto::Ed25519KeyPair> read_identity(const std::string& path, std::string& problem);

/// write_identity makes the file with mode 0600; it never overwrites.
bool write_identity(const std::string& path, const crypto::Ed25519KeyPair& identity, std::string& problem);

/// node_name is the bn1: name of a key.
std::string node_name(const crypto::Ed25519Public& key);

}  // namespace village::control
