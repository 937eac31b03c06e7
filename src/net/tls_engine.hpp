#pragma once
// TlsEngine: an SSL object between two places for ciphertext. Never waits; says what it waits for.
//
// OpenSSL reads ciphertext straight from the socket (64 KiB at a time, read-ahead) or, over another kind of
// stream, from `incoming`; what it writes gathers in `outgoing`, so that many records leave by one system
// call.
#include <memory>
#include <optional>
#include <string_view>

#include "net/relay_memory.hpp"
#include "net/tls_handle.hpp"
#include "village/net/limits.hpp"
#include "village/net/record_plan.hpp"
#include "village/net/socket_stream.hpp"

namespace village::net {

class TlsEngine final : public TlsVerifier {
 public:
  enum class Want { nothing, ciphertext };

  /// Reads from `socket` if given. The context is kept alive by the SSL object.
  TlsEngine(SSL_CTX* context, SocketStream* socket);
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  /// be_client names the server to call and what it must show.
  Result<void> be_client(const TlsServerName& server, WallTime now);
  void be_server();

  /// handshake goes on with it: nothing = done.
  Result<Want> handshake();
  /// read decrypts what is there: 0 bytes and `nothing` = the peer finished (close_notify).
  struct Read {
    std::size_t size;
    Want want;
  };
  Result<Read> read(ByteSpan out);
  /// write encrypts the first bytes of `in` into `outgoing`, which must be empty, and returns how many (not
  /// 0).
  Result<std::size_t> write(ByteView in, Instant now);
  /// set_plan sets the sizes of records to come; null = the engine's own.
  void set_plan(std::unique_ptr<RecordPlan> plan);
  /// write_whole is write() for a caller that has more: a piece too short for its record stays behind, so 0
  /// is possible. Everything is written where there is no plan.
  Result<std::size_t> write_whole(ByteView in, Instant now);
  void use_whole_records(bool whole) { whole_records_ = whole; }
  /// finish writes our close_notify.
  void finish();
  /// has_pending tells whether bytes are inside that no read has taken.
  bool has_pending() const;

  /// outgoing is ciphertext to be sent, in order.
  ByteView outgoing() const { return outgoing_.span().first(outgoing_size_); }
  /// take_outgoing hands it over, and its memory.
  RelayBuffer take_outgoing(std::size_t& size);
  /// sent drops the first `size` bytes.
  void sent(std::size_t size);
  /// incoming is where ciphertext of a stream that is no socket is put; call received() then.
  ByteSpan incoming();
  void received(std::size_t size);  ///< 0 = the stream ended

  SSL* ssl() const { return ssl_.get(); }
  std::string_view alpn() const;  ///< what was agreed; empty = none
  Result<void> verify(const std::vector<Bytes>& chain_der) override;

 private:
  static const BIO_METHOD* bio_method();
  static int bio_write(BIO* bio, const char* bytes, int size);
  static int bio_read(BIO* bio, char* out, int size);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  int read_ciphertext(ByteSpan out, BIO* bio);
  bool write_ciphertext(ByteView in);
  /// What one write takes: its records, headers and tags included, fit one batch.
  static constexpr std::size_t write_bytes_max = limits::tls_batch_bytes - 1024;
  Error failure(int result);
  void set_record_size(std::size_t bytes);
  Result<std::size_t> write_planned(ByteView in, Instant now, bool whole);

  SslHandle ssl_;
  SocketStream* socket_;
  RelayBuffer outgoing_;
  std::size_t outgoing_size_ = 0;
  RelayBuffer incoming_;
  std::size_t incoming_begin_ = 0;
  std::size_t incoming_end_ = 0;
  bool ended_ = false;                ///< the stream below ended
  std::optional<Error> below_;        ///< the stream below failed
  std::optional<Error> certificate_;  ///< the chain was refused
  crypto::Trust trust_;
  WallTime now_{};
  Instant last_write_{};
  std::size_t warm_bytes_ = 0;  ///< written since the last idle time
  std::size_t record_bytes_ = limits::tls_record_bytes;
  std::unique_ptr<RecordPlan> plan_;
  std::size_t planned_ = 0;  ///< size drawn for the next record, not yet used; 0 = none
  bool whole_records_ = false;
};

}  // namespace village::net
