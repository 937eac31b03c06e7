#include "service/decoy_origin.hpp"

#include <utility>

#include "village/net/deadline.hpp"

namespace village::service {

DecoyOrigin::DecoyOrigin(net::Core& core, net::TcpDialer& dialer, std::optional<Target> target,
                         Duration timeout)
    : core_{core},
      dialer_{dialer},
      target_{std::move(target)},
      timeout_{timeout},
      children_{core},
      done_{core} {
  if (!is_near()) begin();
}

bool DecoyOrigin::is_near() const {
  if (!target_) return false;
  if (const auto* v4 = std::get_if<Ipv4Address>(&target_->host)) return is_loopback(*v4);
  if (const auto* v6 = std::get_if<Ipv6Address>(&target_->host)) return is_loopback(*v6);
  return false;
}

void DecoyOrigin::begin() {
  if (!target_ || std::exchange(begun_, true)) return;
  children_.spawn([this] { return dial(); });
}

boost::asio::awaitable<void> DecoyOrigin::dial() {
  auto dialed = co_await dialer_.connect(*target_, net::after(core_, timeout_));
  outcome_.emplace(std::move(dialed));
  done_.notify();
}

net::Task<std::unique_ptr<net::TcpStream>> DecoyOrigin::take() {
  if (!target_) co_return fail(Errc::not_found);
  begin();
  while (!outcome_) VG_CO_TRY_VOID(co_await done_.wait());
  co_return std::move(*outcome_);
}

boost::asio::awaitable<void> DecoyOrigin::end() {
  children_.cancel();
  co_await children_.join();
}

}  // namespace village::service
