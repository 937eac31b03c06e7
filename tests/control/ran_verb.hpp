#pragma once
// Verbs run in this process, with what they print caught.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "control/verbs.hpp"
#include "village/control/verb.hpp"

namespace village::control {

struct Ran {
  int status;
  std::string out, err;
};

/// run_verb runs `villaged ARGS...`.
inline Ran run_verb(std::vector<std::string> args) {
  args.insert(args.begin(), "villaged");
  std::vector<char*> argv;
  for (auto& arg : args) argv.push_back(arg.data());
  const auto table = verbs();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = dispatch(static_cast<int>(argv.size()), argv.data(), table);
  std::fflush(stdout);
  return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

}  // namespace village::control
