#include "village/net/tls.hpp"

#include <openssl/ssl.h>

#include <thread>

#include "net/support.hpp"
#include "village/crypto/hash.hpp"
#include "village/net/relay.hpp"

namespace village::net {
namespace {

using test::code_of;
using test::far;
using test::OneCore;
using test::pattern;
using test::read_exactly;
using test::stream_pair;
using test::value_of;

crypto::SelfSigned self_signed(std::string_view name) {
  const auto now = WallTime{std::chrono::system_clock::now().time_since_epoch()};
  auto made = crypto::make_self_signed(name, now, 30);
  VG_CHECK(made.has_value());
  return *std::move(made);
}

const crypto::SelfSigned& identity() {
  static const auto made = self_signed("server.test");
  return made;
}

TlsServerOptions server_options(std::vector<std::string> alpn = {"http/1.1"}) {
  TlsServerOptions options;
  options.certificate_pem = identity().certificate_pem;
  options.key_pem = identity().key_pem;
  options.alpn = std::move(alpn);
  return options;
}

TlsServerName pinned(const crypto::SpkiPin& pin = identity().pin) {
  TlsServerName server;
  server.sni = "server.test";
  server.trust.pin = pin;
  return server;
}

/// Opaque hides the socket: TLS must then work over read_some and write_all.
class Opaque final : public Stream {
 public:
  explicit Opaque(StreamPtr under, std::vector<std::size_t>* records = nullptr)
      : under_{std::move(under)}, records_{records} {}
  Task<std::size_t> read_some(ByteSpan out) override { return under_->read_some(out); }
  /// write_all notes the plaintext sizes of application records; TlsStream writes whole records.
  Task<void> write_all(ByteView in) override {
    for (auto rest = in; records_ != nullptr && rest.size() > 5;) {
      const auto size = std::to_integer<std::size_t>(rest[3]) << 8 | std::to_integer<std::size_t>(rest[4]);
      if (rest[0] == std::byte{23}) records_->push_back(size - 17);
      rest = rest.subspan(std::min(rest.size(), 5 + size));
    }
    return under_->write_all(in);
  }
  Task<void> shutdown_write() override { return under_->shutdown_write(); }
  void close() noexcept override { under_->close(); }

 private:
  StreamPtr under_;
  std::vector<std::size_t>* records_;
};

/// Session is both ends of one handshake, with what became of it.
struct Session {
  Result<std::unique_ptr<TlsStream>> client = fail(Errc::internal);
  Result<std::unique_ptr<TlsStream>> server = fail(Errc::internal);
  bool both() const { return client.has_value() && server.has_value(); }
};

struct Plan {
  TlsServerOptions server = server_options();
  TlsClientOptions client{{"http/1.1"}, TlsVersion::v1_3};
  TlsServerName name = pinned();
  bool opaque = false;
  std::vector<std::size_t>* records = nullptr;  ///< what the server writes, when opaque
};

asio::awaitable<void> open(Core& core, Session& session, Plan plan);
asio::awaitable<void> open(Core& core, Session& session) { return open(core, session, Plan{}); }

asio::awaitable<void> open(Core& core, Session& session, Plan plan) {
  const auto server = *TlsServerContext::make(plan.server);
  const auto client = *TlsClientContext::make(plan.client);
  auto pair = stream_pair(core);
  StreamPtr left = std::move(pair.left), right = std::move(pair.right);
  if (plan.opaque) {
    left = std::make_unique<Opaque>(std::move(left));
    right = std::make_unique<Opaque>(std::move(right), plan.records);
  }
  Nursery nursery{core};
  nursery.spawn([&]() -> asio::awaitable<void> {
    auto stream = co_await TlsStream::connect(core, std::move(left), client, plan.name, far(core));
    session.client = std::move(stream);
  });
  nursery.spawn([&]() -> asio::awaitable<void> {
    auto stream = co_await TlsStream::accept(core, std::move(right), server, far(core));
    session.server = std::move(stream);
  });
  co_await nursery.join();
}

/// exchange sends `bytes` both ways at once and compares digests.
asio::awaitable<void> exchange(Core& core, Stream& left, Stream& right, std::size_t bytes) {
  const auto up = pattern(bytes), down = pattern(bytes, 77);
  Nursery nursery{core};
  const auto send = [](Stream& stream, const Bytes& what) -> asio::awaitable<void> {
    const auto written = co_await stream.write_all(what);
    EXPECT_TRUE(written.has_value());
    (void)co_await stream.shutdown_write();
  };
  const auto receive = [](Stream& stream, const Bytes& expected) -> asio::awaitable<void> {
    const auto got = co_await read_exactly(stream, expected.size());
    EXPECT_EQ(got.size(), expected.size());
    EXPECT_EQ(crypto::sha256(got), crypto::sha256(expected));
    Bytes more(1);
    const auto end = co_await stream.read_some(more);
    EXPECT_EQ(value_of(end, std::size_t{9}), 0u) << "close_notify is an orderly end";
  };
  nursery.spawn([&] { return send(left, up); });
  nursery.spawn([&] { return send(right, down); });
  nursery.spawn([&] { return receive(right, up); });
  nursery.spawn([&] { return receive(left, down); });
  co_await nursery.join();
}

TEST(TlsStream, CarriesBulkBothWaysAtOnce) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    EXPECT_TRUE(session.both());
    if (session.both()) co_await exchange(core, **session.client, **session.server, 64 << 20);
  });
}

