#include "support/vectors.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "village/base/check.hpp"

namespace village::test {

std::optional<std::filesystem::path> vector_file(const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path source{VILLAGE_SOURCE_DIR};
  std::vector<fs::path> roots;
  if (const char* root = std::getenv("VILLAGE_VECTORS")) {
    roots.emplace_back(root);
  } else {
    roots.push_back(source / ".." / "shared" / "vectors");
  }
  roots.push_back(source / "tests" / "vectors");
  for (const auto& root : roots) {
    if (fs::exists(root / name)) return root / name;
  }
  return std::nullopt;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

Bytes hex(std::string_view text) {
  auto bytes = from_hex(text);
  VG_CHECK(bytes.has_value());
  return *std::move(bytes);
}

}  // namespace village::test
