#include "service/mix_directory_store.hpp"

#include <unistd.h>

#include "service/whole_file.hpp"
#include "village/base/log.hpp"

namespace village::service {
namespace {

constexpr std::size_t seen_bytes_max = 4 << 20;

}  // namespace

MixDirectoryStore::MixDirectoryStore(mix::AuthoritySet authorities, mix::Epochs epochs, std::string folder)
    : authorities_{std::move(authorities)}, epochs_{epochs}, folder_{std::move(folder)} {}

std::string MixDirectoryStore::document_path(mix::Epoch epoch) const {
  return folder_ + "/document-" + std::to_string(epoch) + ".json";
}

std::string MixDirectoryStore::load(WallTime now) {
  if (folder_.empty()) return {};
  std::string problem;
  const auto text = read_whole_file(folder_ + "/seen.json", seen_bytes_max);
  if (text) {
    auto seen = mix::SeenDirectory::parse(as_bytes(*text));
    if (seen) {
      seen_ = *std::move(seen);
    } else {
      problem = folder_ + "/seen.json is damaged; what this node has seen of the directory is forgotten";
    }
  } else if (text.error().code != Errc::not_found) {
    problem = folder_ + "/seen.json cannot be read; what this node has seen of the directory is forgotten";
  }
  const auto current = epochs_.at(now);
  for (auto epoch = current > 0 ? current - 1 : current; epoch <= current + 1; ++epoch) {
    const auto kept = read_whole_file(document_path(epoch), mix::limits::document_bytes_max);
    if (!kept) continue;
    const auto document = mix::parse_signed_document(as_bytes(*kept));
    const auto accepted = document ? accept(*document, epoch) : document.error();
    if (!accepted) {
      VG_LOG(warn, "mix", "document_file epoch={} problem={}", epoch,
             mix::directory_problem(accepted.error()));
    }
  }
  return problem;
}

Result<void> MixDirectoryStore::keep(const mix::SignedDocument& document,
                                     const mix::SeenDirectory& seen) const {
  if (folder_.empty()) return ok();
  VG_TRY_VOID(replace_whole_file(folder_ + "/seen.json", seen.to_json()));
  return replace_whole_file(document_path(document.document.epoch), mix::to_json(document));
}

Result<void> MixDirectoryStore::accept(const mix::SignedDocument& document, mix::Epoch epoch) {
  VG_TRY_VOID(mix::verify_dates(document.document, epoch, epochs_));
  VG_TRY_VOID(mix::verify_signatures(document, authorities_));
  auto seen = seen_;
  VG_TRY_VOID(seen.accept(document.document));
  VG_TRY_VOID(keep(document, seen));
  seen_ = std::move(seen);
  views_[epoch] = mix::MixView::make(document.document);
  return ok();
}

void MixDirectoryStore::drop_before(mix::Epoch epoch) {
  while (!views_.empty() && views_.begin()->first < epoch) {
    if (!folder_.empty()) ::unlink(document_path(views_.begin()->first).c_str());
    views_.erase(views_.begin());
  }
}

MixViews MixDirectoryStore::views_at(WallTime now) {
  const auto current = epochs_.at(now);
  if (current > 0) drop_before(current - 1);
  const auto of = [this](mix::Epoch epoch) {
    const auto found = views_.find(epoch);
    return found != views_.end() ? found->second : nullptr;
  };
  return {current > 0 ? of(current - 1) : nullptr, of(current), of(current + 1)};
}

}  // namespace village::service
