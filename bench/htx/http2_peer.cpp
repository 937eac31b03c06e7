#include "http2_peer.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "village/crypto/certificate.hpp"
#include "village/net/clock.hpp"

namespace village::bench {
namespace {

// The fastest of the settings tried (output_buffers from 2 x 32k to 4 x 2m, http2_chunk_size 8k to 1m,
// sndbuf): large output buffers save reads, TLS records of 16 KiB are the largest there are.
std::string nginx_text(const std::string& folder, std::uint16_t port) {
  return "daemon off; master_process off; pid " + folder + "/nginx.pid; error_log " + folder +
         "/nginx.log crit; worker_processes 1;\nevents { worker_connections 64; }\n"
         "http { access_log off; sendfile on; tcp_nodelay on; tcp_nopush on; output_buffers 2 1m;\n"
         " client_body_temp_path " +
         folder + "/t1; proxy_temp_path " + folder + "/t2; fastcgi_temp_path " + folder +
         "/t3; uwsgi_temp_path " + folder + "/t4; scgi_temp_path " + folder +
         "/t5;\n"
         " server { listen 127.0.0.1:" +
         std::to_string(port) +
         " ssl http2; ssl_protocols TLSv1.3;\n"
         "  ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384; ssl_buffer_size 16k; http2_chunk_size "
         "64k;\n"
         "  ssl_certificate " +
         folder + "/certificate.pem; ssl_certificate_key " + folder + "/certificate.key; root " + folder +
         "; } }\n";
}

void write(const std::string& path, const std::string& text) {
  std::ofstream out{path};
  out << text;
  must(static_cast<bool>(out.flush()), "cannot write a file of the peer");
}

std::string program(const char* name) {
  for (const char* folder : {"/usr/local/sbin/", "/usr/sbin/", "/usr/local/bin/", "/usr/bin/"}) {
    const auto path = std::string{folder} + name;
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  must(pipe != nullptr, "cannot run h2load");
  char block[4096];
  while (const auto got = std::fread(block, 1, sizeof block, pipe)) text.append(block, got);
  must(::pclose(pipe) == 0, "h2load failed");
  return text;
}

/// seconds reads h2load's "finished in 731.79ms,".
double seconds(const std::string& text) {
  const std::string mark = "finished in ";
  const auto at = text.find(mark);
  must(at != std::string::npos, "h2load says nothing");
  char* unit = nullptr;
  const double value = std::strtod(text.c_str() + at + mark.size(), &unit);
  if (unit[0] == 'u') return value * 1e-6;
  return unit[0] == 'm' ? value * 1e-3 : value;
}

}  // namespace

std::optional<std::string> Http2Peer::missing(Kind kind) {
  const char* server = kind == Kind::nginx ? "nginx" : "nghttpd";
  if (program(server).empty()) return std::string{server} + " is not installed (install-deps.sh --bench)";
  if (program("h2load").empty()) return "h2load is not installed (install-deps.sh --bench)";
  return std::nullopt;
}

Http2Peer::Http2Peer(Kind kind, const ContentFile& content) : kind_{kind}, content_{content} {
  const auto& folder = content.folder();
  const auto certificate = crypto::make_self_signed("localhost", net::SystemClock{}.wall(), 10);
  must(certificate.has_value(), "no certificate");
  write(folder + "/certificate.pem", certificate->certificate_pem);
  write(folder + "/certificate.key", certificate->key_pem);
  port_ = listen_tcp({""}).second;
  if (kind == Kind::nginx) {
    write(folder + "/nginx.conf", nginx_text(folder, port_));
    server_.emplace(Child::spawn({program("nginx"), "-p", folder, "-c", folder + "/nginx.conf"}));
  } else {
    server_.emplace(Child::spawn({program("nghttpd"), "-d", folder, std::to_string(port_),
                                  folder + "/certificate.key", folder + "/certificate.pem"}));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds{300});
}

double Http2Peer::rate() const {
  const auto text =
      output_of(program("h2load") + " -n1 -c1 -m1 -w30 -W30 https://127.0.0.1:" + std::to_string(port_) +
                "/" + content_.name());
  must(text.find("1 succeeded") != std::string::npos, "h2load did not succeed");
  must(text.find("(" + std::to_string(content_.view().size()) + ") data") != std::string::npos,
       "h2load got another size");
  must(text.find("Cipher: TLS_AES_256_GCM_SHA384") != std::string::npos, "h2load agreed on another suite");
  return static_cast<double>(content_.view().size()) / seconds(text);
}

}  // namespace village::bench