TEST(TlsStream, WorksOverAnyStream) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    Plan plan;
    plan.opaque = true;
    co_await open(core, session, plan);
    EXPECT_TRUE(session.both());
    if (session.both()) co_await exchange(core, **session.client, **session.server, 8 << 20);
  });
}

TEST(TlsStream, WorksInsideTls) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session outer;
    co_await open(core, outer);
    EXPECT_TRUE(outer.both());
    if (!outer.both()) co_return;
    const auto server = *TlsServerContext::make(server_options());
    const auto client = *TlsClientContext::make({});
    Session inner;
    Nursery nursery{core};
    nursery.spawn([&]() -> asio::awaitable<void> {
      auto stream = co_await TlsStream::connect(core, std::move(*outer.client), client, pinned(), far(core));
      inner.client = std::move(stream);
    });
    nursery.spawn([&]() -> asio::awaitable<void> {
      auto stream = co_await TlsStream::accept(core, std::move(*outer.server), server, far(core));
      inner.server = std::move(stream);
    });
    co_await nursery.join();
    EXPECT_TRUE(inner.both());
    if (inner.both()) co_await exchange(core, **inner.client, **inner.server, 4 << 20);
  });
}

TEST(TlsStream, RelayedToPlainTcp) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    auto plain = stream_pair(core);
    Nursery nursery{core};
    RelayStatistics statistics;
    nursery.spawn([&]() -> asio::awaitable<void> {
      statistics = co_await relay(core, **session.server, *plain.left, {});
    });
    co_await exchange(core, **session.client, *plain.right, 8 << 20);
    co_await nursery.join();
    EXPECT_EQ(statistics.end, RelayEnd::finished);
    EXPECT_EQ(statistics.bytes_a_to_b, 8u << 20);
    EXPECT_EQ(statistics.bytes_spliced, 0u);
  });
}

TEST(TlsStream, SmallMessagesPingPong) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    for (std::size_t i = 1; i <= 200; ++i) {
      const auto message = pattern(i * 31, i);
      (void)co_await (*session.client)->write_all(message);
      const auto there = co_await read_exactly(**session.server, message.size());
      EXPECT_TRUE(there == message);
      (void)co_await (*session.server)->write_all(there);
      const auto back = co_await read_exactly(**session.client, message.size());
      EXPECT_TRUE(back == message);
    }
  });
}

TEST(TlsStream, AgreesOnAlpnVersionAndExporter) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Plan plan;
    plan.server.alpn = {"h2", "http/1.1"};
    plan.client.alpn = {"http/1.1", "h2"};
    Session session;
    co_await open(core, session, plan);
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    for (const auto* end : {&*session.client, &*session.server}) {
      EXPECT_EQ((*end)->alpn(), "h2");
      EXPECT_EQ((*end)->version(), TlsVersion::v1_3);
      EXPECT_FALSE((*end)->cipher().empty());
    }
    EXPECT_EQ((*session.client)->peer_pin(), identity().pin);
    EXPECT_FALSE((*session.server)->peer_pin().has_value());
    ByteArray<32> left{}, right{}, other{};
    EXPECT_TRUE((*session.client)->exporter("EXPORTER-test", as_bytes("context"), left).has_value());
    EXPECT_TRUE((*session.server)->exporter("EXPORTER-test", as_bytes("context"), right).has_value());
    EXPECT_TRUE((*session.server)->exporter("EXPORTER-test", as_bytes("contexT"), other).has_value());
    EXPECT_EQ(left, right);
    EXPECT_NE(left, other);
    EXPECT_NE(left, (ByteArray<32>{}));
  });
}

