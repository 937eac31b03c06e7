#pragma once
// TLS over any stream, by OpenSSL. Contexts are shared by all cores; a TlsStream lives on one.
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "village/base/bytes.hpp"
#include "village/crypto/certificate.hpp"
#include "village/crypto/secret.hpp"
#include "village/net/core.hpp"
#include "village/net/stream.hpp"

namespace village::net {

enum class TlsVersion : std::uint16_t { v1_0 = 0x0301, v1_1 = 0x0302, v1_2 = 0x0303, v1_3 = 0x0304 };

/// TlsServerStyle says how a server's side looks to whoever probes it. `web` is Debian's nginx, setting for
/// setting: it owns to every server name, gives sessions out for resumption, keeps the server's order of
/// ciphers and the library's answer to renegotiation.
enum class TlsServerStyle : std::uint8_t { own, web };

struct TlsServerOptions {
  std::string certificate_pem;  ///< leaf first, then the chain
  std::string key_pem;
  std::vector<std::string>
      alpn;  ///< in order of preference; empty = ALPN is ignored. No overlap: the hello is refused
  TlsVersion version_min = TlsVersion::v1_3;
  TlsServerStyle style = TlsServerStyle::own;
  /// Keys of session tickets, so that any of several contexts takes what another gave out; null = random.
  std::shared_ptr<const crypto::Secret<80>> resumption;
};

/// TlsServerContext holds certificate, key and settings. Any thread.
class TlsServerContext {
 public:
  /// Errors: bad_certificate, bad_key (also when they do not belong together), bad_argument.
  static Result<std::shared_ptr<TlsServerContext>> make(const TlsServerOptions& options);
  ~TlsServerContext();
  /// reload replaces certificate and key for connections to come; on error the old ones stay.
  Result<void> reload(std::string_view certificate_pem, std::string_view key_pem);

  struct State;
  State& state() { return *state_; }

 private:
  explicit TlsServerContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct TlsClientOptions {
  std::vector<std::string> alpn;
  TlsVersion version_min = TlsVersion::v1_3;
};

/// TlsClientContext holds a client's settings. Any thread.
class TlsClientContext {
 public:
  static Result<std::shared_ptr<TlsClientContext>> make(const TlsClientOptions& options);
  ~TlsClientContext();

  struct State;
  State& state() { return *state_; }

 private:
  explicit TlsClientContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// TlsServerName says whom the client calls and what it trusts.
struct TlsServerName {
  std::string sni;      ///< sent in the hello; empty = none (also when it is an address)
  crypto::Trust trust;  ///< with a pin only the pin counts; else chain, trust.name and date
};

/// TlsStream reads and writes up to 128 KiB of ciphertext with one system call. read_some gives 0 only after
/// the peer's close_notify; a FIN without one is `truncated`. shutdown_write sends close_notify and FIN.
/// Memory: OpenSSL's own (about 30 KiB), a read buffer of 64 KiB and a write buffer up to 128 KiB, both only
/// while in use.
class TlsStream final : public Stream {
 public:
  /// connect performs the client's handshake. Takes the stream; it is closed on failure.
  /// Errors: bad_certificate (detail X509_V_ERR_*), protocol (detail = alert received), version, timed_out,
  /// reset, truncated, cancelled.
  static Task<std::unique_ptr<TlsStream>> connect(Core& core, StreamPtr under,
                                                  std::shared_ptr<TlsClientContext> context,
                                                  TlsServerName server, Instant deadline);
  /// AcceptHooks let a server's owner follow a handshake.
  struct AcceptHooks {
    std::function<Task<void>()> turn;  ///< awaited before each step, so that steps can be put in order
    /// Told after each flight of ours but the last; `alpn` is what was agreed, empty = none.
    std::function<void(std::string_view alpn)> waiting;
  };
  /// accept performs the server's handshake.
  static Task<std::unique_ptr<TlsStream>> accept(Core& core, StreamPtr under,
                                                 std::shared_ptr<TlsServerContext> context, Instant deadline,
                                                 AcceptHooks hooks = {});
  ~TlsStream() override;

  Task<std::size_t> read_some(ByteSpan out) override;
  Task<void> write_all(ByteView in) override;
  Task<std::size_t> write_whole(ByteView in) override;
  void shape_records(std::unique_ptr<RecordPlan> plan) override;
  Task<void> shutdown_write() override;
  void close() noexcept override;
  Task<void> wait_readable() override;
  std::optional<Target> local() const override;

  /// finish_silently ends our side with a FIN alone, as a server that has lost patience does.
  Task<void> finish_silently();
  /// reset gives the stream up with RST (if it runs over TCP).
  void reset() noexcept;
  /// use_whole_records makes records of 16 KiB from the start, as web servers do; else they begin small after
  /// idle times.
  void use_whole_records(bool whole);

  /// exporter fills `out` with keying material (RFC 8446 7.5, RFC 5705); both ends get the same for the same
  /// label and context.
  Result<void> exporter(std::string_view label, ByteView context, ByteSpan out) const;
  /// alpn is what was agreed; empty = none.
  std::string_view alpn() const;
  TlsVersion version() const;
  std::string_view cipher() const;  ///< "TLS_AES_128_GCM_SHA256"
  /// peer_pin is SHA-256 of the peer's SubjectPublicKeyInfo; absent if it showed no certificate.
  std::optional<crypto::SpkiPin> peer_pin() const;

 private:
  struct State;
  explicit TlsStream(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  ///< shared with operations under way, which may end after the stream
};

}  // namespace village::net
