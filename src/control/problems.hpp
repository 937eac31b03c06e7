#pragma once
// Problems: the operator's mistakes in one text, each turned from an offset into line and column.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "village/control/config.hpp"
#include "village/control/limits.hpp"

namespace village::control {

/// Problems collects what is wrong with one file. Keeps at most config_diagnostics_max errors and as many
/// warnings.
class Problems {
 public:
  /// `text` must outlive the collector.
  Problems(std::string file, std::string_view text);

  void error(std::size_t offset, std::string pointer, std::string message);
  void warning(std::size_t offset, std::string pointer, std::string message);
  /// file_error is about the file as a whole: no line, no pointer.
  void file_error(std::string message);

  bool any() const { return !errors_.empty(); }
  bool full() const { return errors_.size() >= limits::config_diagnostics_max; }
  /// under tells whether an error was found at `pointer` or below it.
  bool under(std::string_view pointer) const;
  /// line is the number of the line that holds `offset`, from 1.
  std::uint32_t line(std::size_t offset) const;
  const std::string& file() const { return file_; }

  /// take_errors gives what was found, in the order of the file.
  std::vector<Diagnostic> take_errors();
  std::vector<Diagnostic> take_warnings();

 private:
  Diagnostic at(std::size_t offset, std::string pointer, std::string message) const;
  std::string file_;
  std::string_view text_;
  std::vector<std::size_t> line_starts_;
  std::vector<Diagnostic> errors_, warnings_;
  std::size_t dropped_errors_ = 0;
};

}  // namespace village::control
