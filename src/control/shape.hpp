#pragma once
// Shape: how one kind of value is read from JSON, written back, described in the schema and compared on
// reload.
//
// A section of the configuration is a Table: rows of key, member, shape, reload class and documentation. That
// one table drives parsing, error texts, the schema, the commented example, the manual page, masked_json and
// restart_keys.
//
//   field({.name = "level", .reload = Reload::live, .doc = "Least severe line"}, &LogOptions::level,
//   log_level())
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/document.hpp"
#include "control/json.hpp"
#include "control/problems.hpp"
#include "control/suggest.hpp"
#include "village/control/limits.hpp"

namespace village::control {

/// Reload says when a changed key takes effect: at once, for new sessions and connections, or after a
/// restart.
enum class Reload { live, new_sessions, restart };
std::string_view name(Reload reload);

/// Show says whether secrets are written as they are or as "***".
enum class Show { plain, masked };
inline constexpr std::string_view mask = "***";

/// Reading is the place in the document while shapes descend, and where they complain.
class Reading {
 public:
  explicit Reading(Problems& problems) : problems_{problems} {}
  void enter(std::string token) { path_.push_back(std::move(token)); }
  void leave() { path_.pop_back(); }
  std::string pointer() const;
  void error(std::size_t offset, std::string message);
  bool secret = false;  ///< the value being read must not appear in a message

 private:
  Problems& problems_;
  std::vector<std::string> path_;
};

/// shown writes a value for an error message: short, and without its content when it is secret.
std::string shown(const Json& value, bool secret);

template <class T>
struct Shape {
  Json schema;
  /// read fills `out`; false when the value was refused (and reported).
  std::function<bool(T& out, const Json& value, const Mark& mark, Reading& reading)> read;
  std::function<Json(const T& value, Show show)> write;
  /// changes lists what differs and needs a restart; the class is the enclosing key's.
  std::function<void(const T& before, const T& after, const std::string& pointer, Reload reload,
                     std::vector<std::string>& out)>
      changes;
};

/// shared keeps a shape for the functions of the one around it. They are copied often, so they hold it by
/// reference count: by value each level of nesting would multiply the copies (430 MB for the whole table).
template <class T>
std::shared_ptr<const Shape<T>> shared(Shape<T> shape) {
  return std::make_shared<const Shape<T>>(std::move(shape));
}

/// compare_written is the `changes` of shapes without keys of their own.
template <class T>
auto compare_written(std::function<Json(const T&, Show)> write) {
  return [write](const T& before, const T& after, const std::string& pointer, Reload reload,
                 std::vector<std::string>& out) {
    if (reload == Reload::restart && write(before, Show::plain) != write(after, Show::plain))
      out.push_back(pointer);
  };
}

/// Hint is what a scalar's reader may add to "expected ..., got ...": how to write what was probably meant.
using Hint = std::string;

/// scalar makes a shape of a reader that either understands a value or does not; `expects` completes
/// "expected ...".
template <class T>
Shape<T> scalar(std::string expects, Json schema, std::function<std::optional<T>(const Json&, Hint&)> read,
                std::function<Json(const T&)> write) {
  Shape<T> shape;
  shape.schema = std::move(schema);
  shape.schema["x-form"] = expects;
  shape.read = [expects, read](T& out, const Json& value, const Mark& mark, Reading& reading) {
    if (value.is_discarded()) return false;
    Hint hint;
    auto understood = read(value, hint);
    if (!understood) {
      auto message = "expected " + expects + ", got " + shown(value, reading.secret);
      if (!hint.empty()) message += "; " + hint;
      reading.error(mark.begin, std::move(message));
      return false;
    }
    out = *std::move(understood);
    return true;
  };
  shape.write = [write](const T& value, Show) { return write(value); };
  shape.changes = compare_written<T>(shape.write);
  return shape;
}

/// nullable lets null stand for "none".
template <class T>
Shape<std::optional<T>> nullable(Shape<T> one) {
  const auto inner = shared(std::move(one));
  Shape<std::optional<T>> shape;
  shape.schema = inner->schema;
  if (shape.schema.contains("type")) shape.schema["type"] = Json::array({shape.schema["type"], "null"});
  if (shape.schema.contains("enum")) shape.schema["enum"].push_back(nullptr);
  shape.read = [inner](std::optional<T>& out, const Json& value, const Mark& mark, Reading& reading) {
    out.reset();
    if (value.is_null()) return true;
    T read{};
    if (!inner->read(read, value, mark, reading)) return false;
    out = std::move(read);
    return true;
  };
  shape.write = [inner](const std::optional<T>& value, Show show) {
    return value ? inner->write(*value, show) : Json(nullptr);
  };
  shape.changes = compare_written<std::optional<T>>(shape.write);
  return shape;
}

/// list reads an array of between `least` and `most` entries. On reload, lists of equal length are compared
/// entry by entry.
template <class T>
Shape<std::vector<T>> list(Shape<T> one, std::size_t least = 0, std::size_t most = limits::list_entries_max) {
  const auto inner = shared(std::move(one));
  Shape<std::vector<T>> shape;
  shape.schema = {{"type", "array"}, {"items", inner->schema}};
  if (least != 0) shape.schema["minItems"] = least;
  shape.schema["maxItems"] = most;
  shape.read = [inner, least, most](std::vector<T>& out, const Json& value, const Mark& mark,
                                    Reading& reading) {
    out.clear();
    if (value.is_discarded()) return false;
    if (!value.is_array()) {
      reading.error(mark.begin, "expected a list, got " + shown(value, reading.secret) + "; write it in [ ]");
      return false;
    }
    if (value.size() < least || value.size() > most) {
      reading.error(mark.begin, "expected a list of " + std::to_string(least) + " to " +
                                    std::to_string(most) + " entries, got " + std::to_string(value.size()));
      return false;
    }
    bool fine = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      reading.enter(std::to_string(i));
      fine = inner->read(out.emplace_back(), value[i], mark.children[i], reading) && fine;
      reading.leave();
    }
    return fine;
  };
  shape.write = [inner](const std::vector<T>& values, Show show) {
    auto out = Json::array();
    for (const auto& value : values) out.push_back(inner->write(value, show));
    return out;
  };
  shape.changes = [inner](const std::vector<T>& before, const std::vector<T>& after,
                          const std::string& pointer, Reload reload, std::vector<std::string>& out) {
    if (before.size() != after.size()) {
      if (reload == Reload::restart) out.push_back(pointer);
      return;
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      inner->changes(before[i], after[i], pointer + "/" + std::to_string(i), reload, out);
    }
  };
  return shape;
}