TEST(TlsStream, NoCommonAlpnIsRefused) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Plan plan;
    plan.client.alpn = {"h3"};
    Session session;
    co_await open(core, session, plan);
    EXPECT_EQ(code_of(session.server), Errc::protocol);
    EXPECT_EQ(session.client.error(), fail(Errc::protocol, 120)) << "alert no_application_protocol";
  });
}

/// A client of OpenSSL's own, TLS 1.2 at most, in a thread: the negotiated version, or nothing if it was
/// refused.
std::optional<std::string> old_client(int fd) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  std::optional<std::string> version;
  if (SSL_connect(ssl) == 1) {
    version = SSL_get_version(ssl);
    EXPECT_EQ(SSL_write(ssl, "old", 3), 3);
    SSL_shutdown(ssl);
  }
  SSL_free(ssl);
  SSL_CTX_free(context);
  ::close(fd);
  return version;
}

TEST(TlsStream, Tls12OnlyWhereAllowed) {
  OneCore one;
  for (const auto minimum : {TlsVersion::v1_2, TlsVersion::v1_3}) {
    const bool allowed = minimum == TlsVersion::v1_2;
    const auto [client, accepted] = test::tcp_pair();
    std::optional<std::string> seen;
    std::thread peer{[&seen, fd = client] { seen = old_client(fd); }};
    one.run([minimum, allowed, fd = accepted](Core& core) -> asio::awaitable<void> {
      auto options = server_options();
      options.version_min = minimum;
      const auto server = *TlsServerContext::make(options);
      const auto stream =
          co_await TlsStream::accept(core, std::make_unique<TcpStream>(core, fd), server, far(core));
      EXPECT_EQ(code_of(stream), allowed ? std::nullopt : std::optional{Errc::version});
      if (!stream.has_value()) co_return;
      EXPECT_EQ((*stream)->version(), TlsVersion::v1_2);
      const auto got = co_await read_exactly(**stream, 100);
      EXPECT_EQ(as_text(got), "old");
    });
    peer.join();
    EXPECT_EQ(seen, allowed ? std::optional<std::string>{"TLSv1.2"} : std::nullopt);
  }
}

TEST(TlsStream, WrongPinIsABadCertificate) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    auto pin = identity().pin;
    pin[5] ^= std::byte{1};
    Plan plan;
    plan.name = pinned(pin);
    Session session;
    co_await open(core, session, plan);
    EXPECT_EQ(session.client.error(), fail(Errc::bad_certificate, crypto::pin_mismatch));
    EXPECT_TRUE(session.server.has_value() || session.server.error().code == Errc::protocol);
  });
}

TEST(TlsStream, NameIsVerifiedAgainstTheRootGiven) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    for (const auto* name : {"server.test", "other.test"}) {
      Plan plan;
      plan.name = {};
      plan.name.sni = name;
      plan.name.trust.name = name;
      plan.name.trust.ca_pem = identity().certificate_pem;
      Session session;
      co_await open(core, session, plan);
      const bool right = std::string_view{name} == "server.test";
      EXPECT_EQ(session.client.has_value(), right);
      EXPECT_EQ(code_of(session.client), right ? std::nullopt : std::optional{Errc::bad_certificate});
    }
  });
}

TEST(TlsStream, UnknownRootIsABadCertificate) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    static const auto stranger = self_signed("server.test");
    Plan plan;
    plan.name = {};
    plan.name.trust.name = "server.test";
    plan.name.trust.ca_pem = stranger.certificate_pem;
    Session session;
    co_await open(core, session, plan);
    EXPECT_EQ(code_of(session.client), Errc::bad_certificate);
  });
}

