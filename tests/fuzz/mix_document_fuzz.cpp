// Documents, and what is made of them: nothing crashes, and what is accepted has one form only.
#include <cstdlib>

#include "mix/authority_messages.hpp"
#include "village/mix/seen_directory.hpp"
#include "village/mix/topology.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace village;
  const auto text = as_bytes(data, size);
  (void)mix::SeenDirectory::parse(text);
  (void)mix::parse_signature_entries(text);
  const auto statement = mix::parse_endorsed_statement(text);
  if (statement && mix::to_json(*statement) != as_text(text)) std::abort();
  const auto read = mix::parse_signed_document(text);
  if (!read) return 0;
  if (mix::to_json(*read) != as_text(text)) std::abort();
  (void)mix::verify_dates(read->document, read->document.epoch, {});
  (void)mix::verify_now(read->document, WallTime{});
  const auto view = mix::MixView::make(read->document);
  SeededRandom random{size};
  for (const auto& node : view->nodes()) {
    const auto path = mix::choose_path(*view, node.id, random);
    if (path && path->back()->id != node.id) std::abort();
  }
  return 0;
}
