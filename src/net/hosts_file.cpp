#include "net/hosts_file.hpp"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

namespace village::net {
namespace {
constexpr std::size_t names_max = 65'536;  // lists that block advertisers are that long
constexpr std::size_t addresses_max = 16;
}  // namespace

std::string lower(std::string text) {
  for (auto& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

const std::vector<Ip>& HostsFile::find(const std::string& name, Instant now) {
  static const std::vector<Ip> none;
  if (path_.empty()) return none;
  if (now >= next_look_) {
    next_look_ = now + 1s;
    struct stat found {};
    if (::stat(path_.c_str(), &found) != 0) {
      names_.clear();
      seen_ = false;
    } else if (!seen_ || found.st_mtim.tv_sec != changed_.tv_sec ||
               found.st_mtim.tv_nsec != changed_.tv_nsec) {
      changed_ = found.st_mtim;
      seen_ = true;
      read();
    }
  }
  const auto entry = names_.find(name);
  return entry == names_.end() ? none : entry->second;
}

void HostsFile::read() {
  names_.clear();
  std::ifstream file{path_};
  for (std::string line; std::getline(file, line);) {
    std::istringstream words{line.substr(0, line.find('#'))};
    std::string word;
    if (!(words >> word)) continue;
    const auto host = parse_host(word.substr(0, word.find('%')));
    if (host.has_error() || std::holds_alternative<DomainName>(*host)) continue;
    const auto* v4 = std::get_if<Ipv4Address>(&*host);
    const Ip ip = v4 != nullptr ? Ip{*v4} : Ip{std::get<Ipv6Address>(*host)};
    while (words >> word) {
      if (names_.size() >= names_max) return;
      auto& addresses = names_[lower(std::move(word))];
      if (addresses.size() < addresses_max) addresses.push_back(ip);
    }
  }
}

}  // namespace village::net
