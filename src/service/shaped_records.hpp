#pragma once
// ShapedRecords: the shape's record sizes as the TLS stream below asks for them.
#include <memory>
#include <utility>

#include "village/htx/shape.hpp"
#include "village/net/record_plan.hpp"

namespace village::service {

class ShapedRecords final : public net::RecordPlan {
 public:
  /// `random` must outlive it: it is the core's.
  ShapedRecords(std::shared_ptr<const htx::Shape> shape, htx::Role role, RandomSource& random)
      : sizes_{std::move(shape), role}, random_{random} {}
  std::size_t next(Instant now) override { return sizes_.next(now, random_); }
  void wrote(std::size_t bytes) override { sizes_.wrote(bytes); }

 private:
  htx::RecordSizes sizes_;
  RandomSource& random_;
};

}  // namespace village::service
