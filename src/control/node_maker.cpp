#include "control/node_maker.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "control/files.hpp"
#include "control/identity.hpp"
#include "village/crypto/certificate.hpp"
#include "village/crypto/random.hpp"
#include "village/service/ticket_keyring.hpp"

namespace village::control {
namespace {

constexpr int certificate_days = 3'650;

WallTime wall_now() {
  return WallTime{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
}

/// The page that the world's web servers show when nobody has written another; a page of our own would be a
/// sign.
constexpr std::string_view decoy_page = "<html><body><h1>It works!</h1></body></html>\n";

}  // namespace

bool NodeMaker::run() {
  if (make_all()) return true;
  for (const auto& file : made_) ::unlink(file.c_str());
  return false;
}

bool NodeMaker::make_all() {
  for (const auto* name : {"identity.key", "certificate.pem", "certificate.key", "villaged.json"}) {
    if (::access(path(name).c_str(), F_OK) == 0) {
      problem_ = path(name) + " is there already; nothing was changed (choose another --dir)";
      return false;
    }
  }
  if (!make_directory(plan_.directory)) return false;
  crypto::SystemRandom random;
  const auto identity = crypto::Ed25519KeyPair::generate(random);
  key_ = identity.public_key;
  if (!write_identity(path("identity.key"), identity, problem_)) return false;
  keep(path("identity.key"));
  const bool tls = plan_.has_tls();
  if (tls && !(make_directory(path("decoy")) && make_file("decoy/index.html", decoy_page, 0644)))
    return false;
  const bool certificate = tls || !plan_.in_mixnet();
  return (!certificate || make_certificate()) && make_file("villaged.json", config_of(plan_, key_), 0640) &&
         make_directory(path("state")) && (!tls || make_ticket_keys());
}

bool NodeMaker::make_ticket_keys() {
  const auto file = path("state/ticket.keys");
  if (service::TicketKeyring::read_or_make(file, wall_now())) {
    keep(file);
    return true;
  }
  problem_ = "cannot make " + file;
  return false;
}

bool NodeMaker::make_directory(const std::string& directory) {
  struct stat status {};
  if (::mkdir(directory.c_str(), 0700) == 0) {
    give(directory);
  } else if (errno != EEXIST || ::stat(directory.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    problem_ = "cannot make the folder " + directory + ": " + std::generic_category().message(errno);
    return false;
  } else if (directory == plan_.directory) {
    owner_ = status.st_uid;
    group_ = status.st_gid;
  }
  return true;
}

bool NodeMaker::make_certificate() {
  auto certificate = crypto::make_self_signed(plan_.name, wall_now(), certificate_days);
  if (!certificate) {
    problem_ = "cannot make a certificate";
    return false;
  }
  const bool made = make_file("certificate.pem", certificate->certificate_pem, 0644) &&
                    make_file("certificate.key", certificate->key_pem, 0600);
  crypto::wipe({reinterpret_cast<std::byte*>(certificate->key_pem.data()), certificate->key_pem.size()});
  return made;
}

bool NodeMaker::make_file(const char* name, std::string_view content, mode_t mode) {
  if (!write_new_file(path(name), content, mode, problem_)) return false;
  keep(path(name));
  return true;
}

void NodeMaker::keep(const std::string& file) {
  made_.push_back(file);
  give(file);
}

/// give hands what root made in somebody's folder to the owner of that folder.
void NodeMaker::give(const std::string& file) {
  if (::geteuid() != 0 || owner_ == 0) return;
  [[maybe_unused]] const auto given = ::chown(file.c_str(), owner_, group_);
}

}  // namespace village::control
