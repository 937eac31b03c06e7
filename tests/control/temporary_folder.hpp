#pragma once
// A folder of one test, gone with it.
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "village/base/check.hpp"

namespace village::control {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto pattern = (std::filesystem::temp_directory_path() / "village-XXXXXX").string();
    VG_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }
  /// write makes or replaces a file and returns its path.
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream{path(name), std::ios::binary} << text;
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace village::control
