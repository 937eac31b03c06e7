// The section `htx`.
#include "control/config_table.hpp"
#include "control/scalar_shapes.hpp"

namespace village::control {
namespace {

using service::ExitOptions;
using service::Outer;
using service::TunnelListen;
using service::TunnelOptions;
using service::TunnelPeer;

Shape<Outer> outer() { return choice<Outer>({{"tls", Outer::tls}, {"none", Outer::none}}); }

Shape<TunnelListen> listen_entry() {
  return object<TunnelListen>({
      field({.name = "address", .required = true, .doc = "IP address and port where peers come in"},
            &TunnelListen::address, address(true)),
      field({.name = "outer",
             .doc = "What the session is wrapped in: \"tls\", or \"none\" for tests and trusted networks"},
            &TunnelListen::outer, outer()),
      field({.name = "certificate",
             .reload = Reload::new_sessions,
             .doc = "PEM file with the certificate chain, leaf first; needed with outer \"tls\""},
            &TunnelListen::certificate_pem_path, optional_path()),
      field({.name = "key",
             .reload = Reload::new_sessions,
             .doc = "PEM file with the certificate's private key; needed with outer \"tls\""},
            &TunnelListen::key_pem_path, optional_path()),
  });
}

Shape<std::string> upgrade_path() {
  return scalar<std::string>(
      "a path such as \"/ws\": letters, digits and -_.~ between slashes", Json{{"type", "string"}},
      [](const Json& value, Hint&) -> std::optional<std::string> {
        if (!value.is_string() || !proxy::is_upgrade_path(value.get<std::string>())) return std::nullopt;
        return value.get<std::string>();
      },
      [](const std::string& path) { return Json(path); });
}

Shape<std::string> cookie_name() {
  return scalar<std::string>(
      "the name of a cookie, such as \"__Host-sid\"", Json{{"type", "string"}},
      [](const Json& value, Hint&) -> std::optional<std::string> {
        if (!value.is_string() || !proxy::is_cookie_name(value.get<std::string>())) return std::nullopt;
        return value.get<std::string>();
      },
      [](const std::string& name) { return Json(name); });
}

Shape<proxy::UpgradePlace> upgrade_section() {
  using proxy::UpgradePlace;
  return object<UpgradePlace>({
      field({.name = "path",
             .reload = Reload::live,
             .doc = "Path of the WebSocket that a way in asks for; one of the site's own that is not used"},
            &UpgradePlace::path, upgrade_path()),
      field({.name = "cookie", .reload = Reload::live, .doc = "Name of the cookie that carries the ticket"},
            &UpgradePlace::cookie, cookie_name()),
  });
}

Shape<service::DecoyOptions> decoy_section() {
  using service::DecoyOptions;
  constexpr auto live = Reload::live;
  return object<DecoyOptions>({
      field({.name = "origin",
             .reload = live,
             .doc = "Web server, HTTP/1.1 without TLS, that strangers see; null = none"},
            &DecoyOptions::origin, nullable(address(false))),
      field({.name = "origin_h2",
             .reload = live,
             .doc = "The same for HTTP/2 without TLS (prior knowledge); null = HTTP/2 is not offered"},
            &DecoyOptions::origin_h2, nullable(address(false))),
      field({.name = "origin_plain",
             .reload = live,
             .doc = "Where connections go that do not begin with TLS: the web server's own TLS port, or one "
                    "with \"return 497\"; null = they are closed"},
            &DecoyOptions::origin_plain, nullable(address(false))),
      field({.name = "directory",
             .reload = live,
             .doc = "Without \"origin\": a folder whose files are shown, by HTTP/1.1 and h2; \"\" = none"},
            &DecoyOptions::directory, optional_path()),
      field(
          {.name = "connections_max", .reload = live, .doc = "Strangers' connections at once, on all cores"},
          &DecoyOptions::connections_max, whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "connections_share_max",
             .reload = live,
             .doc = "How many of them one network (/24 or /56) may have"},
            &DecoyOptions::connections_share_max, whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "handshakes_share_max",
             .reload = live,
             .doc = "How many of \"handshakes_max\" one network may have"},
            &DecoyOptions::handshakes_share_max, whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "tls_timeout",
             .reload = live,
             .doc = "Time for a TLS handshake; as the web server's (nginx: client_header_timeout)"},
            &DecoyOptions::tls_timeout, duration(1s, 10min)),
      field({.name = "silent_timeout",
             .reload = live,
             .doc = "Time until a WebSocket that nothing valid follows is closed, where no shape says"},
            &DecoyOptions::silent_timeout, duration(1s, 1h)),
      field({.name = "connection_timeout",
             .reload = live,
             .doc = "Hard end of a stranger's connection; sooner ends are the web server's"},
            &DecoyOptions::connection_timeout, duration(1min, 24h * 30)),
  });
}

