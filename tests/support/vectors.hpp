#pragma once
// Where vectors lie: $VILLAGE_VECTORS, else ../shared/vectors beside the checkout; those made for this
// project, and what is in neither, in tests/vectors.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>

#include "village/base/bytes.hpp"

namespace village::test {

/// vector_file finds `area/file` ("htx/ids.json") in the first of the folders that has it.
std::optional<std::filesystem::path> vector_file(const std::string& name);
/// read_file reads a whole file; empty if it cannot be read.
std::string read_file(const std::filesystem::path& path);
/// hex decodes a literal that must be hex.
Bytes hex(std::string_view text);

}  // namespace village::test

/// VG_VECTORS(variable, "area/file"): reads the file into std::string `variable`, or skips the test visibly.
#define VG_VECTORS(variable, name)                                                             \
  const auto variable##_path = ::village::test::vector_file(name);                             \
  if (!variable##_path) GTEST_SKIP() << "no vector file " << name << " (set VILLAGE_VECTORS)"; \
  const std::string variable = ::village::test::read_file(*variable##_path)
