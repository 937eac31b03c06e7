#pragma once
// SOCKS5, server side. Sources: RFC 1928, RFC 1929.
//
//   client                                   server
//   05 | n | METHODS(n)            ->        05 | METHOD            00 none, 02 user/password, FF none
//   acceptable 01 | n | USER(n) | m | PASS(m) ->        01 | STATUS            only after METHOD 02; 00 =
//   welcome 05 | CMD | 00 | ATYP ADDR PORT ->        05 | REP | 00 | ATYP ADDR PORT
//
// and each UDP datagram of an association, both ways: 00 00 | FRAG | ATYP ADDR PORT | DATA.
#include <array>
#include <optional>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"
#include "village/base/target.hpp"
#include "village/proxy/credentials.hpp"
#include "village/proxy/limits.hpp"
#include "village/wire/writer.hpp"

namespace village::proxy {

enum class Socks5Command : std::uint8_t { connect = 1, bind = 2, udp_associate = 3 };

enum class Socks5Reply : std::uint8_t {
  succeeded = 0,
  general_failure = 1,
  not_allowed = 2,
  net_unreachable = 3,
  host_unreachable = 4,
  refused = 5,
  ttl_expired = 6,
  command_not_supported = 7,
  address_not_supported = 8,
};

/// socks5_reply maps what a dial ended with to the code the client sees.
Socks5Reply socks5_reply(Errc code);

/// Socks5Request is what the client wants. A name that is written like an address has become one.
/// CONNECT: port is not 0. UDP ASSOCIATE: where the client will send from, zeros = it does not say.
struct Socks5Request {
  Socks5Command command;
  Target target;
};

/// Socks5Handshake is the server's half until the request is known. Feed it with on_bytes, send what output()
/// holds, until done() or failed(). Holds at most one message (513 bytes); wiped when it goes.
///
///   greeting -> [password] -> request -> done
///       \__________\____________\______ failed: output() holds what to say before closing (perhaps nothing)
class Socks5Handshake {
 public:
  /// `users` outlives the handshake. Empty: method 00 is chosen, else 02 is demanded.
  explicit Socks5Handshake(const Credentials& users) : users_{users} {}
  Socks5Handshake(const Socks5Handshake&) = delete;
  Socks5Handshake& operator=(const Socks5Handshake&) = delete;
  ~Socks5Handshake() { crypto::wipe(message_); }

  /// on_bytes takes what belongs to the handshake and returns how many bytes that were. What a client sent
  /// behind its request stays with the caller. Takes nothing once done or failed.
  std::size_t on_bytes(ByteView in);

  /// output is what must be sent now; clear_output says that it was.
  ByteView output() const { return ByteView{output_}.first(output_bytes_); }
  void clear_output() { output_bytes_ = 0; }

  bool done() const { return state_ == State::done; }
  /// failed: the client broke the protocol or may not come in; error() says why:
  /// version (not SOCKS5), auth_failed (no acceptable method, wrong password), unsupported (command or
  /// address type), malformed (empty name, port 0, reserved byte set).
  bool failed() const { return state_ == State::failed; }
  Errc error() const { return error_; }
  /// request needs done().
  const Socks5Request& request() const { return *request_; }

 private:
  enum class State { greeting, password, request, done, failed };

  std::size_t wanted() const;  // bytes of the present message as far as its prefix tells
  void on_message();
  void on_prefix();  // refuses early what can be refused early
  void on_greeting();
  void on_password();
  void on_request();
  void say(std::uint8_t version, std::uint8_t code);
  void fail_with(Errc error);
  void refuse(Socks5Reply reply, Errc error);

  const Credentials& users_;
  State state_ = State::greeting;
  ByteArray<limits::socks5_message_bytes_max> message_{};
  std::size_t size_ = 0;
  ByteArray<16> output_{};  // method + status + failing reply: 2 + 2 + 10 bytes
  std::size_t output_bytes_ = 0;
  Errc error_{};
  std::optional<Socks5Request> request_;
};

/// write_socks5_reply writes the answer to a request; `bound` is the address this side uses, or nullopt for
/// zeros.
void write_socks5_reply(wire::Writer& writer, Socks5Reply reply,
                        const std::optional<Target>& bound = std::nullopt);

/// Socks5Datagram is one UDP datagram of an association; data is a view into what was parsed.
struct Socks5Datagram {
  Target target;
  ByteView data;
};

/// parse_socks5_datagram reads the header of a datagram. Errors: truncated, malformed (reserved bytes, name,
/// port 0), unsupported (FRAG is not 0 or unknown address type): drop it.
Result<Socks5Datagram> parse_socks5_datagram(ByteView in);
/// write_socks5_datagram_header writes what goes before the data; at most limits::udp_header_bytes_max.
void write_socks5_datagram_header(wire::Writer& writer, const Target& source);

}  // namespace village::proxy
