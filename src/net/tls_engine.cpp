#include "net/tls_engine.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>

#include "village/base/check.hpp"

namespace village::net {
namespace {

constexpr int alert_protocol_version = 70;

TlsEngine* engine_of(BIO* bio) { return static_cast<TlsEngine*>(BIO_get_data(bio)); }

}  // namespace

const BIO_METHOD* TlsEngine::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "village stream");
    BIO_meth_set_write(made, &TlsEngine::bio_write);
    BIO_meth_set_read(made, &TlsEngine::bio_read);
    BIO_meth_set_ctrl(made, &TlsEngine::bio_control);
    return made;
  }();
  return method;
}

int TlsEngine::bio_write(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const auto in = as_bytes(std::string_view{bytes, static_cast<std::size_t>(size)});
  return engine_of(bio)->write_ciphertext(in) ? size : -1;
}

int TlsEngine::bio_read(BIO* bio, char* out, int size) {
  BIO_clear_retry_flags(bio);
  return engine_of(bio)->read_ciphertext({reinterpret_cast<std::byte*>(out), static_cast<std::size_t>(size)},
                                         bio);
}

long TlsEngine::bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return engine_of(bio)->ended_ ? 1 : 0;
  return 0;
}

int TlsEngine::read_ciphertext(ByteSpan out, BIO* bio) {
  if (incoming_begin_ < incoming_end_) {
    const auto size = std::min(out.size(), incoming_end_ - incoming_begin_);
    std::memcpy(out.data(), incoming_.span().data() + incoming_begin_, size);
    incoming_begin_ += size;
    return static_cast<int>(size);
  }
  if (ended_) return 0;
  if (socket_ != nullptr) {
    const auto got = socket_->try_read(out);
    if (got.has_value()) {
      ended_ = *got == 0;
      return static_cast<int>(*got);
    }
    if (got.error().code != Errc::busy) {
      below_ = got.error();
      return -1;
    }
  }
  BIO_set_retry_read(bio);
  return -1;
}

bool TlsEngine::write_ciphertext(ByteView in) {
  if (outgoing_.span().empty()) outgoing_ = RelayBuffer::take_exactly(limits::tls_batch_bytes);
  const auto room = outgoing_.span().subspan(outgoing_size_);
  if (in.size() > room.size()) return false;  // a peer that asks for answers and does not read them
  std::memcpy(room.data(), in.data(), in.size());
  outgoing_size_ += in.size();
  return true;
}

TlsEngine::TlsEngine(SSL_CTX* context, SocketStream* socket) : ssl_{SSL_new(context)}, socket_{socket} {
  VG_CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(bio_method());
  VG_CHECK(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_ex_data(ssl_.get(), 0, static_cast<TlsVerifier*>(this));
}

Result<void> TlsEngine::be_client(const TlsServerName& server, WallTime now) {
  trust_ = server.trust;
  now_ = now;
  // The macro SSL_set_tlsext_host_name has a cast that we do not allow ourselves.
  auto* sni = const_cast<char*>(server.sni.c_str());
  if (!server.sni.empty() &&
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, sni) != 1) {
    ERR_clear_error();
    return fail(Errc::bad_argument);
  }
  SSL_set_connect_state(ssl_.get());
  return ok();
}

void TlsEngine::be_server() { SSL_set_accept_state(ssl_.get()); }

Result<void> TlsEngine::verify(const std::vector<Bytes>& chain_der) {
  auto verdict = crypto::verify_chain(chain_der, trust_, now_);
  if (verdict.has_error())
    certificate_ =
        fail(Errc::bad_certificate,
             verdict.error().code == Errc::bad_certificate ? verdict.error().detail : X509_V_ERR_UNSPECIFIED);
  return verdict;
}

Result<TlsEngine::Want> TlsEngine::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Want::nothing;
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return Want::ciphertext;
  return failure(result);
}

Result<TlsEngine::Read> TlsEngine::read(ByteSpan out) {
  std::size_t size = 0;
  while (size < out.size() && (size == 0 || SSL_has_pending(ssl_.get()) == 1)) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl_.get(), out.data() + size, out.size() - size, &got);
    if (result == 1) {
      size += got;
      continue;
    }
    if (size > 0) break;  // the bytes first; the error comes again
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        return Read{0, Want::ciphertext};
      case SSL_ERROR_ZERO_RETURN:
        if (ended_) return fail(Errc::truncated);  // no close_notify; the context only says nothing about it
        return Read{0, Want::nothing};
      default:
        return failure(result);
    }
  }
  if (incoming_begin_ == incoming_end_) incoming_ = RelayBuffer{};
  return Read{size, Want::nothing};
}

