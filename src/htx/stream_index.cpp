#include "htx/stream_index.hpp"

#include <utility>

#include "village/base/check.hpp"

namespace village::htx {

void StreamIndex::add(Stream& stream) {
  const auto number = page_of(stream.id);
  if (number != recent_number_ && !turn_to(number)) {
    std::unique_ptr<Page> page;
    if (spare_.empty()) {
      page = std::make_unique<Page>();
    } else {
      page = std::move(spare_.back());
      spare_.pop_back();
    }
    recent_number_ = number;
    recent_ = page.get();
    pages_.emplace(number, std::move(page));
  }
  auto& place = recent_->streams[slot_of(stream.id)];
  VG_CHECK(place == nullptr);
  place = &stream;
  ++recent_->used;
  ++size_;
}

void StreamIndex::erase(StreamId id) {
  const auto number = page_of(id);
  const auto found = pages_.find(number);
  VG_CHECK(found != pages_.end() && found->second->streams[slot_of(id)] != nullptr);
  auto& page = *found->second;
  page.streams[slot_of(id)] = nullptr;
  --size_;
  if (--page.used > 0) return;
  if (number == recent_number_) recent_number_ = no_page;
  spare_.push_back(std::move(found->second));
  pages_.erase(found);
}

void StreamIndex::shrink() {
  VG_CHECK(size_ == 0);
  pages_ = decltype(pages_){0, pages_.hash_function()};
  decltype(spare_){}.swap(spare_);
  recent_number_ = no_page;
}

}  // namespace village::htx
