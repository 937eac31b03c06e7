#include "daemon/run.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "daemon/log_sink.hpp"
#include "daemon/node.hpp"
#include "daemon/notify.hpp"
#include "daemon/process.hpp"
#include "daemon/state_lock.hpp"
#include "daemon/supervisor.hpp"
#include "village/base/log.hpp"
#include "village/net/system.hpp"

namespace village::daemon {
namespace {

constexpr int failed = 1, bad_input = 2;

/// LogEnd takes the sink away before it dies, on every way out.
struct LogEnd {
  ~LogEnd() { log::set_sink(nullptr); }
};

int complain(int status, const std::string& sentence) {
  std::fprintf(stderr, "villaged: %s\n", sentence.c_str());
  return status;
}

/// writes_to_journal tells whether standard error is the journal's socket. The variable alone does not say
/// so: whatever a service starts inherits it. Source: systemd.exec(5), $JOURNAL_STREAM.
bool writes_to_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &facts) == 0 &&
         fmt::format("{}:{}", facts.st_dev, facts.st_ino) == stream;
}

LogFormat log_format(const control::LogOptions& options) {
  if (options.json) return LogFormat::json;
  return writes_to_journal() ? LogFormat::journal : LogFormat::text;
}

std::string lock_problem(const Error& error, const std::string& directory) {
  if (error.code != Errc::already_exists) {
    return fmt::format("{}: cannot use the state directory: {}", directory, describe(error));
  }
  if (error.detail == 0) return fmt::format("{}: another villaged uses this state directory", directory);
  return fmt::format(
      "{}: another villaged (pid {}) uses this state directory: stop it first, or give this one a "
      "node.state_dir of its own",
      directory, error.detail);
}

std::optional<std::string> config_argument(const std::vector<std::string>& args) {
  if (args.size() == 2 && args[0] == "--config") return args[1];
  if (args.size() == 1 && args[0].starts_with("--config="))
    return args[0].substr(std::string_view{"--config="}.size());
  return std::nullopt;
}

int serve(control::Config config) {
  LogSink sink{log_format(config.log)};
  const LogEnd log_end;
  log::set_sink(&sink);
  log::set_level(config.log.level);
  const auto descriptors = net::raise_descriptor_limit();
  if (!descriptors)
    return complain(failed, fmt::format("file descriptors: {}", describe(descriptors.error())));
  const auto lock = StateLock::acquire(config.node.state_dir);
  if (!lock) return complain(failed, lock_problem(lock.error(), config.node.state_dir));

  auto notifier = Notifier::from_environment();
  const auto watchdog =
      watchdog_interval(std::getenv("WATCHDOG_USEC"), std::getenv("WATCHDOG_PID"), ::getpid());
  Node node{std::move(config), sink};
  if (const auto problem = node.open(take_inherited()); !problem.empty()) return complain(failed, problem);
  Supervisor supervisor{node, std::move(notifier), watchdog};
  return supervisor.run();
}

int run(const std::vector<std::string>& args) {
  tune_memory();
  block_signals();
  const auto path = config_argument(args);
  if (!path) return complain(bad_input, "run needs --config FILE (make one with `villaged init --dir DIR`)");
  // Before the identity is read.
  if (const auto done = forbid_core_dumps(); !done) {
    return complain(failed, fmt::format("core dumps cannot be switched off: {}", describe(done.error())));
  }
  auto outcome = control::load_config(*path);
  for (const auto& error : outcome.errors) std::fprintf(stderr, "%s\n", error.text().c_str());
  for (const auto& warning : outcome.warnings) std::fprintf(stderr, "warning: %s\n", warning.text().c_str());
  if (!outcome.config) return bad_input;
  return serve(*std::move(outcome.config));
}

}  // namespace

control::Verb run_verb() {
  control::Verb verb;
  verb.name = "run";
  verb.summary = "run the daemon";
  verb.usage =
      "usage: villaged run --config FILE\n"
      "\n"
      "Runs in the foreground and logs to standard error. SIGTERM or SIGINT drains and stops (twice: at "
      "once),\n"
      "SIGHUP reads the configuration again and applies what can change without dropping sessions.\n"
      "Exit status: 0 stopped in order, 1 could not start or serve, 2 mistakes in the configuration.\n"
      "\n"
      "example: villaged run --config /etc/villaged/villaged.json\n";
  verb.run = run;
  verb.options = {"--config FILE"};
  return verb;
}

}  // namespace village::daemon
