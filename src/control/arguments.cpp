#include "control/arguments.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "control/suggest.hpp"

namespace village::control {
namespace {

std::string option_name(const std::string& declared) { return declared.substr(0, declared.find(' ')); }
/// begins_with_key tells that this is a key, or an address that begins with one: one in 64 starts with "-".
bool begins_with_key(const std::string& arg) {
  constexpr std::size_t key_chars = 43;
  const auto is_base64url = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return arg.size() >= key_chars && std::all_of(arg.begin(), arg.begin() + key_chars, is_base64url);
}
bool takes_value(const std::string& declared) { return declared.find(' ') != std::string::npos; }

}  // namespace

Arguments::Arguments(const std::vector<std::string>& args, const std::vector<std::string>& options) {
  read(args, options);
}

void Arguments::read(const std::vector<std::string>& args, const std::vector<std::string>& options) {
  bool options_ended = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const auto& arg = args[i];
    if (options_ended || arg.size() < 2 || arg[0] != '-') {
      rest_.push_back(arg);
      continue;
    }
    if (arg == "--") {
      options_ended = true;
      continue;
    }
    const auto equals = arg.find('=');
    const auto name = arg.substr(0, equals);
    const auto declared = std::find_if(options.begin(), options.end(),
                                       [&name](const auto& o) { return option_name(o) == name; });
    if (declared == options.end() && begins_with_key(arg)) {
      rest_.push_back(arg);
      continue;
    }
    if (declared == options.end()) {
      std::vector<std::string> known;
      for (const auto& option : options) known.push_back(option_name(option));
      const auto meant = nearest(name, known);
      problem_ = "unknown option " + name + (meant.empty() ? "" : "; did you mean " + meant + "?");
      return;
    }
    std::string value;
    if (equals != std::string::npos) {
      value = arg.substr(equals + 1);
      if (!takes_value(*declared)) problem_ = name + " takes no value";
    } else if (takes_value(*declared)) {
      if (i + 1 == args.size()) {
        problem_ = name + " needs a value: " + *declared;
        return;
      }
      value = args[++i];
    }
    if (!values_.emplace(name, value).second) problem_ = name + " is given twice";
    if (!problem_.empty()) return;
  }
}

std::optional<std::string> Arguments::value(const std::string& option) const {
  const auto found = values_.find(option);
  return found == values_.end() ? std::nullopt : std::optional{found->second};
}

std::string Arguments::value_or(const std::string& option, std::string fallback) const {
  auto found = value(option);
  return found ? *std::move(found) : std::move(fallback);
}

int complain(const std::string& verb, const std::string& message, int status) {
  std::fprintf(stderr, "villaged %s: %s\n", verb.c_str(), message.c_str());
  return status;
}

std::string config_path(const Arguments& arguments) {
  if (auto given = arguments.value("--config")) return *std::move(given);
  std::vector<std::string> places{"villaged.json"};
  if (const char* home = std::getenv("HOME"))
    places.push_back(std::string{home} + "/.villaged/villaged.json");
  for (const auto& place : places) {
    if (::access(place.c_str(), F_OK) == 0) return place;
  }
  return "/etc/villaged/villaged.json";
}

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace village::control
