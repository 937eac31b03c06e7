#include "control/problems.hpp"

#include <algorithm>
#include <tuple>

namespace village::control {
namespace {

void sort_by_place(std::vector<Diagnostic>& list) {
  std::stable_sort(list.begin(), list.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
}

}  // namespace

std::string Diagnostic::text() const {
  std::string out = file;
  if (line != 0) out += ":" + std::to_string(line) + ":" + std::to_string(column);
  out += ": ";
  if (!pointer.empty()) out += pointer + ": ";
  return out + message;
}

Problems::Problems(std::string file, std::string_view text)
    : file_{std::move(file)}, text_{text}, line_starts_{0} {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(i + 1);
  }
}

std::uint32_t Problems::line(std::size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  return static_cast<std::uint32_t>(after - line_starts_.begin());
}

Diagnostic Problems::at(std::size_t offset, std::string pointer, std::string message) const {
  Diagnostic found;
  found.file = file_;
  found.line = line(offset);
  found.pointer = std::move(pointer);
  found.message = std::move(message);
  const auto start = line_starts_[found.line - 1];
  const auto before = text_.substr(start, std::min(offset, text_.size()) - start);
  // Columns count characters, not bytes: continuation bytes of UTF-8 are 10xxxxxx.
  found.column = 1 + static_cast<std::uint32_t>(std::count_if(before.begin(), before.end(), [](char c) {
                   return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
                 }));
  return found;
}

void Problems::error(std::size_t offset, std::string pointer, std::string message) {
  if (full()) {
    ++dropped_errors_;
    return;
  }
  errors_.push_back(at(offset, std::move(pointer), std::move(message)));
}

void Problems::warning(std::size_t offset, std::string pointer, std::string message) {
  if (warnings_.size() >= limits::config_diagnostics_max) return;
  warnings_.push_back(at(offset, std::move(pointer), std::move(message)));
}

void Problems::file_error(std::string message) { errors_.push_back({file_, 0, 0, {}, std::move(message)}); }

bool Problems::under(std::string_view pointer) const {
  return std::any_of(errors_.begin(), errors_.end(), [pointer](const Diagnostic& error) {
    return error.pointer.starts_with(pointer) &&
           (error.pointer.size() == pointer.size() || error.pointer[pointer.size()] == '/');
  });
}

std::vector<Diagnostic> Problems::take_errors() {
  sort_by_place(errors_);
  if (dropped_errors_ != 0) {
    auto last = errors_.back();
    last.pointer.clear();
    last.message = std::to_string(dropped_errors_) + " more errors are not shown; correct these first";
    errors_.push_back(std::move(last));
  }
  return std::move(errors_);
}

std::vector<Diagnostic> Problems::take_warnings() {
  sort_by_place(warnings_);
  return std::move(warnings_);
}

}  // namespace village::control
