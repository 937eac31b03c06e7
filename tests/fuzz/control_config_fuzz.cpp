// Any text is a configuration or a list of mistakes; a configuration reads back from what is written of it,
// and takes an edit.
#include <cstdlib>

#include "control/config_edit.hpp"
#include "control/config_table.hpp"
#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/control/config.hpp"

using namespace village;
using namespace village::control;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{as_text(as_bytes(data, size))};
  const auto outcome = parse_config(text, "fuzz.json");
  for (const auto& error : outcome.errors) VG_CHECK(!error.text().empty() && !error.message.empty());
  VG_CHECK(outcome.config.has_value() == outcome.errors.empty());
  if (!outcome.config) return 0;

  const auto written = config_shape().write(*outcome.config, Show::plain);
  const auto again = parse_config(written.dump(), "fuzz.json");
  VG_CHECK(again.config.has_value());
  VG_CHECK(config_shape().write(*again.config, Show::plain) == written);
  VG_CHECK(restart_keys(*outcome.config, *again.config).empty());
  VG_CHECK(!masked_json(*outcome.config).empty());

  auto edit = ConfigEdit::open(text);
  VG_CHECK(edit.has_value());
  const auto peers = outcome.config->htx.peers.size();
  edit->append("/htx/peers",
               {{"name", "fuzz"}, {"key", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, {"inbound", true}});
  edit->set("/proxy/default", "block");
  VG_CHECK(edit->root().at("htx").at("peers").size() == peers + 1);
  edit->remove("/htx/peers/" + std::to_string(peers));
  VG_CHECK(edit->root().at("htx").at("peers").size() == peers);
  return 0;
}
