#pragma once
// Files that are read and replaced as a whole.
#include <string>
#include <string_view>

#include "village/base/error.hpp"

namespace village::service {

/// read_whole_file reads a file of at most `bytes_max`. Errors: not_found, limit_exceeded, io (detail =
/// errno).
Result<std::string> read_whole_file(const std::string& path, std::size_t bytes_max);
/// replace_whole_file puts a file in the place of the former at once, mode 0600, synced with its folder:
/// after a power cut there is the old one or the new one. Errors: io.
Result<void> replace_whole_file(const std::string& path, std::string_view content);

}  // namespace village::service
