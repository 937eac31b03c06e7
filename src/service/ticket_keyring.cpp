#include "village/service/ticket_keyring.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "service/file_descriptor.hpp"
#include "village/crypto/random.hpp"
#include "village/htx/limits.hpp"
#include "village/wire/base64.hpp"

namespace village::service {
namespace {

constexpr std::size_t file_bytes_max = 4'096;
constexpr int lock_tries_max = 200;  // 2 s; it is kept for milliseconds
constexpr int lock_pause_ms = 10;

void wipe_text(std::string& text) { crypto::wipe({reinterpret_cast<std::byte*>(text.data()), text.size()}); }

/// SecretText wipes what it held, also on the way out of an error.
struct SecretText {
  std::string text;
  ~SecretText() { wipe_text(text); }
};

std::string_view next_line(std::string_view& text) {
  const auto end = std::min(text.find('\n'), text.size());
  const auto line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

Result<TicketKey> parse_line(std::string_view line) {
  htx::TicketKeyId id;
  crypto::X25519Private key;
  VG_TRY_VOID(wire::from_base64url(next_word(line), ByteSpan{id}));
  VG_TRY_VOID(wire::from_base64url(next_word(line), ByteSpan{key.fill()}));
  std::int64_t seconds = 0;
  const auto number = next_word(line);
  const auto end = std::from_chars(number.data(), number.data() + number.size(), seconds);
  const bool whole = end.ec == std::errc{} && end.ptr == number.data() + number.size() && line.empty();
  if (!whole || seconds < 0 || seconds > std::int64_t{1} << 33) return fail(Errc::malformed);
  return TicketKey{htx::TicketSecret::from_private(id, std::move(key)),
                   WallTime{std::chrono::seconds{seconds}}};
}

Result<void> write_to(int file, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(Errc::io, static_cast<std::uint64_t>(errno));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok();
}

/// lock_folder keeps other processes from changing the files of that folder, for as long as the descriptor
/// lives. Of the folder, not of the file, which is replaced, nor of another file, which root may own.
Result<FileDescriptor> lock_folder(const std::string& path) {
  const auto folder = path.substr(0, path.rfind('/') + 1) + ".";
  FileDescriptor lock{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!lock) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  for (int tries = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(Errc::io, static_cast<std::uint64_t>(errno));
    if (tries == lock_tries_max) return fail(Errc::busy);
    (void)::poll(nullptr, 0, lock_pause_ms);
  }
  return lock;
}

}  // namespace

Result<TicketKeyring> TicketKeyring::parse(std::string_view text) {
  std::vector<TicketKey> keys;
  for (std::uint64_t number = 1; !text.empty(); ++number) {
    const auto line = next_line(text);
    if (line.empty() || line.front() == '#') continue;
    auto key = parse_line(line);
    if (!key) return fail(Errc::malformed, number);
    const auto& id = key->secret.open.id;
    const bool known = std::any_of(keys.begin(), keys.end(),
                                   [&id](const TicketKey& other) { return other.secret.open.id == id; });
    if (known) return fail(Errc::already_exists, number);
    if (keys.size() == htx::limits::ticket_keys_max) return fail(Errc::limit_exceeded, number);
    keys.push_back(*std::move(key));
  }
  return TicketKeyring{std::move(keys)};
}

Result<TicketKeyring> TicketKeyring::read(const std::string& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  if ((status.st_mode & 077) != 0) return fail(Errc::denied);
  SecretText secret{std::string(file_bytes_max + 1, '\0')};
  const auto size = ::read(file.get(), secret.text.data(), secret.text.size());
  if (size < 0) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  if (static_cast<std::size_t>(size) > file_bytes_max) return fail(Errc::limit_exceeded);
  return parse(std::string_view{secret.text}.substr(0, static_cast<std::size_t>(size)));
}

Result<TicketKeyring> TicketKeyring::update(const std::string& path,
                                            const std::function<bool(TicketKeyring&)>& change) {
  const auto lock = lock_folder(path);
  if (!lock) return lock.error();
  auto ring = read(path);
  if (!ring && ring.error() == fail(Errc::io, ENOENT)) ring = TicketKeyring{};
  if (!ring) return ring;
  if (change(*ring)) VG_TRY_VOID(ring->write(path));
  return ring;
}

Result<TicketKeyring> TicketKeyring::read_or_make(const std::string& path, WallTime now) {
  auto ring = read(path);
  if (ring ? !ring->empty() : ring.error() != fail(Errc::io, ENOENT)) return ring;
  return update(path, [now](TicketKeyring& made) {
    if (!made.empty()) return false;  // somebody was faster
    crypto::SystemRandom random;
    made.rotate(now, random);
    return true;
  });
}

Result<void> TicketKeyring::write(const std::string& path) const {
  SecretText secret;
  secret.text.reserve(file_bytes_max);
  secret.text +=
      "# Ticket keys of this node, newest first: key id, private key, time when it was made. Keep it "
      "secret.\n"
      "# \"villaged peer rotate-tickets\" puts a new one in front.\n";
  for (const auto& key : keys_) {
    SecretText private_key{wire::base64url(key.secret.key.view())};
    const auto made = std::chrono::floor<std::chrono::seconds>(key.made.time_since_epoch()).count();
    secret.text += wire::base64url(key.secret.open.id) + ' ';
    secret.text += private_key.text;
    secret.text += ' ' + std::to_string(made) + '\n';
  }
  const auto temporary = path + ".new";
  ::unlink(temporary.c_str());
  const FileDescriptor file{
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  struct stat former {};
  const auto folder = path.substr(0, path.rfind('/') + 1) + ".";
  if (::stat(path.c_str(), &former) == 0 || ::stat(folder.c_str(), &former) == 0) {
    [[maybe_unused]] const auto kept = ::fchown(file.get(), former.st_uid, former.st_gid);  // root only
  }
  auto written = write_to(file.get(), secret.text);
  if (written && (::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0)) {
    written = fail(Errc::io, static_cast<std::uint64_t>(errno));
  }
  if (!written) ::unlink(temporary.c_str());
  return written;
}

void TicketKeyring::rotate(WallTime now, RandomSource& random) {
  keys_.insert(keys_.begin(), TicketKey{htx::TicketSecret::generate(random), now});
  if (keys_.size() > htx::limits::ticket_keys_max) keys_.resize(htx::limits::ticket_keys_max);
}

std::size_t TicketKeyring::accepted_count(WallTime now, Duration overlap) const {
  auto count = std::min(keys_.size(), htx::limits::ticket_keys_max);
  while (count > 1 && now - keys_[count - 2].made > overlap) --count;
  return count;
}

bool TicketKeyring::prune(WallTime now, Duration overlap) {
  const auto before = keys_.size();
  keys_.resize(accepted_count(now, overlap));
  return keys_.size() != before;
}

bool TicketKeyring::is_due(WallTime now, Duration rotation) const {
  return rotation > Duration{0} && !keys_.empty() && now - keys_.front().made >= rotation;
}

std::shared_ptr<const htx::TicketKeys> TicketKeyring::accepted(std::size_t count) const {
  auto keys = std::make_shared<htx::TicketKeys>();
  for (std::size_t i = 0; i < std::min(count, keys_.size()); ++i)
    keys->secrets.push_back(keys_[i].secret.clone());
  return keys;
}

std::string ticket_text(const htx::TicketPublic& ticket) {
  return wire::base64url(ticket.id) + "." + wire::base64url(ticket.key);
}

Result<htx::TicketPublic> parse_ticket_public(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return fail(Errc::malformed);
  htx::TicketPublic ticket;
  VG_TRY_VOID(wire::from_base64url(text.substr(0, dot), ByteSpan{ticket.id}));
  VG_TRY_VOID(wire::from_base64url(text.substr(dot + 1), ByteSpan{ticket.key}));
  return ticket;
}

}  // namespace village::service
