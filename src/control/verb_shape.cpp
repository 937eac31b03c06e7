// villaged shape: record a traffic shape from an origin, or show one.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "control/arguments.hpp"
#include "control/files.hpp"
#include "control/shape_recorder.hpp"
#include "control/status_text.hpp"
#include "control/suggest.hpp"
#include "control/text_forms.hpp"
#include "control/verbs.hpp"
#include "village/crypto/certificate.hpp"

namespace village::control {
namespace {

using htx::Distribution;
using htx::ShapeUnit;

constexpr std::array<double, 5> shares{0.05, 0.25, 0.5, 0.75, 0.95};
constexpr Duration record_time_max = std::chrono::hours{1};
constexpr std::size_t pem_bytes_max = 1 << 20;

int usage_problem(const std::string& message) { return complain("shape", message, exit_usage); }

/// time_text is short: "41.3ms", not "41273us".
std::string short_value(ShapeUnit unit, double value) {
  std::array<char, 32> text{};
  const auto put = [&text](const char* form, double number) {
    std::snprintf(text.data(), text.size(), form, number);
    return std::string{text.data()};
  };
  if (unit != ShapeUnit::time) return put("%.0f", value);
  if (value >= 1e6) return put("%.4gs", value / 1e6);
  if (value >= 1e3) return put("%.4gms", value / 1e3);
  return put("%.0fus", value);
}

/// histogram draws the mass of sixteen equal parts between the least and the largest value.
std::string histogram(const Distribution& distribution) {
  constexpr std::string_view levels = " .:-=+*#";
  constexpr std::size_t bins = 16;
  const auto low = static_cast<double>(distribution.lowest());
  const auto width = static_cast<double>(distribution.highest()) - low;
  std::array<double, bins> mass{};
  double before = 0, most = 0;
  for (std::size_t i = 0; i < bins; ++i) {
    const auto edge = low + width * static_cast<double>(i + 1) / bins;
    const double upto = i + 1 == bins ? 1 : distribution.cdf(static_cast<std::uint64_t>(edge));
    mass[i] = upto - before;
    before = upto;
    most = std::max(most, mass[i]);
  }
  std::string out = "|";
  for (const auto part : mass) {
    const auto level = part <= 0 ? 0.0 : 1 + part / most * (static_cast<double>(levels.size()) - 2) + 0.5;
    out += levels[static_cast<std::size_t>(level)];
  }
  return out + "|";
}

struct Row {
  std::string name;
  ShapeUnit unit;
  const Distribution* values;
};

std::vector<Row> rows_of(const htx::Shape::Parts& parts) {
  std::vector<Row> rows;
  for (const auto& [side, name] : {std::pair{&parts.client, "client/"}, {&parts.server, "server/"}}) {
    for (const auto& part : htx::shape_parts()) {
      rows.push_back({name + std::string{part.name}, part.unit, &(side->*part.member)});
    }
  }
  rows.push_back({"websocket_idle_timeout", ShapeUnit::time, &parts.websocket_idle_timeout});
  return rows;
}

std::string_view unit_text(ShapeUnit unit) {
  return unit == ShapeUnit::time ? "us" : unit == ShapeUnit::bytes ? "bytes" : "count";
}

std::string shown_text(const TrafficShape& file) {
  std::string out = file.parts.name;
  if (!file.origin.empty()) out += ", from " + file.origin;
  if (!file.recorded.empty()) out += ", " + file.recorded;
  out += "\n";
  if (!file.how.empty()) out += file.how + "\n";
  std::vector<std::vector<std::string>> table{
      {"PART", "MIN", "5%", "25%", "50%", "75%", "95%", "MAX", "HISTOGRAM"}};
  for (const auto& row : rows_of(file.parts)) {
    if (row.values->empty()) {
      table.push_back({row.name, "-", "", "", "", "", "", "", ""});
      continue;
    }
    std::vector<std::string> cells{row.name,
                                   short_value(row.unit, static_cast<double>(row.values->lowest()))};
    for (const auto share : shares) {
      cells.push_back(short_value(row.unit, static_cast<double>(row.values->quantile(share))));
    }
    cells.push_back(short_value(row.unit, static_cast<double>(row.values->highest())));
    cells.push_back(histogram(*row.values));
    table.push_back(std::move(cells));
  }
  out += "\n" + table_text(table);
  if (file.sources.empty()) return out;
  std::vector<std::vector<std::string>> sources{{"PART", "FROM"}};
  for (const auto& source : file.sources) sources.push_back({source.part, source.from});
  return out + "\n" + table_text(sources);
}

Json shown_json(const TrafficShape& file) {
  Json out{{"name", file.parts.name}, {"origin", file.origin},   {"recorded", file.recorded},
           {"how", file.how},         {"parts", Json::object()}, {"sources", Json::array()}};
  for (const auto& row : rows_of(file.parts)) {
    Json part{{"unit", unit_text(row.unit)}, {"shaped", !row.values->empty()}};
    if (!row.values->empty()) {
      part["min"] = row.values->lowest();
      part["max"] = row.values->highest();
      part["mean"] = row.values->mean();
      for (const auto share : shares) {
        part["p" + std::to_string(static_cast<int>(share * 100 + 0.5))] = row.values->quantile(share);
      }
      part["buckets"] = Json::array();
      for (const auto& bucket : row.values->buckets())
        part["buckets"].push_back({bucket.low, bucket.high, bucket.weight});
    }
    out["parts"][row.name] = std::move(part);
  }
  for (const auto& source : file.sources) {
    out["sources"].push_back({{"part", source.part}, {"from", source.from}});
  }
  return out;
}

int show(const Arguments& arguments) {
  if (arguments.rest().size() == 1) {
    for (const auto& built_in : built_in_shapes()) print(std::string{built_in.name} + "\n");
    return exit_fine;
  }
  const auto outcome = load_traffic_shape(arguments.rest()[1]);
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  if (!outcome.file) return exit_usage;
  print(arguments.has("--json") ? shown_json(*outcome.file).dump(2) + "\n" : shown_text(*outcome.file));
  return exit_fine;
}

std::string today() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 16> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
  return text.data();
}

/// read_order fills in what the command line says; a status when it is wrong.
std::optional<int> read_order(const Arguments& arguments, RecordOrder& order) {
  if (arguments.rest().size() != 2) return usage_problem("name one origin: villaged shape record ORIGIN");
  if (!parse_origin(arguments.rest()[1], order)) {
    return usage_problem("\"" + arguments.rest()[1] +
                         "\" is no origin; write https://host, wss://host/path or host:port");
  }
  if (const auto text = arguments.value("--seconds")) {
    std::uint32_t seconds = 0;
    const auto read = std::from_chars(text->data(), text->data() + text->size(), seconds);
    order.time = std::chrono::seconds{seconds};
    if (read.ec != std::errc{} || read.ptr != text->data() + text->size() || seconds == 0 ||
        order.time > record_time_max) {
      return usage_problem("--seconds takes a whole number from 1 to 3600");
    }
  }
  if (const auto text = arguments.value("--relay")) {
    const auto endpoint = net::parse_endpoint(*text);
    if (!endpoint) return usage_problem("--relay takes an IP address and a port, like 127.0.0.1:8443");
    order.relay = *endpoint;
  }
  if (const auto path = arguments.value("--ca")) {
    std::string problem;
    const auto pem = read_file(*path, pem_bytes_max, problem);
    if (!pem) return usage_problem(problem);
    order.ca_pem = *pem;
  }
  return std::nullopt;
}

std::string failure_text(const RecordOrder& order, const Error& error) {
  const auto where = to_text(order.origin);
  switch (error.code) {
    case Errc::bad_certificate:
      return where + ": " +
             std::string{crypto::certificate_problem(static_cast<std::uint32_t>(error.detail))} +
             "; --ca FILE names another authority";
    case Errc::auth_failed:
      return where + " does not speak WebSocket at " + order.path;
    case Errc::timed_out:
      return order.relay ? "nothing came by in that time; let a browser open https://" + to_text(*order.relay)
                         : where + " did not answer";
    default:
      return where + ": " + std::string{village::name(error.code)};
  }
}

std::string how_text(const RecordOrder& order, const ShapeRecording& recording) {
  const auto counted = std::to_string(recording.connections.size()) + " connections, " +
                       std::to_string(recording.records()) + " TLS records, " + duration_text(order.time);
  if (order.relay) return "villaged shape record --relay, a client's own connections: " + counted;
  return std::string{"villaged shape record, "} + (order.websocket ? "a silent WebSocket" : "GET requests") +
         " of its own (what the client side sent is not a browser's): " + counted;
}

int record(const Arguments& arguments) {
  RecordOrder order;
  if (const auto status = read_order(arguments, order)) return *status;
  const auto name = arguments.value_or("--name", "recorded");
  if (!is_label(name)) return usage_problem("--name takes 1 to 63 of a-z, 0-9 and -");
  const auto based = load_traffic_shape(arguments.value_or("--base", "nginx-websocket"));
  for (const auto& error : based.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  if (!based.file) return exit_usage;
  if (::isatty(STDERR_FILENO) != 0) {
    std::fprintf(stderr, "recording for %s ...\n", duration_text(order.time).c_str());
  }
  auto recording = record_shape(order, [](const std::string& address) {
    std::fprintf(stderr, "villaged shape: passing on what comes to %s\n", address.c_str());
  });
  if (!recording) return complain("shape", failure_text(order, recording.error()), exit_failed);
  const auto how = how_text(order, *recording);
  auto file = shape_of(*std::move(recording), *based.file);
  file.parts.name = name;
  file.origin = arguments.rest()[1];
  file.recorded = today();
  file.how = how;
  const auto text = traffic_shape_text(file);
  if (const auto out = arguments.value("--out")) {
    std::string problem;
    if (!write_new_file(*out, text, 0644, problem)) return complain("shape", problem, exit_failed);
    if (!arguments.has("--json")) print(shown_text(file));
  } else {
    print(text);
  }
  if (arguments.has("--json") && arguments.has("--out")) print(shown_json(file).dump(2) + "\n");
  return exit_fine;
}

int run(const std::vector<std::string>& args) {
  const auto verb = shape_verb();
  const Arguments arguments{args, verb.options};
  if (!arguments.problem().empty()) return usage_problem(arguments.problem());
  if (arguments.rest().empty()) return usage_problem("say what: " + quoted_list(verb.words));
  const auto& word = arguments.rest().front();
  if (arguments.rest().size() > 2) return usage_problem("unexpected \"" + arguments.rest()[2] + "\"");
  if (word == "record") return record(arguments);
  if (word == "show") return show(arguments);
  const auto meant = nearest(word, verb.words);
  return usage_problem(
      "unknown \"" + word + "\"; " +
      (meant.empty() ? "expected " + quoted_list(verb.words) : "did you mean \"" + meant + "\"?"));
}

}  // namespace

Verb shape_verb() {
  return {
      "shape",
      "record or show a traffic shape",
      "usage: villaged shape record ORIGIN [--seconds N] [--out FILE] [--name NAME] [--ca FILE] [--base "
      "NAME|FILE]\n"
      "                             [--relay ADDRESS:PORT] [--json]\n"
      "       villaged shape show [NAME|FILE] [--json]\n"
      "\n"
      "A shape says how sessions look from outside: when PINGs go out, idle padding, handshake padding, "
      "sizes "
      "of TLS\n"
      "records. \"shape\" of htx in the configuration names the one to use.\n"
      "record connects to ORIGIN for N seconds (60), asks for pages or, with wss://, listens to a WebSocket, "
      "and makes\n"
      "a shape of the records it sees; parts that no origin shows are copied from --base (nginx-websocket). "
      "With --relay\n"
      "it asks nothing: it passes connections to that address on to ORIGIN, so that a real browser can be "
      "watched. --ca\n"
      "names the authority of a certificate that the system does not know.\n"
      "show prints quantiles and a small histogram of each part; without a name, the shapes built in.\n"
      "Exit status: 0 fine, 1 nothing recorded, 2 bad usage or a file with errors.\n"
      "\n"
      "example: villaged shape record wss://example.org/live --seconds 300 --out live.json\n"
      "example: villaged shape record https://example.org --relay 127.0.0.1:8443 --out browser.json\n"
      "example: villaged shape show nginx-websocket\n",
      run,
      {"record", "show"},
      {"--seconds N", "--out FILE", "--name NAME", "--ca FILE", "--base FILE", "--relay ADDRESS", "--json"}};
}

}  // namespace village::control
