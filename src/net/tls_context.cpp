#include <openssl/err.h>
#include <openssl/pem.h>

#include "net/tls_handle.hpp"
#include "village/crypto/aead.hpp"
#include "village/net/limits.hpp"

namespace village::net {
namespace {

/// QuietErrors leaves this thread's OpenSSL error queue empty: SSL_get_error reads stale entries as new ones.
struct QuietErrors {
  QuietErrors() = default;
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
  ~QuietErrors() { ERR_clear_error(); }
};

Result<Bytes> alpn_wire(const std::vector<std::string>& names) {
  Bytes wire;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255) return fail(Errc::bad_argument);
    wire.push_back(static_cast<std::byte>(name.size()));
    const auto bytes = as_bytes(name);
    wire.insert(wire.end(), bytes.begin(), bytes.end());
  }
  return wire;
}

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method, TlsVersion version_min) {
  std::shared_ptr<SSL_CTX> context{SSL_CTX_new(method), SSL_CTX_free};
  if (!context) return nullptr;
  auto* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, static_cast<int>(version_min));
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_default_read_buffer_len(raw, limits::tls_read_bytes);
  return context;
}

/// The order of Chromium: AES-128 first where the CPU has AES, ChaCha20 first elsewhere.
void set_client_suites(SSL_CTX* context) {
  SSL_CTX_set_ciphersuites(
      context, crypto::aes_is_fast()
                   ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
                   : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384");
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                unsigned int offered_size, void* argument) {
  const auto& state = *static_cast<TlsServerContext::State*>(argument);
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, octets(state.alpn),
                            static_cast<unsigned int>(state.alpn.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 section 3.2: no_application_protocol
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int verify_chain_callback(X509_STORE_CTX* store, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* verifier = static_cast<TlsVerifier*>(SSL_get_app_data(ssl));
  std::vector<Bytes> chain;
  auto* shown = X509_STORE_CTX_get0_untrusted(store);
  for (int i = 0; i < sk_X509_num(shown); ++i) chain.push_back(to_der(sk_X509_value(shown, i)));
  const auto verdict = verifier->verify(chain);
  if (verdict.has_value()) return 1;
  const auto& error = verdict.error();
  X509_STORE_CTX_set_error(store, error.code == Errc::bad_certificate && error.detail != 0
                                      ? static_cast<int>(error.detail)
                                      : X509_V_ERR_UNSPECIFIED);
  return 0;
}

Result<void> load_identity(SSL_CTX* context, std::string_view certificate_pem, std::string_view key_pem) {
  const BioHandle certificates{
      BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size()))};
  const X509Handle leaf{PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)};
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return fail(Errc::bad_certificate);
  while (X509* next = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    X509Handle owned{next};
    if (SSL_CTX_add0_chain_cert(context, next) != 1) return fail(Errc::bad_certificate);
    (void)owned.release();
  }
  const BioHandle keys{BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()))};
  // No password prompt: an encrypted key is an unusable one.
  const PkeyHandle key{PEM_read_bio_PrivateKey(
      keys.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr)};
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) return fail(Errc::bad_key);
  if (SSL_CTX_check_private_key(context) != 1) return fail(Errc::bad_key);
  return ok();
}

int own_to_any_name(SSL*, int*, void*) { return SSL_TLSEXT_ERR_OK; }

