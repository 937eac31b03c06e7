// Where the commands of `villaged mix` get documents from.
#include <array>
#include <charconv>
#include <ctime>

#include "control/files.hpp"
#include "control/mix_commands.hpp"
#include "control/text_forms.hpp"
#include "village/control/config.hpp"
#include "village/net/clock.hpp"
#include "village/net/deadline.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/mix_directory.hpp"

namespace village::control {
namespace {

constexpr auto fetch_time_max = std::chrono::seconds{20};

/// kept_document looks where the node of the configuration keeps its documents.
std::optional<NamedDocument> kept_document(const Arguments& arguments, std::string& problem) {
  const auto path = config_path(arguments);
  const auto outcome = load_config(path, false);
  if (!outcome.config) {
    problem =
        "name a document's file, or an authority with --from; there is no good configuration in " + path;
    return std::nullopt;
  }
  const auto& mix = outcome.config->mix;
  const auto current = mix.epochs.at(net::SystemClock{}.wall());
  const auto epoch = number_option(arguments, "--epoch", current, 0, mix::json_integer_max, problem);
  if (!epoch) return std::nullopt;
  const auto file = "document-" + std::to_string(*epoch) + ".json";
  const auto base = mix.keys_path.empty() ? outcome.config->node.state_dir + "/mix" : mix.keys_path;
  for (const auto* folder : {"", "/directory"}) {
    auto document = read_document(base + folder + "/" + file, problem);
    if (document) return document;
  }
  problem = "this node has kept no document of epoch " + std::to_string(*epoch) + " in " + base +
            "; name a file, or an authority with --from";
  return std::nullopt;
}

}  // namespace

std::optional<NamedDocument> fetched_document(const std::string& from, mix::Epoch epoch,
                                              std::string& problem) {
  const auto target = parse_target(from);
  if (!target) {
    problem = "--from takes an authority's address and port, like 192.0.2.1:9080";
    return std::nullopt;
  }
  net::Runtime runtime{1};
  runtime.start();
  auto document = runtime.call(0, [&](net::Core& core) -> net::Task<mix::SignedDocument> {
    net::TcpDialer dialer{core};
    auto got =
        co_await service::fetch_document(core, dialer, *target, epoch, net::after(core, fetch_time_max));
    co_return got;
  });
  runtime.stop();
  runtime.join();
  if (document) return NamedDocument{from, *std::move(document)};
  const auto code = document.error().code;
  problem = code == Errc::not_found ? from + " has no document for epoch " + std::to_string(epoch)
                                    : from + " did not give the document for epoch " + std::to_string(epoch) +
                                          ": " + std::string{name(code)};
  return std::nullopt;
}

std::optional<std::uint64_t> number_option(const Arguments& arguments, const std::string& option,
                                           std::uint64_t fallback, std::uint64_t low, std::uint64_t high,
                                           std::string& problem) {
  const auto text = arguments.value(option);
  if (!text) return fallback;
  std::uint64_t number = 0;
  const auto read = std::from_chars(text->data(), text->data() + text->size(), number);
  if (read.ec == std::errc{} && read.ptr == text->data() + text->size() && number >= low && number <= high) {
    return number;
  }
  problem = option + " takes a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  return std::nullopt;
}

std::optional<NamedDocument> read_document(const std::string& path, std::string& problem) {
  auto text = read_file(path, mix::limits::document_bytes_max + 1, problem);
  if (!text) return std::nullopt;
  if (text->ends_with('\n')) text->pop_back();
  auto document = mix::parse_signed_document(as_bytes(*text));
  if (document) return NamedDocument{path, *std::move(document)};
  problem = path + ": " + mix::directory_problem(document.error());
  return std::nullopt;
}

std::optional<NamedDocument> find_document(const Arguments& arguments, const std::optional<std::string>& path,
                                           std::string& problem) {
  if (path) return read_document(*path, problem);
  const auto from = arguments.value("--from");
  if (!from) return kept_document(arguments, problem);
  mix::Epochs epochs;
  const auto length = parse_duration(arguments.value_or("--epoch-length", "20m"));
  if (!length || *length < std::chrono::seconds{1}) {
    problem = "--epoch-length takes a duration of a second or more, like 20m";
    return std::nullopt;
  }
  epochs.length = *length;
  const auto current = epochs.at(net::SystemClock{}.wall());
  const auto epoch = number_option(arguments, "--epoch", current, 0, mix::json_integer_max, problem);
  if (!epoch) return std::nullopt;
  return fetched_document(*from, *epoch, problem);
}

std::string utc_text(WallTime when) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when.time_since_epoch()).count();
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  (void)std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text.data();
}

std::string roles_text(const mix::Roles& roles) {
  std::string out;
  for (const auto& [held, word] : {std::pair{roles.mix, "mix"}, std::pair{roles.gateway, "gateway"},
                                   std::pair{roles.authority, "authority"}}) {
    if (held) out += (out.empty() ? "" : "+") + std::string{word};
  }
  return out;
}

}  // namespace village::control
