#pragma once
// NodeMaker: the files of a new node.
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "control/init_plan.hpp"

namespace village::control {

/// NodeMaker makes files and takes them away again if it cannot make all.
class NodeMaker {
 public:
  explicit NodeMaker(const InitPlan& plan) : plan_{plan} {}

  bool run();
  const std::string& problem() const { return problem_; }
  const std::vector<std::string>& made() const { return made_; }
  const crypto::Ed25519Public& key() const { return key_; }
  std::string path(const char* name) const { return plan_.directory + "/" + name; }

 private:
  bool make_all();
  bool make_ticket_keys();
  bool make_directory(const std::string& directory);
  bool make_certificate();
  bool make_file(const char* name, std::string_view content, mode_t mode);
  void keep(const std::string& file);
  void give(const std::string& file);

  const InitPlan& plan_;
  std::string problem_;
  std::vector<std::string> made_;
  crypto::Ed25519Public key_{};
  uid_t owner_ = 0;
  gid_t group_ = 0;
};

}  // namespace village::control
