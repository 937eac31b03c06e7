#include "daemon/sandbox.hpp"

#include <cstdlib>
#include <utility>

#include "daemon/process.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"

namespace village::daemon {
namespace {

metrics::Gauge landlock_active{"villaged_daemon_sandbox_active", "1 if this part of the sandbox holds.",
                               "part=\"landlock\""};
metrics::Gauge seccomp_active{"villaged_daemon_sandbox_active", "1 if this part of the sandbox holds.",
                              "part=\"seccomp\""};

void warn_missing(std::string_view part, const Error& error) {
  if (error.code == Errc::unsupported) {
    VG_LOG(warn, "daemon", "sandbox part={} active=no reason=\"this kernel has no {}\"", part, part);
  } else {
    VG_LOG(warn, "daemon", "sandbox part={} active=no reason=\"{}\"", part, describe(error));
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitizer_build = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitizer_build = true;
#else
constexpr bool sanitizer_build = false;
#endif
#else
constexpr bool sanitizer_build = false;
#endif

/// call_policy is kill, except in test builds with VILLAGED_SECCOMP=log in the environment.
CallPolicy call_policy() {
#ifdef VILLAGE_TEST_BUILD
  const char* mode = std::getenv("VILLAGED_SECCOMP");
  if (mode != nullptr && std::string_view{mode} == "log") return CallPolicy::log;
#endif
  return CallPolicy::kill;
}

}  // namespace

void Sandbox::confine_files(FileAccess access, bool wanted) {
  if (!wanted) return;
  const auto abi = restrict_files(access);
  if (!abi) return warn_missing("landlock", abi.error());
  access_ = std::move(access);
  landlock_ = true;
  landlock_active.add();
  VG_LOG(info, "daemon", "sandbox part=landlock active=yes abi={}", *abi);
}

void Sandbox::confine_calls(bool wanted) {
  if (!wanted) return;
  if (sanitizer_build) {
    VG_LOG(warn, "daemon", "sandbox part=seccomp active=no reason=\"sanitizer build\"");
    return;
  }
  const auto policy = call_policy();
  if (const auto done = restrict_calls(policy); !done) return warn_missing("seccomp", done.error());
  seccomp_ = true;
  seccomp_active.add();
  VG_LOG(info, "daemon", "sandbox part=seccomp active=yes policy={} calls={}",
         policy == CallPolicy::kill ? "kill" : "log", allowed_calls().size());
}

std::vector<std::string> Sandbox::active() const {
  std::vector<std::string> parts;
  if (landlock_) parts.emplace_back("landlock");
  if (seccomp_) parts.emplace_back("seccomp");
  return parts;
}

}  // namespace village::daemon
