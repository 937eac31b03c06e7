#pragma once
// ConfigEdit: changes a configuration as text, at the places that the tokenizer recorded: comments, order and
// layout of everything else stay as the operator wrote them.
#include <optional>
#include <string>
#include <string_view>

#include "control/document.hpp"

namespace village::control {

/// ConfigEdit holds a text that parses. Each change keeps it so (VG_CHECKed: the places come from its own
/// parse).
class ConfigEdit {
 public:
  /// open takes a text; nothing if it does not parse (parse_config says why).
  static std::optional<ConfigEdit> open(std::string text);

  const std::string& text() const { return text_; }
  const Json& root() const { return document_.root; }
  /// value is what stands at a pointer; nullptr if nothing does.
  const Json* value(std::string_view pointer) const { return document_.value(pointer); }

  /// append adds an entry to the list at `pointer`; makes the list, and the objects around it, if they are
  /// not there.
  void append(const std::string& pointer, const Json& entry);
  /// set replaces the value at `pointer`, or adds the key.
  void set(const std::string& pointer, const Json& value);
  /// remove takes one entry out of a list. `pointer` must exist.
  void remove(const std::string& pointer);

 private:
  explicit ConfigEdit(std::string text) : text_{std::move(text)} {}
  bool parse();
  void insert(std::string_view container, const std::string& fragment);
  std::string text_;
  Document document_;
};

}  // namespace village::control
