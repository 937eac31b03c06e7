#include <utility>

#include "flood/flood.hpp"
#include "service/tunnel_link.hpp"
#include "service/tunnel_way_in.hpp"
#include "village/htx/stream_header.hpp"
#include "village/net/nursery.hpp"
#include "village/net/tls.hpp"

namespace village::flood {
namespace {

using namespace std::chrono_literals;
using service::TunnelLink;

constexpr Duration patience = 20s;

/// ask has the echo behind the exit send a KiB back over `link`.
net::Task<void> ask(net::Core& core, std::shared_ptr<TunnelLink> link, Target echo, Instant deadline) {
  auto opened = co_await link->open(htx::Priority::interactive, deadline);
  if (!opened) co_return opened.error();
  auto& stream = **opened;
  const htx::StreamHeader header{htx::Service::tcp, std::move(echo)};
  VG_CO_TRY(words, htx::encode_stream_header(header));
  Bytes sent(1'024);
  core.random().fill(sent);
  words.insert(words.end(), sent.begin(), sent.end());
  VG_CO_TRY_VOID(co_await stream.write_all(words));
  stream.expect_status();
  VG_CO_TRY_VOID(co_await stream.await_status());
  Bytes back(sent.size());
  for (std::size_t filled = 0; filled < back.size();) {
    VG_CO_TRY(size, co_await stream.read_some(ByteSpan{back}.subspan(filled)));
    if (size == 0) co_return fail(Errc::end_of_stream);
    filled += size;
  }
  if (back != sent) co_return fail(Errc::malformed);
  co_return ok();
}

net::Task<void> visit(net::Core& core, const Guests& guests, std::shared_ptr<net::TlsClientContext> tls) {
  const auto deadline = net::after(core, patience);
  net::TcpDialerOptions options;
  options.source = source_in(200, core.random());
  net::TcpDialer dialer{core, std::move(options)};
  auto entered = co_await service::enter_as_client(core, dialer, std::move(tls), guests.identity,
                                                   *guests.peer, deadline);
  if (!entered) co_return entered.error();
  service::LinkFacts facts{guests.peer->name, guests.peer->key, false, guests.peer->outer,
                           entered->keys.suite};
  auto link = std::make_shared<TunnelLink>(core, std::move(entered->stream), std::move(entered->keys),
                                           htx::Settings{}, std::move(facts));
  net::Nursery driver{core};
  driver.spawn([link, early = std::move(entered->early)]() mutable -> boost::asio::awaitable<void> {
    TunnelLink::Hooks hooks;
    (void)co_await link->run(std::move(early), std::move(hooks));
  });
  auto answered = co_await net::with_deadline(core, ask(core, link, guests.echo, deadline), deadline);
  driver.cancel();
  co_await driver.join();
  co_return answered;
}

}  // namespace

net::Task<GuestsReport> run_guests(net::Core& core, Guests guests) {
  GuestsReport report;
  std::shared_ptr<net::TlsClientContext> tls;
  if (guests.peer->outer == service::Outer::tls) {
    VG_CO_TRY(made, net::TlsClientContext::make({{"http/1.1"}, net::TlsVersion::v1_3}));
    tls = std::move(made);
  }
  std::uint32_t left = guests.count;
  const auto one_after_another = [&]() -> boost::asio::awaitable<void> {
    while (left > 0) {
      --left;
      const auto begin = core.clock().now();
      const auto done = co_await visit(core, guests, tls);
      if (done) {
        report.times.push_back(core.clock().now() - begin);
      } else {
        report.failures.push_back(done.error());
      }
    }
  };
  net::Nursery queue{core};
  for (unsigned i = 0; i < guests.at_once; ++i) queue.spawn([&] { return one_after_another(); });
  co_await queue.join();
  co_return report;
}

}  // namespace village::flood
