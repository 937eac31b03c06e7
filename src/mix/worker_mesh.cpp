#include "village/mix/worker_mesh.hpp"

#include "village/base/check.hpp"

namespace village::mix {

WorkerMesh::WorkerMesh(std::uint32_t workers) : workers_{workers} {
  VG_CHECK(workers > 0 && workers <= limits::workers_max);
  for (std::uint32_t from = 0; from < workers; ++from)
    for (std::uint32_t to = 0; to < workers; ++to)
      pairs_.push_back(from == to ? nullptr : std::make_unique<Pair>());
}

}  // namespace village::mix
