#include "control/config_text.hpp"

#include "control/config_table.hpp"

namespace village::control {
namespace {

constexpr std::size_t line_columns = 100;

/// Page collects indented lines.
class Page {
 public:
  void line(std::size_t depth, std::string_view text) {
    text_ += std::string(2 * depth, ' ') + std::string{text} + "\n";
  }
  void gap() { text_ += "\n"; }
  /// comment breaks a text into // lines.
  void comment(std::size_t depth, std::string_view text) {
    const auto width = line_columns - 2 * depth - 3;
    while (!text.empty()) {
      auto end = text.size() <= width ? text.size() : text.rfind(' ', width);
      if (end == std::string_view::npos || end == 0) end = std::min(text.find(' '), text.size());
      line(depth, "// " + std::string{text.substr(0, end)});
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

const Json& properties(const Json& schema) { return schema.at("properties"); }

bool is_section(const Json& schema) { return schema.contains("properties"); }
bool is_object_list(const Json& schema) { return schema.contains("items") && is_section(schema.at("items")); }

void write_members(Page& page, std::size_t depth, const Json& schema, const Json* values);

void write_list(Page& page, std::size_t depth, const std::string& key, const Json& schema,
                const Json& entries) {
  page.line(depth, "\"" + key + "\": [");
  bool explained = false;
  for (const auto& entry : entries) {
    if (explained) {
      page.line(depth + 1, inline_json(entry) + ",");
    } else {
      page.line(depth + 1, "{");
      write_members(page, depth + 2, schema.at("items"), &entry);
      page.line(depth + 1, "},");
    }
    explained = true;
  }
  page.line(depth, "],");
}

void write_key(Page& page, std::size_t depth, const std::string& key, const Json& schema, const Json* value) {
  page.comment(depth, schema.at("description").get<std::string>());
  if (is_section(schema)) {
    page.line(depth, "\"" + key + "\": {");
    write_members(page, depth + 1, schema, value);
    page.line(depth, "},");
  } else if (value != nullptr && is_object_list(schema) && !value->empty()) {
    write_list(page, depth, key, schema, *value);
  } else if (value != nullptr) {
    page.line(depth, "\"" + key + "\": " + inline_json(*value) + ",");
  } else if (schema.contains("default")) {
    page.line(depth, "// \"" + key + "\": " + inline_json(schema.at("default")) + ",");
  }
}

void write_members(Page& page, std::size_t depth, const Json& schema, const Json* values) {
  for (const auto& [key, key_schema] : properties(schema).items()) {
    if (key == "$schema") continue;
    const auto* value = values != nullptr && values->contains(key) ? &values->at(key) : nullptr;
    if (depth == 1 && &key_schema != &properties(schema).begin().value()) page.gap();
    write_key(page, depth, key, key_schema, value);
  }
}

/// man writes text for troff: backslashes and leading dots mean something there.
std::string man(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out.push_back(c);
    }
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

/// form_text says in words what a value looks like.
std::string form_text(const Json& schema) {
  if (is_object_list(schema)) return "a list of objects";
  if (schema.contains("items")) return "a list, each " + form_text(schema.at("items"));
  if (schema.contains("anyOf") && !schema.contains("x-form"))
    return form_text(schema.at("anyOf").back());                              // empty_or
  const bool none = schema.contains("type") && schema.at("type").is_array();  // nullable
  return schema.value("x-form", "a text") + (none ? ", or null" : "");
}

void manual_members(std::string& page, const std::string& prefix, const Json& schema) {
  for (const auto& [key, key_schema] : properties(schema).items()) {
    const auto name = prefix.empty() ? key : prefix + "." + key;
    if (is_section(key_schema)) {
      page += (prefix.empty() ? ".SH \"SECTION " : ".SS \"SECTION ") + man(name) + "\"\n" +
              man(key_schema.at("description").get<std::string>()) + "\n";
      manual_members(page, name, key_schema);
      continue;
    }
    page += ".TP\n.B " + man(name) + "\n" + man(key_schema.at("description").get<std::string>()) + "\n" +
            man("Form: " + form_text(key_schema) + ".") + "\n";
    if (key_schema.contains("default")) {
      page += man("Default: " + inline_json(key_schema.at("default")) + ".") + "\n";
    } else if (key != "$schema") {
      page += "Must be given.\n";
    }
    if (key_schema.contains("x-reload"))
      page += man("Reload: " + key_schema.at("x-reload").get<std::string>() + ".") + "\n";
    if (is_object_list(key_schema)) manual_members(page, name + "[]", key_schema.at("items"));
  }
}

}  // namespace

std::string inline_json(const Json& value) {
  if (!value.is_structured()) return value.dump();
  std::string out;
  for (const auto& [key, member] : value.items()) {
    if (!out.empty()) out += ", ";
    out += (value.is_object() ? Json(key).dump() + ": " : "") + inline_json(member);
  }
  return value.is_object() ? "{" + out + "}" : "[" + out + "]";
}

std::string commented_config(const Json& values, std::string_view head) {
  Page page;
  while (!head.empty()) {
    const auto end = std::min(head.find('\n'), head.size());
    page.line(0, "// " + std::string{head.substr(0, end)});
    head.remove_prefix(std::min(end + 1, head.size()));
  }
  page.line(0, "{");
  if (values.contains("$schema")) page.line(1, "\"$schema\": " + inline_json(values.at("$schema")) + ",");
  write_members(page, 1, config_shape().schema, &values);
  page.line(0, "}");
  return page.text();
}

std::string example_config() {
  const std::string key =
      "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";  // the public key of RFC 8032 7.1, test 1
  const std::string other_key = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";  // test 2
  Json values{{"$schema", "villaged.schema.json"}};
  values["node"] = {{"name", "example"}, {"identity", "identity.key"}, {"state_dir", "/var/lib/villaged"}};
  values["htx"] = {
      {"listen",
       Json::array(
           {{{"address", "0.0.0.0:8443"}, {"certificate", "certificate.pem"}, {"key", "certificate.key"}}})},
      {"peers", Json::array({{{"name", "berlin"},
                              {"key", key},
                              {"address", "berlin.example.org:8443"},
                              {"pin", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
                              {"ticket", "AAECAwQFBgc.47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}},
                             {{"name", "laptop"}, {"key", other_key}, {"inbound", true}}})},
  };
  values["proxy"] = {
      {"inbounds", Json::array({{{"name", "local"}, {"listen", "127.0.0.1:1080"}}})},
      {"routes", Json::array({{{"domain_suffixes", {"intranet.example"}}, {"outbound", "direct"}},
                              {{"ports", {25}}, {"outbound", "block"}}})},
      {"default", "berlin"},
  };
  return commented_config(
      values,
      "villaged.json: every key there is. JSON with comments; a comma behind the last entry is fine.\n"
      "A line of the form // \"key\": value shows a default; remove the // to change it.\n"
      "\"villaged check --config FILE\" tells every mistake; \"villaged init\" makes a file to start with.\n"
      "Durations: \"500ms\", \"10s\", \"2m\", \"1h\". Sizes: bytes, or \"64KiB\", \"1MiB\". Relative paths "
      "start at this "
      "file's folder.");
}

std::string config_manual() {
  std::string page =
      ".\\\" Made from the table of keys in src/control; the test of control compares them.\n"
      ".TH VILLAGED.JSON 5 \"\" villaged \"File formats\"\n"
      ".SH NAME\nvillaged.json \\- configuration of villaged\n"
      ".SH DESCRIPTION\n"
      "One JSON object. Comments (// and /* */) and a comma behind the last entry are allowed, duplicate and "
      "unknown keys\n"
      "are not.\n"
      ".BR \"villaged check\" \" tells every mistake with file, line and column.\"\n"
      "Durations are texts such as \"500ms\", \"10s\", \"2m\", \"1h\". Sizes are whole numbers of bytes or "
      "texts such as \"64KiB\".\n"
      "Keys and pins are base64url. Relative paths start at the folder of the file.\n"
      ".PP\nReload says when a changed key takes effect after SIGHUP: at once (live), for new sessions and "
      "connections\n"
      "(new\\-sessions), or when villaged is started again (restart).\n";
  manual_members(page, "", config_shape().schema);
  page +=
      ".SH FILES\n.I /etc/villaged/villaged.json\n"
      ".SH EXAMPLE\n.nf\n"
      "{\n  \"node\": {\"name\": \"laptop\"},\n"
      "  \"proxy\": {\"inbounds\": [{\"name\": \"local\", \"listen\": \"127.0.0.1:1080\"}], \"default\": "
      "\"direct\"}\n}\n"
      ".fi\n.SH SEE ALSO\n.BR villaged (1)\n";
  return page;
}

}  // namespace village::control