/// Key is the documented half of a table's row.
struct Key {
  std::string_view name;
  Reload reload = Reload::restart;
  bool required = false;
  bool secret = false;
  std::string_view doc;  ///< one or more sentences without the last full stop
};

template <class Owner>
struct Field {
  Key key;
  Json schema;
  std::function<bool(Owner&, const Json&, const Mark&, Reading&)> read;
  std::function<Json(const Owner&, Show)> write;
  std::function<void(const Owner&, const Owner&, const std::string&, std::vector<std::string>&)> changes;
};

template <class Owner>
using Table = std::vector<Field<Owner>>;

/// field binds a key to a member.
template <class Owner, class T>
Field<Owner> field(Key key, T Owner::*member, Shape<T> value_shape) {
  const auto shape = shared(std::move(value_shape));
  Field<Owner> out;
  out.key = key;
  out.schema = shape->schema;
  out.read = [key, member, shape](Owner& owner, const Json& value, const Mark& mark, Reading& reading) {
    const bool outer = std::exchange(reading.secret, reading.secret || key.secret);
    const bool fine = shape->read(owner.*member, value, mark, reading);
    reading.secret = outer;
    return fine;
  };
  out.write = [key, member, shape](const Owner& owner, Show show) {
    auto value = shape->write(owner.*member, show);
    if (key.secret && show == Show::masked && !value.empty() && value != "") value = std::string{mask};
    return value;
  };
  out.changes = [key, member, shape](const Owner& before, const Owner& after, const std::string& pointer,
                                     std::vector<std::string>& changed) {
    shape->changes(before.*member, after.*member, pointer + "/" + std::string{key.name}, key.reload, changed);
  };
  return out;
}

