#include "village/net/relay.hpp"
#include "village/net/tls.hpp"
#include "village/net/nursery.hpp"
#include <vector>
namespace village::net {
struct TlsServerContext::State {}; struct TlsClientContext::State {}; struct TlsStream::State {};
Result<std::shared_ptr<TlsServerContext>> TlsServerContext::make(const TlsServerOptions&) { return fail(Errc::unsupported); }
TlsServerContext::~TlsServerContext() = default;
Result<void> TlsServerContext::reload(std::string_view, std::string_view) { return fail(Errc::unsupported); }
Result<std::shared_ptr<TlsClientContext>> TlsClientContext::make(const TlsClientOptions&) { return fail(Errc::unsupported); }
TlsClientContext::~TlsClientContext() = default;
Task<std::unique_ptr<TlsStream>> TlsStream::connect(Core&, StreamPtr, std::shared_ptr<TlsClientContext>, TlsServerName, Instant) { co_return fail(Errc::unsupported); }
Task<std::unique_ptr<TlsStream>> TlsStream::accept(Core&, StreamPtr, std::shared_ptr<TlsServerContext>, Instant) { co_return fail(Errc::unsupported); }
TlsStream::~TlsStream() = default;
Task<std::size_t> TlsStream::read_some(ByteSpan) { co_return fail(Errc::unsupported); }
Task<void> TlsStream::write_all(ByteView) { co_return fail(Errc::unsupported); }
Task<void> TlsStream::shutdown_write() { co_return fail(Errc::unsupported); }
void TlsStream::close() noexcept {}
Task<void> TlsStream::wait_readable() { co_return fail(Errc::unsupported); }
std::optional<Target> TlsStream::local() const { return {}; }
Result<void> TlsStream::exporter(std::string_view, ByteView, ByteSpan) const { return fail(Errc::unsupported); }
}
