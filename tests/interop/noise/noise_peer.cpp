// Our side of the live Noise test; README.md describes what it says.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "village/crypto/random.hpp"
#include "village/noise/handshake_state.hpp"

using namespace village;
using namespace village::noise;

namespace {

constexpr std::size_t sizes[] = {0, 1, 100, 16384, 65519};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "noise_peer: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) stop(std::string{what} + ": " + std::string{name(result.error().code)});
  return *std::move(result);
}
void must(Result<void> result, const char* what) {
  if (!result) stop(std::string{what} + ": " + std::string{name(result.error().code)});
}

void send(ByteView message) {
  const unsigned char length[] = {static_cast<unsigned char>(message.size() >> 8),
                                  static_cast<unsigned char>(message.size() & 0xFF)};
  if (std::fwrite(length, 1, 2, stdout) != 2 ||
      std::fwrite(message.data(), 1, message.size(), stdout) != message.size() || std::fflush(stdout) != 0) {
    stop("the other side does not read");
  }
}

Bytes receive() {
  unsigned char length[2];
  if (std::fread(length, 1, 2, stdin) != 2) stop("the other side hung up");
  Bytes message(static_cast<std::size_t>(length[0] << 8 | length[1]));
  if (std::fread(message.data(), 1, message.size(), stdin) != message.size()) stop("cut short");
  return message;
}

Bytes from_argument(const char* text) {
  auto bytes = from_hex(text);
  if (!bytes) stop("arguments are hex");
  return *std::move(bytes);
}

std::span<const std::byte, 32> key_of(const Bytes& bytes) {
  if (bytes.size() != 32) stop("keys have 32 bytes");
  return std::span{bytes}.first<32>();
}

void handshake(HandshakeState& state) {
  for (int i = 0; !state.finished(); ++i) {
    const auto payload = to_bytes("handshake payload " + std::to_string(i));
    Bytes buffer(limits::message_bytes_max);
    if (state.my_turn()) {
      const auto size = must(state.write_message(payload, buffer), "write_message");
      send(ByteView{buffer}.first(size));
    } else {
      buffer.resize(must(state.read_message(receive(), buffer), "read_message"));
      if (buffer != payload) stop("wrong handshake payload");
    }
  }
}

Bytes pattern_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t j = 0; j < size; ++j) bytes[j] = static_cast<std::byte>(j + size);
  return bytes;
}

void send_sealed(CipherState& cipher, ByteView plain) {
  Bytes sealed(plain.size() + tag_bytes);
  must(cipher.encrypt({}, plain, sealed), "encrypt");
  send(sealed);
}

void expect_sealed(CipherState& cipher, const Bytes& expected) {
  const auto sealed = receive();
  if (sealed.size() != expected.size() + tag_bytes) stop("wrong transport size");
  Bytes plain(expected.size());
  must(cipher.decrypt({}, sealed, plain), "decrypt");
  if (plain != expected) stop("wrong transport message");
}

void exchange(Transport& transport, Role role, bool one_way) {
  for (int round = 0; round < 2; ++round) {
    if (round > 0) {
      transport.send.rekey();
      transport.receive.rekey();
    }
    for (const auto size : sizes) {
      const auto plain = pattern_bytes(size);
      if (role == Role::initiator) send_sealed(transport.send, plain);
      if (role == Role::responder) expect_sealed(transport.receive, plain);
      if (one_way) continue;
      if (role == Role::responder) send_sealed(transport.send, plain);
      if (role == Role::initiator) expect_sealed(transport.receive, plain);
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) stop("six arguments: role name prologue static-private remote-public|- psk|-");
  const Role role = std::string_view{arguments[1]} == "initiator" ? Role::initiator : Role::responder;
  const auto protocol = must(parse_protocol(arguments[2]), "protocol name");
  const auto prologue = from_argument(arguments[3]);
  const auto own = from_argument(arguments[4]);
  HandshakeOptions options;
  options.prologue = prologue;
  options.local_static = crypto::X25519KeyPair::from_private(crypto::X25519Private{key_of(own)});
  if (std::string_view{arguments[5]} != "-") {
    const auto remote = from_argument(arguments[5]);
    const auto key = key_of(remote);
    std::copy(key.begin(), key.end(), options.remote_static.emplace().begin());
  }
  if (std::string_view{arguments[6]} != "-") options.psks.emplace_back(key_of(from_argument(arguments[6])));
  crypto::SystemRandom random;
  auto state = must(HandshakeState::start(protocol, role, std::move(options), random), "start");
  handshake(state);
  auto transport = state.transport();
  exchange(transport, role, protocol.pattern.one_way());
  std::fprintf(stderr, "done %s\n", to_hex(state.handshake_hash()).c_str());
  return 0;
}
