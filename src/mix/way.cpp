#include "village/mix/way.hpp"

#include <algorithm>

#include "village/mix/cover_stream.hpp"

namespace village::mix {

Result<Way> draw_way(const MixView& view, const wire::NodeId& recipient, const PathOptions& options,
                     RandomSource& random) {
  VG_TRY(path, choose_path(view, recipient, random, options));
  const auto& parameters = view.parameters();
  Way way;
  way.hops.reserve(path.size());
  for (const auto* node : path) {
    const bool last = way.hops.size() + 1 == path.size();
    const auto delay =
        last ? Duration{0}
             : std::min<Duration>(CoverStream::draw(parameters.delay_mean, random), parameters.delay_max);
    way.hops.push_back({node->sphinx_key, node->mix_address, static_cast<std::uint64_t>(delay.count())});
    way.held += delay;
  }
  return way;
}

sphinx::Destination destination_of(const wire::NodeId& client) {
  sphinx::Destination destination{};
  std::ranges::copy(client.view(), destination.begin());
  return destination;
}

std::optional<wire::NodeId> client_of(const sphinx::Destination& destination) {
  const auto id = std::span{destination}.first<wire::NodeId::size>();
  const auto zero = [](std::byte b) { return b == std::byte{0}; };
  if (!std::all_of(destination.begin() + wire::NodeId::size, destination.end(), zero)) return std::nullopt;
  if (std::all_of(id.begin(), id.end(), zero)) return std::nullopt;
  return wire::NodeId::from_bytes(id);
}

}  // namespace village::mix
