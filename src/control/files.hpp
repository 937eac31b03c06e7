#pragma once
// Files of the control plane: read whole, made anew, or replaced at once.
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace village::control {

/// read_file reads at most `bytes_max`; otherwise nothing, and `problem` says why in words.
std::optional<std::string> read_file(const std::string& path, std::size_t bytes_max, std::string& problem);

/// write_new_file makes a file with exactly `mode`, synced; it never overwrites.
bool write_new_file(const std::string& path, std::string_view content, mode_t mode, std::string& problem);

/// replace_file writes beside `path`, syncs, and renames: readers see the old or the new content, never a
/// part. Keeps mode and, where allowed, owner; follows a symbolic link.
bool replace_file(const std::string& path, std::string_view content, std::string& problem);

/// directory_of gives what stands before the last slash, "." if there is none.
std::string directory_of(const std::string& path);
/// resolve completes a relative path by a folder; absolute and empty paths stay.
std::string resolve(const std::string& directory, const std::string& path);

}  // namespace village::control