Shape<TunnelPeer> peer_entry() {
  return object<TunnelPeer>({
      field({.name = "name",
             .reload = Reload::live,
             .required = true,
             .doc = "Your word for this peer, unique"},
            &TunnelPeer::name, label()),
      field({.name = "key",
             .reload = Reload::live,
             .required = true,
             .doc = "The peer's Ed25519 public key in base64url, from its invitation"},
            &TunnelPeer::key, public_key()),
      field({.name = "address",
             .reload = Reload::live,
             .doc = "Where to dial the peer; null = it only comes in"},
            &TunnelPeer::address, nullable(address(false))),
      field({.name = "outer",
             .reload = Reload::live,
             .doc = "What the session to it is wrapped in, \"tls\" or \"none\""},
            &TunnelPeer::outer, outer()),
      field({.name = "pin",
             .reload = Reload::live,
             .doc = "SHA-256 of the public key of the peer's certificate in base64url; null = verify by host "
                    "name"},
            &TunnelPeer::pin, nullable(pin())),
      field(
          {.name = "ticket",
           .reload = Reload::live,
           .doc = "The peer's ticket key from its invitation, to be let in by outer \"tls\"; null = it asks "
                  "for none"},
          &TunnelPeer::ticket, nullable(ticket())),
      field({.name = "suites",
             .reload = Reload::live,
             .doc = "Cipher suites in order of preference, as the peer's invitation lists them; 5 and 3 are "
                    "safe from a "
                    "later quantum computer"},
            &TunnelPeer::suites, list(suite(), 1, 8)),
      field({.name = "upgrade",
             .reload = Reload::live,
             .doc = "Where the peer expects ways in, as its invitation says"},
            &TunnelPeer::upgrade, upgrade_section()),
      field({.name = "inbound",
             .reload = Reload::live,
             .doc = "Whether this peer may come in by our \"listen\" addresses"},
            &TunnelPeer::allow_inbound, boolean()),
  });
}

