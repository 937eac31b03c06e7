// Replays a corpus where there is no libFuzzer: every file as it is, cut short, and with bytes changed,
// always the same way. Fails if there is no file.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "village/base/check.hpp"
#include "village/base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr int damaged_copies = 200;

/// run copies the input into memory of exactly its size, so that ASan sees a read beyond it.
void run(const Input& input) {
  const Input exact{input.begin(), input.end()};
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_damaged(const Input& input, village::SeededRandom& random) {
  if (input.empty()) return;
  for (int copy = 0; copy < damaged_copies; ++copy) {
    Input changed = input;
    if (random.below(4) == 0) changed.resize(random.below(input.size()));
    for (auto changes = random.below(4); changes > 0 && !changed.empty(); --changes) {
      changed[random.below(changed.size())] = static_cast<std::uint8_t>(random.below(256));
    }
    run(changed);
  }
}

Input read_file(const std::filesystem::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

int main(int count, char** arguments) {
  village::abort_on_bug(true);
  if (count != 2 || !std::filesystem::is_directory(arguments[1])) {
    std::fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", arguments[0]);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator{arguments[1]}) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  village::SeededRandom random{1};
  for (const auto& file : files) {
    const auto input = read_file(file);
    run(input);
    run_damaged(input, random);
  }
  std::printf("%zu files, %d damaged copies of each\n", files.size(), damaged_copies);
  return files.empty() ? 1 : 0;
}
