#include "control/traffic_shape.hpp"

#include <algorithm>

#include "control/files.hpp"
#include "control/scalar_shapes.hpp"
#include "control/text_forms.hpp"
#include "village/htx/limits.hpp"

namespace village::control {
namespace {

using htx::Bucket;
using htx::Distribution;
using htx::ShapePart;
using htx::ShapeSide;
using htx::ShapeUnit;

std::optional<std::uint64_t> read_value(ShapeUnit unit, const Json& value) {
  if (unit != ShapeUnit::time) {
    return detail::read_whole(value, 0, htx::limits::shape_value_max);
  }
  if (!value.is_string()) return std::nullopt;
  const auto time = parse_duration(value.get_ref<const std::string&>());
  if (!time || *time % std::chrono::microseconds{1} != Duration{0}) return std::nullopt;
  return static_cast<std::uint64_t>(*time / std::chrono::microseconds{1});
}

/// BucketReader reads one list of buckets and complains where one is wrong.
class BucketReader {
 public:
  BucketReader(ShapeUnit unit, std::uint64_t least, std::uint64_t most, Reading& reading)
      : unit_{unit}, least_{least}, most_{most}, reading_{reading} {}

  /// read takes [low, high, weight].
  bool read(const Json& value, const Mark& mark) {
    if (value.is_discarded()) return false;
    if (!value.is_array() || value.size() != 3) {
      return complain(mark, "expected [low, high, weight], got " + shown(value, false));
    }
    Bucket bucket;
    if (!bound(bucket.low, value[0], mark.children[0]) || !bound(bucket.high, value[1], mark.children[1]))
      return false;
    const auto weight = read_value(ShapeUnit::count, value[2]);
    if (!weight || *weight < 1 || *weight > htx::limits::shape_weight_max) {
      return complain(mark.children[2], "expected a weight, a whole number from 1 to 1000000000, got " +
                                            shown(value[2], false));
    }
    bucket.weight = static_cast<std::uint32_t>(*weight);
    if (bucket.high < bucket.low)
      return complain(mark.children[1], "the upper end lies below the lower one; turn them round");
    if (!buckets.empty() && bucket.low <= buckets.back().high) {
      return complain(mark.children[0],
                      "buckets stand in ascending order without overlap; this one begins at or below the end "
                      "of the last, " +
                          shape_value_text(unit_, buckets.back().high));
    }
    buckets.push_back(bucket);
    return true;
  }

  std::vector<Bucket> buckets;

 private:
  bool bound(std::uint64_t& out, const Json& value, const Mark& mark) {
    const auto read = read_value(unit_, value);
    if (!read || *read < least_ || *read > most_) {
      const auto* form = unit_ == ShapeUnit::time    ? "a time like \"200ms\", in whole microseconds, from "
                         : unit_ == ShapeUnit::bytes ? "a whole number of bytes from "
                                                     : "a whole number from ";
      return complain(mark, std::string{"expected "} + form + shape_value_text(unit_, least_) + " to " +
                                shape_value_text(unit_, most_) + ", got " + shown(value, false));
    }
    out = *read;
    return true;
  }
  bool complain(const Mark& mark, std::string message) {
    reading_.error(mark.begin, std::move(message));
    return false;
  }

