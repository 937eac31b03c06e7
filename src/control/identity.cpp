#include "control/identity.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "control/files.hpp"
#include "village/wire/base64.hpp"
#include "village/wire/node_id.hpp"

namespace village::control {
namespace {

constexpr std::size_t identity_bytes_max = 4'096;

/// seed_line gives the one line that is neither empty nor a comment.
std::string_view seed_line(std::string_view text) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty() && line.front() != '#') return line;
  }
  return {};
}

void wipe_text(std::string& text) { crypto::wipe({reinterpret_cast<std::byte*>(text.data()), text.size()}); }

}  // namespace

std::optional<crypto::Ed25519KeyPair> read_identity(const std::string& path, std::string& problem) {
  struct stat status {};
  auto text = read_file(path, identity_bytes_max, problem);
  if (!text) {
    if (errno == ENOENT) problem += "; \"villaged keygen --out " + path + "\" makes one";
    return std::nullopt;
  }
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    problem = path + " can be read by others than its owner; chmod 600 it";
    wipe_text(*text);
    return std::nullopt;
  }
  crypto::Ed25519Seed seed;
  const auto read = wire::from_base64url(seed_line(*text), seed.fill());
  wipe_text(*text);
  if (!read) {
    problem = path + " holds no identity: expected one line of 43 base64url characters";
    return std::nullopt;
  }
  return crypto::Ed25519KeyPair::from_seed(std::move(seed));
}

bool write_identity(const std::string& path, const crypto::Ed25519KeyPair& identity, std::string& problem) {
  auto text = "# The identity of node " + node_name(identity.public_key) +
              ".\n# Whoever has this file is that node: keep it secret, keep a copy.\n";
  auto seed = wire::base64url(identity.seed.view());
  text += seed + "\n";
  const bool written = write_new_file(path, text, 0600, problem);
  wipe_text(seed);
  wipe_text(text);
  return written;
}

std::string node_name(const crypto::Ed25519Public& key) { return wire::NodeId::of(key).name(); }

}  // namespace village::control
