#pragma once
// MixDirectoryStore: documents that were verified, in memory and on disk.
//
//   FOLDER/seen.json              what was seen (mix::SeenDirectory); written before a document is used
//   FOLDER/document-<epoch>.json  signed documents of the last epochs
#include <map>
#include <string>

#include "village/mix/seen_directory.hpp"
#include "village/service/mix_directory.hpp"

namespace village::service {

class MixDirectoryStore {
 public:
  MixDirectoryStore(mix::AuthoritySet authorities, mix::Epochs epochs, std::string folder);

  /// load takes what is on disk and still of use at `now`. Returns a sentence if something there is damaged.
  std::string load(WallTime now);
  /// accept verifies a document and keeps it. Errors: those of mix::verify_signatures, verify_dates,
  /// SeenDirectory; io (then it is not used: a restart could be led back).
  Result<void> accept(const mix::SignedDocument& document, mix::Epoch epoch);
  bool has(mix::Epoch epoch) const { return views_.contains(epoch); }
  /// views_at gives the views of a moment and drops what is older.
  MixViews views_at(WallTime now);

 private:
  std::string document_path(mix::Epoch epoch) const;
  Result<void> keep(const mix::SignedDocument& document, const mix::SeenDirectory& seen) const;
  void drop_before(mix::Epoch epoch);

  mix::AuthoritySet authorities_;
  mix::Epochs epochs_;
  std::string folder_;
  mix::SeenDirectory seen_;
  std::map<mix::Epoch, std::shared_ptr<const mix::MixView>> views_;
};

}  // namespace village::service