/// through lends a row of a part to the table of the whole: its key stands beside the whole's own.
template <class Owner, class Part>
Field<Owner> through(Part Owner::*member, Field<Part> part_row) {
  const auto row = std::make_shared<const Field<Part>>(std::move(part_row));
  Field<Owner> out;
  out.key = row->key;
  out.schema = row->schema;
  out.read = [member, row](Owner& owner, const Json& value, const Mark& mark, Reading& reading) {
    return row->read(owner.*member, value, mark, reading);
  };
  out.write = [member, row](const Owner& owner, Show show) { return row->write(owner.*member, show); };
  out.changes = [member, row](const Owner& before, const Owner& after, const std::string& pointer,
                              std::vector<std::string>& changed) {
    row->changes(before.*member, after.*member, pointer, changed);
  };
  return out;
}

/// report_unknown_key complains about a key that no row has and names the nearest.
void report_unknown_key(const std::string& key, const std::vector<std::string>& known, const Mark& mark,
                        Reading& reading);

/// describe adds documentation, default, secrecy and reload class to a key's schema.
void describe(Json& schema, const Key& key, const Json& default_value, bool is_section);

/// read_members reads every key of an object by its row and complains about the others.
template <class Owner>
bool read_members(const Table<Owner>& table, Owner& out, const Json& value, const Mark& mark,
                  Reading& reading) {
  if (value.is_discarded()) return false;
  if (!value.is_object()) {
    reading.error(mark.begin,
                  "expected an object, got " + shown(value, reading.secret) + "; write it in { }");
    return false;
  }
  const auto& members = value.template get_ref<const Json::object_t&>();
  bool fine = true;
  auto child = mark.children.begin();
  for (const auto& [key, member] : members) {
    reading.enter(key);
    const Field<Owner>* row = nullptr;
    for (const auto& candidate : table) {
      if (candidate.key.name == key) row = &candidate;
    }
    if (row == nullptr) {
      std::vector<std::string> known;
      for (const auto& candidate : table) known.emplace_back(candidate.key.name);
      report_unknown_key(key, known, *child, reading);
      fine = false;
    } else if (!row->read(out, member, *child, reading)) {
      fine = false;
    }
    reading.leave();
    ++child;
  }
  for (const auto& row : table) {
    if (!row.key.required || value.contains(row.key.name)) continue;
    reading.error(mark.begin,
                  "the key \"" + std::string{row.key.name} + "\" is missing: " + std::string{row.key.doc});
    fine = false;
  }
  return fine;
}

/// object reads an object by a table. Keys that are not there keep the value of `defaults`.
template <class Owner>
Shape<Owner> object(Table<Owner> rows, Owner defaults = {}) {
  const auto table = std::make_shared<const Table<Owner>>(std::move(rows));
  Shape<Owner> shape;
  auto properties = Json::object(), required = Json::array();
  for (const auto& row : *table) {
    auto schema = row.schema;
    describe(schema, row.key, row.write(defaults, Show::masked), schema.contains("properties"));
    properties[std::string{row.key.name}] = std::move(schema);
    if (row.key.required) required.push_back(row.key.name);
  }
  shape.schema = {{"type", "object"}, {"properties", properties}};
  if (!required.empty()) shape.schema["required"] = required;
  shape.schema["additionalProperties"] = false;

  shape.read = [table, defaults](Owner& out, const Json& value, const Mark& mark, Reading& reading) {
    out = defaults;
    return read_members(*table, out, value, mark, reading);
  };
  shape.write = [table](const Owner& owner, Show show) {
    auto out = Json::object();
    for (const auto& row : *table) {
      auto value = row.write(owner, show);
      if (!value.is_discarded()) out[std::string{row.key.name}] = std::move(value);
    }
    return out;
  };
  shape.changes = [table](const Owner& before, const Owner& after, const std::string& pointer, Reload,
                          std::vector<std::string>& out) {
    for (const auto& row : *table) row.changes(before, after, pointer, out);
  };
  return shape;
}

}  // namespace village::control
