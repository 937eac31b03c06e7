#include "service/decoy_origin.hpp"

#include <utility>

#include "village/net/deadline.hpp"

namespace village::service {

DecoyOrigin::DecoyOrigin(net::Core& core, net::TcpDialer& dialer, std::optional<Target> target,
                         Duration timeout)
    : core_{core}, dialer_{dialer}, target_{std::move(target)}, children_{core}, done_{core} {
  if (target_) children_.spawn([this, timeout] { return dial(timeout); });
}

boost::asio::awaitable<void> DecoyOrigin::dial(Duration timeout) {
  auto dialed = co_await dialer_.connect(*target_, net::after(core_, timeout));
  outcome_.emplace(std::move(dialed));
  done_.notify();
}

net::Task<std::unique_ptr<net::TcpStream>> DecoyOrigin::take() {
  if (!target_) co_return fail(Errc::not_found);
  while (!outcome_) VG_CO_TRY_VOID(co_await done_.wait());
  co_return std::move(*outcome_);
}

boost::asio::awaitable<void> DecoyOrigin::end() {
  children_.cancel();
  co_await children_.join();
}

}  // namespace village::service