Shape<ExitOptions> exit_section() {
  return object<ExitOptions>({
      field({.name = "enabled",
             .reload = Reload::new_sessions,
             .doc = "Whether peers' streams may leave from here"},
            &ExitOptions::enabled, boolean()),
      field({.name = "allow_private",
             .reload = Reload::new_sessions,
             .doc = "Whether they may reach loopback, link-local and private addresses; rarely right"},
            &ExitOptions::allow_private, boolean()),
      field({.name = "udp_associations_max",
             .reload = Reload::new_sessions,
             .doc = "UDP associations of peers, on all cores; 0 = none"},
            &ExitOptions::udp_associations_max, whole<std::uint32_t>(0, 100'000)),
      field({.name = "udp_associations_share_max",
             .reload = Reload::new_sessions,
             .doc = "How many of them one peer may have; the last quarter of all is never one peer's"},
            &ExitOptions::udp_associations_share_max, whole<std::uint32_t>(1, 100'000)),
  });
}

Shape<htx::Settings> session_section() {
  using htx::Settings;
  constexpr auto later = Reload::new_sessions;
  constexpr std::uint64_t kib = 1 << 10, mib = 1 << 20, gib = 1 << 30;
  return object<Settings>({
      field({.name = "chunk", .reload = later, .doc = "Data bytes of one frame"}, &Settings::chunk_bytes,
            size<std::uint32_t>(512, 65'498)),
      field({.name = "streams_max", .reload = later, .doc = "Streams a peer may have open in one session"},
            &Settings::peer_streams_max, whole<std::uint32_t>(1, 131'072)),
      field(
          {.name = "stream_window_start", .reload = later, .doc = "Bytes in flight offered to a new stream"},
          &Settings::stream_window_start, size<std::uint32_t>(32 * kib, 64 * mib)),
      field({.name = "stream_window_max", .reload = later, .doc = "What a stream's window may grow to"},
            &Settings::stream_window_max, size<std::uint32_t>(32 * kib, gib)),
      field({.name = "connection_window_start",
             .reload = later,
             .doc = "Bytes in flight offered to a new session"},
            &Settings::connection_window_start, size<std::uint32_t>(64 * kib, 256 * mib)),
      field({.name = "connection_window_max", .reload = later, .doc = "What a session's window may grow to"},
            &Settings::connection_window_max, size<std::uint32_t>(64 * kib, gib)),
      field({.name = "send_buffer", .reload = later, .doc = "Unsent bytes one stream may hold"},
            &Settings::send_buffer_bytes, size<std::size_t>(16 * kib, 64 * mib)),
      field(
          {.name = "ping_interval",
           .reload = later,
           .doc =
               "Silence after which the peer is asked whether it lives, where no shape says when; 0 = never"},
          &Settings::ping_interval, duration(0s, 1h)),
      field({.name = "ping_timeout",
             .reload = later,
             .doc = "A session whose peer does not answer for so long ends"},
            &Settings::ping_timeout, duration(1s, 10min)),
      field({.name = "stream_stall_max",
             .reload = later,
             .doc = "A stream that has data to send and gets no credit for so long is reset; 0 = never"},
            &Settings::stream_stall_max, duration(0s, 24h)),
      field({.name = "unread_time_max",
             .reload = later,
             .doc = "While unread data fills a session, streams not read for so long are reset; 0 = never"},
            &Settings::unread_time_max, duration(0s, 24h)),
      field({.name = "key_update_bytes", .reload = later, .doc = "Bytes after which the key changes"},
            &Settings::key_update_bytes, size<std::uint64_t>(16 * mib, 64 * gib)),
      field({.name = "key_update_frames", .reload = later, .doc = "Frames after which the key changes"},
            &Settings::key_update_frames, whole<std::uint64_t>(4'096, 1 << 24)),
      field({.name = "key_update_interval", .reload = later, .doc = "Time after which the key changes"},
            &Settings::key_update_interval, duration(1min, 24h)),
      field({.name = "rekey_interval",
             .reload = later,
             .doc = "Time between re-handshakes, which lock out a thief of the session's keys; 0 = never"},
            &Settings::rekey_interval, duration(0s, 24h)),
  });
}

}  // namespace

Shape<TunnelOptions> htx_section() {
  constexpr auto later = Reload::new_sessions;
  return object<TunnelOptions>({
      field({.name = "listen", .doc = "Addresses where peers come in"}, &TunnelOptions::listen,
            list(listen_entry(), 0, 16)),
      field({.name = "peers",
             .reload = Reload::live,
             .doc = "The nodes that this one dials or lets in; \"villaged peer add\" writes them"},
            &TunnelOptions::peers, list(peer_entry())),
      field(
          {.name = "require_pq",
           .reload = later,
           .doc =
               "Refuse suites that a later quantum computer breaks (4, 1, 2), even where a peer lists them"},
          &TunnelOptions::require_pq, boolean()),
      field({.name = "exit", .doc = "What peers may reach from here"}, &TunnelOptions::exit, exit_section()),
      field({.name = "tickets", .doc = "Access tickets: what a peer shows so that it is answered as a peer"},
            &TunnelOptions::tickets, tickets_section()),
      field({.name = "upgrade", .doc = "How peers ask for a way in, with outer \"tls\""},
            &TunnelOptions::upgrade, upgrade_section()),
      field({.name = "decoy", .doc = "What strangers see who come by a TLS address of \"listen\""},
            &TunnelOptions::decoy, decoy_section()),
      field({.name = "session", .doc = "Flow control and keys of each session"}, &TunnelOptions::session,
            session_section()),
      field(
          {.name = "shape",
           .reload = later,
           .doc = "Traffic shape of sessions with outer \"tls\": PING times, padding, record sizes. The name "
                  "of a built-in one, a file of \"villaged shape record\", or \"none\""},
          &TunnelOptions::shape, path()),
      field({.name = "inbound_sessions_max",
             .reload = later,
             .doc = "Sessions of peers that came in, on all cores"},
            &TunnelOptions::inbound_sessions_max, whole<std::uint32_t>(1, 1'000'000)),
      field({.name = "handshakes_max", .reload = later, .doc = "Handshakes under way, on all cores"},
            &TunnelOptions::handshakes_max, whole<std::uint32_t>(1, 100'000)),
      field({.name = "handshake_timeout", .reload = later, .doc = "Time for a peer to say who it is"},
            &TunnelOptions::handshake_timeout, duration(1s, 2min)),
      field(
          {.name = "dial_timeout", .reload = later, .doc = "Time for a peer or a target of a peer to answer"},
          &TunnelOptions::dial_timeout, duration(1s, 2min)),
      field({.name = "backoff_min",
             .reload = later,
             .doc = "First pause before a lost peer is dialled again, at random below it"},
            &TunnelOptions::backoff_min, duration(10ms, 1min)),
      field({.name = "backoff_max", .reload = later, .doc = "Longest such pause"},
            &TunnelOptions::backoff_max, duration(100ms, 1h)),
      field({.name = "idle_timeout",
             .reload = later,
             .doc = "A session without streams for so long is closed by its dialer"},
            &TunnelOptions::idle_timeout, duration(10s, 24h)),
  });
}

}  // namespace village::control
