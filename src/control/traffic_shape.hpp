#pragma once
// Files of traffic shapes: read with the place of every mistake, written, and those compiled in. The form is
// described in docs/shape.md.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "village/control/config.hpp"
#include "village/htx/shape.hpp"

namespace village::control {

inline constexpr std::size_t shape_file_bytes_max = 256 * 1024;

/// PartSource says where a part of a shape comes from: "server/bulk_record", "recorded, 812 values".
struct PartSource {
  std::string part;
  std::string from;
};

/// TrafficShape is a shape file: the shape and how it came about.
struct TrafficShape {
  std::uint32_t version = 1;
  std::string origin;    ///< what it was recorded from
  std::string recorded;  ///< day, "2026-11-21"
  std::string how;
  std::vector<PartSource> sources;
  htx::Shape::Parts parts;
};

struct ShapeOutcome {
  std::optional<TrafficShape> file;
  std::shared_ptr<const htx::Shape> shape;  ///< there when errors is empty
  std::vector<Diagnostic> errors;
};

/// parse_traffic_shape reads a text; `name` is what errors call it.
ShapeOutcome parse_traffic_shape(std::string_view text, const std::string& name);
/// load_traffic_shape reads a shape by the name of one compiled in, else by path.
ShapeOutcome load_traffic_shape(const std::string& name_or_path);
/// traffic_shape_text writes a file that parse_traffic_shape reads back.
std::string traffic_shape_text(const TrafficShape& file);
/// traffic_shape_schema is the JSON schema of the form.
std::string traffic_shape_schema();

/// value_text writes one value of a part: "1300", "200ms".
std::string shape_value_text(htx::ShapeUnit unit, std::uint64_t value);

/// Shapes compiled in (config/shapes), by name.
struct BuiltInShape {
  std::string_view name;
  std::string_view text;
};
const std::vector<BuiltInShape>& built_in_shapes();
bool is_built_in_shape(std::string_view name);
inline constexpr std::string_view no_shape = "none";  ///< the word that turns shaping off

}  // namespace village::control
