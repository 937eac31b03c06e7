#include "village/service/mix_key_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "service/file_descriptor.hpp"

namespace village::service {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "sphinx-", suffix = ".key";
constexpr std::size_t key_bytes = 32;

Error io_error() { return fail(Errc::io, static_cast<std::uint64_t>(errno)); }

Result<crypto::Secret<key_bytes>> read_key(const std::string& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) return io_error();
  if ((facts.st_mode & 077) != 0) return fail(Errc::denied);
  crypto::Secret<key_bytes> key;
  if (facts.st_size != static_cast<off_t>(key_bytes)) return fail(Errc::malformed);
  if (::read(file.get(), key.fill().data(), key_bytes) != static_cast<ssize_t>(key_bytes)) return io_error();
  return key;
}

Result<void> write_key(const std::string& path, ByteView key) {
  const auto temporary = path + ".new";
  ::unlink(temporary.c_str());
  const FileDescriptor file{
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return io_error();
  const bool written = ::write(file.get(), key.data(), key.size()) == static_cast<ssize_t>(key.size()) &&
                       ::fsync(file.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return ok();
  const auto error = io_error();
  ::unlink(temporary.c_str());
  return error;
}

std::optional<mix::Epoch> epoch_of(std::string_view name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  mix::Epoch epoch = 0;
  const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), epoch);
  if (problem != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return epoch;
}

}  // namespace

Result<MixKeyStore> MixKeyStore::make_folder(std::string folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return io_error();
  return MixKeyStore{std::move(folder)};
}

std::string MixKeyStore::path(mix::Epoch epoch) const {
  return folder_ + "/" + std::string{prefix} + std::to_string(epoch) + std::string{suffix};
}

Result<crypto::VrfKeyPair> MixKeyStore::vrf(RandomSource& random) const {
  const auto file = folder_ + "/vrf.key";
  auto key = read_key(file);
  if (key) return crypto::VrfKeyPair::from_seed(*std::move(key));
  if (key.error() != fail(Errc::io, ENOENT)) return key.error();
  auto made = crypto::VrfKeyPair::generate(random);
  VG_TRY_VOID(write_key(file, made.seed.view()));
  return made;
}

std::vector<mix::Epoch> MixKeyStore::epochs() const {
  std::vector<mix::Epoch> epochs;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator{folder_, problem}) {
    if (const auto epoch = epoch_of(entry.path().filename().string())) epochs.push_back(*epoch);
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

std::vector<MixKeyStore::EpochKey> MixKeyStore::load(std::vector<std::string>& damaged) const {
  std::vector<EpochKey> keys;
  for (const auto epoch : epochs()) {
    auto key = read_key(path(epoch));
    if (key) {
      keys.push_back({epoch, *std::move(key)});
    } else {
      damaged.push_back(path(epoch));
    }
  }
  return keys;
}

Result<void> MixKeyStore::store(mix::Epoch epoch, const crypto::X25519Private& key) const {
  return write_key(path(epoch), key.view());
}

void MixKeyStore::remove(mix::Epoch epoch) const {
  const auto file = path(epoch);
  {
    const FileDescriptor open{::open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
    const ByteArray<key_bytes> zeros{};
    if (open && ::write(open.get(), zeros.data(), zeros.size()) > 0) (void)::fsync(open.get());
  }
  ::unlink(file.c_str());
}

}  // namespace village::service