/// What Debian's nginx 1.22 sets, where it can be seen from outside: ngx_ssl_create, ngx_ssl_ciphers and
/// ngx_ssl_session_cache of its event module, with the defaults of Debian's nginx.conf.
Result<void> dress_as_web_server(SSL_CTX* context) {
  SSL_CTX_clear_options(context, SSL_OP_NO_RENEGOTIATION);  // the library's default refuses it in its own way
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE |
                                   SSL_OP_NO_ANTI_REPLAY | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  if (SSL_CTX_set_cipher_list(context, "HIGH:!aNULL:!MD5") != 1) return fail(Errc::internal);
  // Without the callback the server_name extension is not acknowledged: four bytes of the first flight.
  SSL_CTX_callback_ctrl(context, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                        reinterpret_cast<void (*)()>(own_to_any_name));
  SSL_CTX_set_session_cache_mode(
      context, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_AUTO_CLEAR | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_cache_size(context, 1);
  SSL_CTX_set_timeout(context, 300);
  // Of SHA-1's size, for it stands in every ticket and makes up its length; who resumes is told by the keys.
  constexpr unsigned char session_context[20] = {'H', 'T', 'T', 'P'};
  if (SSL_CTX_set_session_id_context(context, session_context, sizeof session_context) != 1)
    return fail(Errc::internal);
  return ok();
}

Result<std::shared_ptr<SSL_CTX>> server_context(TlsServerContext::State& state,
                                                std::string_view certificate_pem, std::string_view key_pem) {
  const QuietErrors quiet;
  auto context = new_context(TLS_server_method(), state.options.version_min);
  if (!context) return fail(Errc::internal);
  if (state.options.style == TlsServerStyle::web) {
    VG_TRY_VOID(dress_as_web_server(context.get()));
  } else {
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  }
  if (const auto& keys = state.options.resumption) {
    auto copy = keys->clone();
    if (SSL_CTX_ctrl(context.get(), SSL_CTRL_SET_TLSEXT_TICKET_KEYS, static_cast<long>(copy.size),
                     copy.fill().data()) != 1)
      return fail(Errc::internal);
  }
  if (!state.alpn.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_alpn, &state);
  VG_TRY_VOID(load_identity(context.get(), certificate_pem, key_pem));
  return context;
}

}  // namespace

Bytes to_der(X509* certificate) {
  unsigned char* raw = nullptr;
  const int size = i2d_X509(certificate, &raw);
  if (size <= 0) return {};
  auto der = to_bytes(as_bytes(raw, static_cast<std::size_t>(size)));
  OPENSSL_free(raw);
  return der;
}

TlsServerContext::TlsServerContext(std::unique_ptr<State> state) : state_{std::move(state)} {}
TlsServerContext::~TlsServerContext() = default;

Result<std::shared_ptr<TlsServerContext>> TlsServerContext::make(const TlsServerOptions& options) {
  auto state = std::make_unique<State>();
  state->options.alpn = options.alpn;
  state->options.version_min = options.version_min;
  state->options.style = options.style;
  state->options.resumption = options.resumption;
  VG_TRY(alpn, alpn_wire(options.alpn));
  state->alpn = std::move(alpn);
  VG_TRY(context, server_context(*state, options.certificate_pem, options.key_pem));
  state->context = std::move(context);
  return std::shared_ptr<TlsServerContext>{new TlsServerContext{std::move(state)}};
}

Result<void> TlsServerContext::reload(std::string_view certificate_pem, std::string_view key_pem) {
  VG_TRY(context, server_context(*state_, certificate_pem, key_pem));
  const std::lock_guard lock{state_->mutex};
  state_->context = std::move(context);
  return ok();
}

TlsClientContext::TlsClientContext(std::unique_ptr<State> state) : state_{std::move(state)} {}
TlsClientContext::~TlsClientContext() = default;

Result<std::shared_ptr<TlsClientContext>> TlsClientContext::make(const TlsClientOptions& options) {
  const QuietErrors quiet;
  auto state = std::make_unique<State>();
  state->context = new_context(TLS_client_method(), options.version_min);
  if (!state->context) return fail(Errc::internal);
  auto* context = state->context.get();
  set_client_suites(context);
  VG_TRY(alpn, alpn_wire(options.alpn));
  if (!alpn.empty() &&
      SSL_CTX_set_alpn_protos(context, octets(ByteView{alpn}), static_cast<unsigned int>(alpn.size())) != 0) {
    return fail(Errc::internal);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify_chain_callback, nullptr);
  return std::shared_ptr<TlsClientContext>{new TlsClientContext{std::move(state)}};
}

}  // namespace village::net
