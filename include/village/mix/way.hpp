#pragma once
// Way: a path with the delays that its hops are asked for.
#include <vector>

#include "village/base/random.hpp"
#include "village/mix/topology.hpp"
#include "village/sphinx/create.hpp"

namespace village::mix {

struct Way {
  std::vector<sphinx::Hop> hops;  ///< first hop first; the last one is the recipient's gateway
  Duration held{};                ///< the sum of the delays
};

/// draw_way chooses a path to `recipient` and draws each hop's delay but the last one's: exponential with the
/// document's mean, cut at its longest. Errors: those of choose_path.
Result<Way> draw_way(const MixView& view, const wire::NodeId& recipient, const PathOptions& options,
                     RandomSource& random);

/// destination_of is what the last hop finds in its slot: node id 20 | zeros 12.
sphinx::Destination destination_of(const wire::NodeId& client);
/// client_of reads it back; nullopt if the tail is not zero, or all is: a drop packet.
std::optional<wire::NodeId> client_of(const sphinx::Destination& destination);

}  // namespace village::mix
