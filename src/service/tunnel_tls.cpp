#include "service/tunnel_tls.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <utility>

namespace village::service {
namespace {

Result<std::string> read_text(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad()) return fail(Errc::io, static_cast<std::uint64_t>(errno));
  return text;
}

}  // namespace

Result<std::shared_ptr<net::TlsServerContext>> make_listener_tls(const TunnelListen& listen,
                                                                 ListenerTlsStyle style) {
  net::TlsServerOptions options;
  VG_TRY(certificate, read_text(listen.certificate_pem_path));
  options.certificate_pem = std::move(certificate);
  VG_TRY(key, read_text(listen.key_pem_path));
  options.key_pem = std::move(key);
  options.alpn = {"http/1.1"};
  if (style.as_web_server) {  // what nginx offers, with and without http2
    options.alpn = {"http/1.1", "http/1.0", "http/0.9"};
    if (style.http2) options.alpn.insert(options.alpn.begin(), "h2");
    options.version_min = net::TlsVersion::v1_0;
    options.style = net::TlsServerStyle::web;
    options.resumption = std::move(style.resumption);
  }
  auto made = net::TlsServerContext::make(options);
  crypto::wipe(ByteSpan{reinterpret_cast<std::byte*>(options.key_pem.data()), options.key_pem.size()});
  return made;
}

}  // namespace village::service