TEST(TlsStream, FinWithoutCloseNotifyIsTruncated) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto server = *TlsServerContext::make(server_options());
    const auto client = *TlsClientContext::make({});
    auto pair = stream_pair(core);
    auto* raw = pair.right.get();
    Session session;
    Nursery nursery{core};
    nursery.spawn([&]() -> asio::awaitable<void> {
      auto stream = co_await TlsStream::connect(core, std::move(pair.left), client, pinned(), far(core));
      session.client = std::move(stream);
    });
    nursery.spawn([&]() -> asio::awaitable<void> {
      auto stream = co_await TlsStream::accept(core, std::move(pair.right), server, far(core));
      session.server = std::move(stream);
    });
    co_await nursery.join();
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    (void)co_await (*session.server)->write_all(as_bytes("half a me"));
    EXPECT_EQ(::shutdown(raw->native(), SHUT_WR), 0);  // as an attacker on the path would
    const auto got = co_await read_exactly(**session.client, 9);
    EXPECT_EQ(as_text(got), "half a me");
    Bytes buffer(16);
    const auto end = co_await (*session.client)->read_some(buffer);
    EXPECT_EQ(code_of(end), Errc::truncated);
  });
}

TEST(TlsStream, PlainTextPeerIsAProtocolError) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto server = *TlsServerContext::make(server_options());
    auto pair = stream_pair(core);
    (void)co_await pair.left->write_all(as_bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    const auto stream = co_await TlsStream::accept(core, std::move(pair.right), server, far(core));
    EXPECT_EQ(code_of(stream), Errc::protocol);
  });
}

TEST(TlsStream, SilentPeerTimesOut) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto client = *TlsClientContext::make({});
    auto pair = stream_pair(core);
    const auto stream =
        co_await TlsStream::connect(core, std::move(pair.left), client, pinned(), after(core, 5ms));
    EXPECT_EQ(code_of(stream), Errc::timed_out);
  });
}

TEST(TlsStream, PeerThatLeavesDuringTheHandshakeIsTruncated) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto client = *TlsClientContext::make({});
    auto pair = stream_pair(core);
    (void)co_await pair.right->shutdown_write();
    const auto stream = co_await TlsStream::connect(core, std::move(pair.left), client, pinned(), far(core));
    EXPECT_EQ(code_of(stream), Errc::truncated);
  });
}

TEST(TlsStream, CloseEndsAReadUnderWay) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    Nursery nursery{core};
    std::optional<Errc> seen;
    nursery.spawn([&]() -> asio::awaitable<void> {
      Bytes buffer(16);
      const auto got = co_await (*session.client)->read_some(buffer);
      seen = code_of(got);
    });
    (void)co_await sleep_until(core, after(core, 1ms));
    session.client = fail(Errc::internal);  // the stream dies under the reader
    co_await nursery.join();
    EXPECT_EQ(seen, Errc::cancelled);
  });
}

TEST(TlsStream, CancelledReadCanBeRepeated) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    Bytes buffer(16);
    const auto none = co_await with_deadline(core, (*session.client)->read_some(buffer), after(core, 2ms));
    EXPECT_EQ(code_of(none), Errc::timed_out);
    (void)co_await (*session.server)->write_all(as_bytes("later"));
    const auto got = co_await read_exactly(**session.client, 5);
    EXPECT_EQ(as_text(got), "later");
  });
}

TEST(TlsServerContext, ReloadServesTheNewCertificateAndKeepsTheOldOnError) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    const auto server = *TlsServerContext::make(server_options());
    const auto client = *TlsClientContext::make({});
    const auto fresh = self_signed("server.test");
    EXPECT_TRUE(server->reload("nonsense", fresh.key_pem).has_error());
    EXPECT_EQ(code_of(server->reload(fresh.certificate_pem, identity().key_pem)), Errc::bad_key);
    for (const bool reloaded : {false, true}) {
      EXPECT_TRUE(!reloaded || server->reload(fresh.certificate_pem, fresh.key_pem).has_value());
      auto pair = stream_pair(core);
      Nursery nursery{core};
      nursery.spawn([&]() -> asio::awaitable<void> {
        const auto stream = co_await TlsStream::accept(core, std::move(pair.right), server, far(core));
        EXPECT_TRUE(stream.has_value());
      });
      const auto pin = reloaded ? fresh.pin : identity().pin;
      const auto stream =
          co_await TlsStream::connect(core, std::move(pair.left), client, pinned(pin), far(core));
      EXPECT_TRUE(stream.has_value());
      co_await nursery.join();
    }
  });
}

