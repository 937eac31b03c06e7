// village_mix_injector: sends one packet, once or often, to a mix that believes it to be a neighbour.
//
//   village_mix_injector IDENTITY DOCUMENT NODE PACKET COUNT
//
// IDENTITY is the key file of a node of the document (which must not be running), NODE the bn1: name of the
// mix. PACKET is a file: what is in it is sent; if it is not there a packet is made, of one hop and with a
// destination that the mix throws away, and kept in it.
#include <cstdio>
#include <fstream>
#include <iterator>

#include "control/files.hpp"
#include "control/identity.hpp"
#include "service/tunnel_stream.hpp"
#include "village/crypto/random.hpp"
#include "village/mix/document.hpp"
#include "village/mix/frame.hpp"
#include "village/net/deadline.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/tunnel.hpp"
#include "village/sphinx/create.hpp"
#include "village/sphinx/payload.hpp"

namespace village {
namespace {

constexpr auto time_max = std::chrono::seconds{20};

int complain(const std::string& what) {
  std::fprintf(stderr, "village_mix_injector: %s\n", what.c_str());
  return 1;
}

std::optional<Bytes> make_packet(const mix::Descriptor& node, mix::Epoch epoch) {
  const auto* key = node.sphinx_key(epoch);
  if (key == nullptr) return std::nullopt;
  crypto::SystemRandom random;
  Bytes packet(mix::packet_bytes(mix::Profile::n2048));
  const sphinx::Hop hop{*key, node.mix_address, 0};
  const Bytes message(16);
  if (!sphinx::create_packet({&hop, 1}, {}, {}, message, packet, random)) return std::nullopt;
  return packet;
}

net::asio::awaitable<std::string> send(net::Core& core, std::shared_ptr<const service::TunnelOptions> options,
                                       Bytes frame, int count) {
  net::TcpDialer exit{core};
  service::Tunnel tunnel{core, std::move(options), exit};
  std::string problem;
  auto stream = co_await tunnel.open("mix", htx::Service::mix, net::after(core, time_max));
  if (!stream) problem = "no stream: " + std::string{name(stream.error().code)};
  for (int i = 0; i < count && problem.empty(); ++i) {
    const auto written = co_await (*stream)->write_all(frame);
    if (!written) problem = "not written: " + std::string{name(written.error().code)};
  }
  if (stream) {
    (void)co_await (*stream)->shutdown_write();
    ByteArray<64> rest;
    auto reading = (*stream)->read_some(rest);  // its end says that the mix has read everything
    const auto end = co_await net::with_deadline(core, std::move(reading), net::after(core, time_max));
    (void)end;
    (*stream)->close();
  }
  const auto drained = co_await tunnel.drain(net::after(core, std::chrono::seconds{1}));
  (void)drained;
  co_return problem;
}

int run(const std::vector<std::string>& args) {
  if (args.size() != 5) return complain("usage: IDENTITY DOCUMENT NODE PACKET COUNT");
  std::string problem;
  auto identity = control::read_identity(args[0], problem);
  const auto text = control::read_file(args[1], mix::limits::document_bytes_max, problem);
  if (!identity || !text) return complain(problem);
  const auto document = mix::parse_signed_document(as_bytes(*text));
  if (!document) return complain("bad document");
  const mix::Descriptor* node = nullptr;
  for (const auto& each : document->document.nodes) {
    if (each.id().name() == args[2]) node = &each;
  }
  if (node == nullptr) return complain("no such node in the document");
  std::ifstream file{args[3], std::ios::binary};
  std::optional<Bytes> packet;
  if (file) {
    const std::string kept{std::istreambuf_iterator<char>{file}, {}};
    packet = to_bytes(std::string_view{kept});
  } else {
    packet = make_packet(*node, document->document.epoch);
    if (!packet) return complain("the packet cannot be made");
    std::ofstream{args[3], std::ios::binary} << as_text(*packet);
  }
  Bytes frame(mix::frame_bytes(mix::Profile::n2048));
  if (packet->size() + mix::frame_header_bytes != frame.size())
    return complain("the packet has another size");
  mix::write_frame_header(mix::Profile::n2048, mix::Epochs::rotation(document->document.epoch),
                          ByteSpan{frame}.first<mix::frame_header_bytes>());
  std::copy(packet->begin(), packet->end(), frame.begin() + mix::frame_header_bytes);

  auto options = std::make_shared<service::TunnelOptions>();
  options->identity = std::make_shared<const crypto::Ed25519KeyPair>(*std::move(identity));
  service::TunnelPeer peer;
  peer.name = "mix";
  peer.key = node->key;
  peer.address = node->link;
  peer.outer = service::Outer::none;
  options->peers.push_back(std::move(peer));
  net::Runtime runtime{1};
  runtime.start();
  const auto count = std::atoi(args[4].c_str());
  problem = runtime.call(0, [&](net::Core& core) { return send(core, options, frame, count); });
  runtime.stop();
  runtime.join();
  return problem.empty() ? 0 : complain(problem);
}

}  // namespace
}  // namespace village

int main(int argc, char** argv) { return village::run({argv + 1, argv + argc}); }
