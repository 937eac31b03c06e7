#pragma once
// Core: what one worker thread owns. A connection lives and dies on one core; nothing here is shared.
#include <boost/asio/io_context.hpp>
#include <cstddef>

#include "village/base/random.hpp"
#include "village/base/time.hpp"

namespace village::net {

class Resolver;

/// Core is handed by reference to everything that runs on its thread.
class Core {
 public:
  virtual ~Core() = default;
  virtual boost::asio::io_context& io() = 0;
  virtual std::size_t index() const = 0;  ///< 0 .. cores-1
  virtual const Clock& clock() const = 0;
  virtual RandomSource& random() = 0;
  virtual Resolver& resolver() = 0;
};

}  // namespace village::net
