#pragma once
// The packets inside a worker: a fixed number of places, each with room for one frame.
#include "mix/zeroed_area.hpp"
#include "village/mix/delay_queue.hpp"
#include "village/mix/epoch.hpp"
#include "village/mix/frame.hpp"
#include "village/mix/rate_limit.hpp"
#include "village/sphinx/types.hpp"

namespace village::mix {

/// Place is what a worker knows of a packet beside its bytes.
struct Place {
  enum class Stage : std::uint8_t {
    free,
    ingress,
    batch,
    queue,
    released,
    delivery,
    given_released,
    given_delivery
  };
  Stage stage = Stage::free;
  std::byte rotation{};
  NeighbourIndex next = 0;
  Instant received{}, due{};
  Epoch epoch = 0;
  sphinx::Destination destination{};
  sphinx::Identifier identifier{};
};

/// PacketArena: a packet stays in its place from submit to done. The place used last is the next to be used,
/// so that a quiet node touches little memory. One thread.
class PacketArena {
 public:
  PacketArena(Profile profile, std::size_t count)
      : packet_bytes_{mix::packet_bytes(profile)},
        stride_{(lead_bytes + packet_bytes_ + lead_bytes - 1) / lead_bytes * lead_bytes},
        area_{count * stride_},
        places_(count) {
    free_.reserve(count);
    for (auto i = count; i > 0; --i) free_.push_back(static_cast<HeldIndex>(i - 1));
  }

  std::size_t size() const { return places_.size(); }
  std::size_t in_use() const { return places_.size() - free_.size(); }
  bool full() const { return free_.empty(); }
  HeldIndex take() {
    const auto index = free_.back();
    free_.pop_back();
    return index;
  }
  void give_back(HeldIndex index) {
    places_[index].stage = Place::Stage::free;
    free_.push_back(index);
  }
  Place& operator[](HeldIndex index) { return places_[index]; }
  const Place& operator[](HeldIndex index) const { return places_[index]; }
  /// packet begins on a cache line; the frame's header lies in front of it.
  ByteSpan packet(HeldIndex index) { return {start(index) + lead_bytes, packet_bytes_}; }
  ByteSpan frame(HeldIndex index) {
    return {start(index) + lead_bytes - frame_header_bytes, frame_header_bytes + packet_bytes_};
  }

 private:
  static constexpr std::size_t lead_bytes = village::limits::cache_line_bytes;
  std::byte* start(HeldIndex index) const {
    return static_cast<std::byte*>(area_.get()) + std::size_t{index} * stride_;
  }
  std::size_t packet_bytes_, stride_;
  ZeroedArea area_;
  LineVector<Place> places_;
  LineVector<HeldIndex> free_;
};

}  // namespace village::mix