TEST(TlsServerContext, BadOptionsAreNamed) {
  auto options = server_options();
  options.certificate_pem = "nonsense";
  EXPECT_EQ(code_of(TlsServerContext::make(options)), Errc::bad_certificate);
  options = server_options();
  options.key_pem = "";
  EXPECT_EQ(code_of(TlsServerContext::make(options)), Errc::bad_key);
  options = server_options({""});
  EXPECT_EQ(code_of(TlsServerContext::make(options)), Errc::bad_argument);
}

// --- records of planned sizes

/// Alternating plans records of two sizes in turn.
class Alternating final : public RecordPlan {
 public:
  explicit Alternating(std::vector<std::size_t>& wrote) : wrote_{wrote} {}
  std::size_t next(Instant) override { return ++count_ % 2 == 1 ? 1'000 : 16'384; }
  void wrote(std::size_t bytes) override { wrote_.push_back(bytes); }

 private:
  std::vector<std::size_t>& wrote_;
  std::size_t count_ = 0;
};

TEST(TlsRecords, AreCutAsPlanned) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    std::vector<std::size_t> records, wrote;
    Session session;
    Plan plan;
    plan.opaque = true;
    plan.records = &records;
    co_await open(core, session, plan);
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    records.clear();
    (*session.server)->shape_records(std::make_unique<Alternating>(wrote));
    const auto data = pattern(200'000);
    Nursery nursery{core};
    nursery.spawn([&]() -> asio::awaitable<void> {
      const auto written = co_await (*session.server)->write_all(data);
      EXPECT_TRUE(written.has_value());
    });
    const auto got = co_await read_exactly(**session.client, data.size());
    EXPECT_EQ(got, data);
    co_await nursery.join();
    EXPECT_EQ(records, wrote);
    EXPECT_EQ(wrote.size(), 24U);
    for (std::size_t i = 0; i + 1 < wrote.size(); ++i) EXPECT_EQ(wrote[i], i % 2 == 0 ? 1'000U : 16'384U);
    EXPECT_EQ(wrote.back(), 200'000U - 11 * 17'384U - 1'000U);
  });
}

TEST(TlsRecords, LeaveBehindWhatIsTooShort) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    std::vector<std::size_t> wrote;
    Session session;
    co_await open(core, session);
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    auto& server = **session.server;
    server.shape_records(std::make_unique<Alternating>(wrote));
    const auto data = pattern(18'434);
    const auto first = co_await server.write_whole(ByteView{data}.first(18'000));
    EXPECT_EQ(value_of(first), 17'384U);
    const auto none = co_await server.write_whole(ByteView{data}.subspan(17'384, 999));
    EXPECT_EQ(value_of(none, std::size_t{9}), 0U);
    const auto rest = co_await server.write_whole(ByteView{data}.subspan(17'384));
    EXPECT_EQ(value_of(rest), 1'000U) << "the size once drawn is kept";
    const auto last = co_await server.write_all(ByteView{data}.subspan(18'384));
    EXPECT_TRUE(last.has_value());
    const auto got = co_await read_exactly(**session.client, data.size());
    EXPECT_EQ(got, data);
    EXPECT_EQ(wrote, (std::vector<std::size_t>{1'000, 16'384, 1'000, 50}));
  });
}

TEST(TlsRecords, WithoutAPlanEverythingIsWritten) {
  OneCore one;
  one.run([](Core& core) -> asio::awaitable<void> {
    Session session;
    co_await open(core, session);
    EXPECT_TRUE(session.both());
    if (!session.both()) co_return;
    const auto data = pattern(70'000);
    const auto written = co_await (*session.server)->write_whole(data);
    EXPECT_EQ(value_of(written), data.size());
    const auto got = co_await read_exactly(**session.client, data.size());
    EXPECT_EQ(got, data);
  });
}

}  // namespace
}  // namespace village::net
