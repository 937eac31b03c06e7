// villaged: one program, many verbs.
#include "daemon/demo.hpp"
#include "daemon/run.hpp"
#include "village/control/verb.hpp"

int main(int argc, char** argv) {
  auto table = village::control::verbs();
  table.insert(table.begin(), {village::daemon::run_verb(), village::daemon::demo_verb()});
  return village::control::dispatch(argc, argv, table);
}