  ShapeUnit unit_;
  std::uint64_t least_, most_;
  Reading& reading_;
};

Json bucket_schema(ShapeUnit unit) {
  const Json value = unit == ShapeUnit::time ? Json{{"type", "string"}} : Json{{"type", "integer"}};
  return {{"type", "array"},
          {"maxItems", htx::limits::shape_buckets_max},
          {"items",
           {{"type", "array"},
            {"minItems", 3},
            {"maxItems", 3},
            {"items", Json::array({value, value, {{"type", "integer"}, {"minimum", 1}}})}}}};
}

Shape<Distribution> buckets(ShapeUnit unit, std::uint64_t least, std::uint64_t most) {
  Shape<Distribution> shape;
  shape.schema = bucket_schema(unit);
  shape.read = [unit, least, most](Distribution& out, const Json& value, const Mark& mark, Reading& reading) {
    if (value.is_discarded()) return false;
    if (!value.is_array() || value.size() > htx::limits::shape_buckets_max) {
      reading.error(mark.begin, "expected a list of at most " +
                                    std::to_string(htx::limits::shape_buckets_max) +
                                    " buckets [low, high, weight], got " +
                                    (value.is_array() ? std::to_string(value.size()) : shown(value, false)));
      return false;
    }
    BucketReader reader{unit, least, most, reading};
    bool fine = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      reading.enter(std::to_string(i));
      fine = reader.read(value[i], mark.children[i]) && fine;
      reading.leave();
    }
    if (!fine) return false;
    auto made = Distribution::make(std::move(reader.buckets));
    if (made) out = *std::move(made);
    return made.has_value();
  };
  shape.write = [unit](const Distribution& value, Show) {
    auto out = Json::array();
    for (const auto& bucket : value.buckets()) {
      if (unit == ShapeUnit::time) {
        out.push_back(
            {shape_value_text(unit, bucket.low), shape_value_text(unit, bucket.high), bucket.weight});
      } else {
        out.push_back({bucket.low, bucket.high, bucket.weight});
      }
    }
    return out;
  };
  shape.changes = compare_written<Distribution>(shape.write);
  return shape;
}

Shape<ShapeSide> side() {
  Table<ShapeSide> table;
  for (const auto& row : htx::shape_parts()) {
    table.push_back(
        field({.name = row.name, .doc = row.doc}, row.member, buckets(row.unit, row.least, row.most)));
  }
  return object<ShapeSide>(std::move(table));
}

Shape<std::string> sentence(std::size_t most) {
  return scalar<std::string>(
      "a text of at most " + std::to_string(most) + " printable ASCII characters",
      {{"type", "string"}, {"maxLength", most}},
      [most](const Json& value, Hint&) -> std::optional<std::string> {
        if (!value.is_string()) return std::nullopt;
        auto text = value.get<std::string>();
        const bool printable =
            std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
        if (!printable || text.size() > most) return std::nullopt;
        return text;
      },
      [](const std::string& value) { return Json(value); });
}

Shape<PartSource> part_source() {
  return object<PartSource>({
      field({.name = "part", .required = true, .doc = "The part, like \"server/bulk_record\""},
            &PartSource::part, sentence(64)),
      field({.name = "from", .required = true, .doc = "Where it comes from"}, &PartSource::from,
            sentence(512)),
  });
}

/// FileForm has the members of TrafficShape side by side, as the file does.
struct FileForm : TrafficShape {
  std::string name;
  ShapeSide client, server;
  Distribution timeout;
};

const Shape<FileForm>& file_shape() {
  static const Shape<FileForm> shape = [] {
    Table<FileForm> table;
    // Members of a base bind through a pointer to the derived class's member.
    constexpr std::uint32_t FileForm::*version = &FileForm::version;
    constexpr std::string FileForm::*origin = &FileForm::origin;
    constexpr std::string FileForm::*recorded = &FileForm::recorded;
    constexpr std::string FileForm::*how = &FileForm::how;
    constexpr std::vector<PartSource> FileForm::*sources = &FileForm::sources;
    table.push_back(
        field({.name = "version", .required = true, .doc = "1"}, version, whole<std::uint32_t>(1, 1)));
    table.push_back(field({.name = "name", .required = true, .doc = "Your word for this shape"},
                          &FileForm::name, label()));
    table.push_back(field({.name = "origin", .doc = "What it was recorded from"}, origin, sentence(512)));
    table.push_back(field({.name = "recorded", .doc = "When"}, recorded, sentence(64)));
    table.push_back(field({.name = "how", .doc = "How"}, how, sentence(2'048)));
    table.push_back(
        field({.name = "sources", .doc = "Where each part comes from"}, sources, list(part_source(), 0, 64)));
    table.push_back(field({.name = "client", .required = true, .doc = "What the side that dials does"},
                          &FileForm::client, side()));
    table.push_back(field({.name = "server", .required = true, .doc = "What the side that accepts does"},
                          &FileForm::server, side()));
    table.push_back(
        field({.name = "websocket_idle_timeout",
               .required = true,
               .doc = "Silence after which a WebSocket server closes"},
              &FileForm::timeout,
              buckets(ShapeUnit::time, htx::websocket_timeout_us_min, htx::websocket_timeout_us_max)));
    return object<FileForm>(std::move(table));
  }();
  return shape;
}

void write_list(std::string& out, const std::string& indent, const std::string& key, const Json& list,
                bool last) {
  constexpr std::size_t columns = 110;
  out += indent + Json(key).dump() + ": [";
  auto line = out.size() - out.rfind('\n') - 1;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const auto text = list[i].dump() + (i + 1 < list.size() ? "," : "");
    if (line + 1 + text.size() > columns) {
      out += "\n" + indent + "  " + text;
      line = indent.size() + 2 + text.size();
    } else {
      out += (i == 0 ? "" : " ") + text;
      line += 1 + text.size();
    }
  }
  out += std::string{"]"} + (last ? "\n" : ",\n");
}

void write_side(std::string& out, const char* key, const ShapeSide& value) {
  out += std::string{"  \""} + key + "\": {\n";
  const auto rows = htx::shape_parts();
  for (const auto& row : rows) {
    const auto list = buckets(row.unit, row.least, row.most).write(value.*row.member, Show::plain);
    write_list(out, "    ", std::string{row.name}, list, &row == &rows.back());
  }
  out += "  },\n";
}

}  // namespace

std::string shape_value_text(ShapeUnit unit, std::uint64_t value) {
  if (unit != ShapeUnit::time) return std::to_string(value);
  return value == 0 ? "0us" : duration_text(std::chrono::microseconds{value});
}

ShapeOutcome parse_traffic_shape(std::string_view text, const std::string& name) {
  ShapeOutcome outcome;
  Problems problems{name, text};
  if (const auto document = parse_document(text, problems)) {
    FileForm form;
    Reading reading{problems};
    file_shape().read(form, document->root, document->marks, reading);
    if (!problems.any()) {
      form.parts = {form.name, form.client, form.server, form.timeout};
      if (form.timeout.empty()) {
        problems.error(document->closest("/websocket_idle_timeout").begin, "/websocket_idle_timeout",
                       "a server's time-out is needed: at least one bucket, like [\"60s\", \"60s\", 1]");
      } else if (auto made = htx::Shape::make(form.parts)) {
        outcome.shape = *std::move(made);
        outcome.file = std::move(form);
      }
    }
  }
  outcome.errors = problems.take_errors();
  return outcome;
}

ShapeOutcome load_traffic_shape(const std::string& name_or_path) {
  for (const auto& built_in : built_in_shapes()) {
    if (built_in.name == name_or_path) return parse_traffic_shape(built_in.text, std::string{built_in.name});
  }
  std::string problem;
  const auto text = read_file(name_or_path, shape_file_bytes_max, problem);
  if (text) return parse_traffic_shape(*text, name_or_path);
  ShapeOutcome outcome;
  if (name_or_path.find('/') == std::string::npos) {
    problem += "; there is no shape of that name either (";
    for (const auto& built_in : built_in_shapes()) {
      problem += (&built_in == &built_in_shapes().front() ? "" : ", ") + std::string{built_in.name};
    }
    problem += " is built in)";
  }
  outcome.errors.push_back({name_or_path, 0, 0, {}, problem});
  return outcome;
}

std::string traffic_shape_text(const TrafficShape& file) {
  const auto quoted = [](const std::string& text) { return Json(text).dump(); };
  std::string out = "{\n  \"version\": " + std::to_string(file.version) + ",\n";
  out += "  \"name\": " + quoted(file.parts.name) + ",\n";
  out += "  \"origin\": " + quoted(file.origin) + ",\n";
  out += "  \"recorded\": " + quoted(file.recorded) + ",\n";
  out += "  \"how\": " + quoted(file.how) + ",\n";
  out += "  \"sources\": [";
  for (const auto& source : file.sources) {
    out += &source == &file.sources.front() ? "\n" : ",\n";
    out += "    {\"part\": " + quoted(source.part) + ", \"from\": " + quoted(source.from) + "}";
  }
  out += file.sources.empty() ? "],\n" : "\n  ],\n";
  write_side(out, "client", file.parts.client);
  write_side(out, "server", file.parts.server);
  const auto timeout = buckets(ShapeUnit::time, htx::websocket_timeout_us_min, htx::websocket_timeout_us_max);
  write_list(out, "  ", "websocket_idle_timeout",
             timeout.write(file.parts.websocket_idle_timeout, Show::plain), true);
  return out + "}\n";
}

std::string traffic_shape_schema() {
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "shape"},
              {"description", "Traffic shape of villaged: distributions as lists of [low, high, weight]."}};
  schema.update(file_shape().schema);
  return schema.dump(2) + "\n";
}

bool is_built_in_shape(std::string_view name) {
  const auto& all = built_in_shapes();
  return std::any_of(all.begin(), all.end(), [name](const auto& each) { return each.name == name; });
}

}  // namespace village::control