void TlsEngine::set_record_size(std::size_t bytes) {
  if (record_bytes_ == bytes) return;
  record_bytes_ = bytes;
  SSL_set_max_send_fragment(ssl_.get(), static_cast<long>(bytes));
  SSL_set_split_send_fragment(ssl_.get(), static_cast<long>(bytes));
}

// Records that fit a segment after an idle time let the peer decrypt what has arrived; large ones cost less.
Result<std::size_t> TlsEngine::write(ByteView in, Instant now) {
  if (plan_) return write_planned(in, now, false);
  if (now - last_write_ > limits::tls_idle) warm_bytes_ = 0;
  last_write_ = now;
  const bool warm = whole_records_ || warm_bytes_ >= limits::tls_first_bytes;
  set_record_size(warm ? limits::tls_record_bytes : limits::tls_first_record_bytes);
  const auto piece =
      in.first(std::min(in.size(), warm ? write_bytes_max : limits::tls_first_bytes - warm_bytes_));
  warm_bytes_ += piece.size();
  ERR_clear_error();
  std::size_t written = 0;
  const int result = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written);
  if (result != 1) return failure(result);
  VG_CHECK(written == piece.size());
  return written;
}

void TlsEngine::set_plan(std::unique_ptr<RecordPlan> plan) {
  plan_ = std::move(plan);
  planned_ = 0;
  set_record_size(limits::tls_record_bytes);
}

Result<std::size_t> TlsEngine::write_whole(ByteView in, Instant now) {
  return plan_ ? write_planned(in, now, true) : write(in, now);
}

// One SSL_write for each record, many records in one batch. A size once drawn is used, whatever becomes of
// the write it was drawn for: drawing again would favour small ones.
Result<std::size_t> TlsEngine::write_planned(ByteView in, Instant now, bool whole) {
  constexpr std::size_t overhead = 64;  // header, content type and tag: 22 with TLS 1.3
  std::size_t used = 0;
  while (used < in.size()) {
    if (planned_ == 0) planned_ = std::clamp<std::size_t>(plan_->next(now), 1, limits::tls_record_bytes);
    if (outgoing_size_ + planned_ + overhead > limits::tls_batch_bytes) break;
    if (whole && in.size() - used < planned_) break;
    const auto piece = in.subspan(used, std::min(planned_, in.size() - used));
    ERR_clear_error();
    std::size_t written = 0;
    const int result = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &written);
    if (result != 1) return failure(result);
    VG_CHECK(written == piece.size());
    plan_->wrote(written);
    planned_ = 0;
    used += written;
  }
  return used;
}

void TlsEngine::finish() {
  ERR_clear_error();
  (void)SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

std::string_view TlsEngine::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return as_text(as_bytes(name, size));
}

bool TlsEngine::has_pending() const {
  return incoming_begin_ < incoming_end_ || SSL_has_pending(ssl_.get()) == 1;
}

RelayBuffer TlsEngine::take_outgoing(std::size_t& size) {
  size = std::exchange(outgoing_size_, 0);
  RelayBuffer taken;
  std::swap(taken, outgoing_);
  return taken;
}

void TlsEngine::sent(std::size_t size) {
  const auto rest = outgoing_.span().subspan(size, outgoing_size_ - size);
  std::memmove(outgoing_.span().data(), rest.data(), rest.size());
  outgoing_size_ = rest.size();
  if (outgoing_size_ == 0) outgoing_ = RelayBuffer{};
}

ByteSpan TlsEngine::incoming() {
  VG_CHECK(incoming_begin_ == incoming_end_);
  incoming_begin_ = incoming_end_ = 0;
  if (incoming_.span().empty()) incoming_ = RelayBuffer::take_exactly(limits::tls_read_bytes);
  return incoming_.span();
}

void TlsEngine::received(std::size_t size) {
  incoming_end_ = size;
  ended_ = size == 0;
}

Error TlsEngine::failure(int result) {
  const int kind = SSL_get_error(ssl_.get(), result);
  const auto code = ERR_peek_error();
  ERR_clear_error();
  if (certificate_) return *certificate_;
  if (below_) return *below_;
  if (ended_) return fail(Errc::truncated);  // FIN without close_notify: somebody may have cut it off
  if (kind != SSL_ERROR_SSL) return fail(Errc::protocol);
  const int reason = ERR_GET_REASON(code);
  if (reason > SSL_AD_REASON_OFFSET) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    return fail(alert == alert_protocol_version ? Errc::version : Errc::protocol,
                static_cast<std::uint64_t>(alert));
  }
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return fail(Errc::version);
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
      return fail(Errc::bad_tag);
    default:
      return fail(Errc::protocol, static_cast<std::uint64_t>(reason));
  }
}

}  // namespace village::net
