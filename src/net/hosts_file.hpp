#pragma once
// HostsFile: /etc/hosts in memory, reread when it changed. One core.
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "village/base/time.hpp"
#include "village/net/address.hpp"

namespace village::net {

class HostsFile {
 public:
  explicit HostsFile(std::string path) : path_{std::move(path)} {}
  /// find gives the addresses of a lower-case name; empty if the file has none. Looks at the file's time at
  /// most once a second.
  const std::vector<Ip>& find(const std::string& name, Instant now);

 private:
  void read();
  std::string path_;
  std::map<std::string, std::vector<Ip>> names_;
  Instant next_look_{};
  timespec changed_{};
  bool seen_ = false;
};

/// lower folds ASCII letters.
std::string lower(std::string text);

}  // namespace village::net
