// mix.resources, base_memory: the resident memory of a real mix with sixteen neighbours, a minute after its
// start.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "mix/bench_mix.hpp"
#include "service/tunnel_stream.hpp"
#include "support/sockets.hpp"
#include "village/crypto/random.hpp"
#include "village/crypto/vrf.hpp"
#include "village/mix/document.hpp"
#include "village/net/clock.hpp"
#include "village/net/deadline.hpp"
#include "village/net/runtime.hpp"
#include "village/net/tcp.hpp"
#include "village/service/tunnel.hpp"
#include "village/wire/base64.hpp"

namespace village::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t neighbours = 16;

void write_file(const std::string& path, std::string_view text) {
  std::ofstream{path} << text;
  must(::chmod(path.c_str(), 0600) == 0, "cannot write a file of the node");
}

mix::Epochs long_epochs() {
  mix::Epochs epochs;
  epochs.length = 24h;
  return epochs;
}

/// Neighbour is another node as the directory knows it: here it only holds a link open.
struct Neighbour {
  std::shared_ptr<service::TunnelOptions> options = std::make_shared<service::TunnelOptions>();
  std::unique_ptr<net::TcpDialer> exit;
  std::unique_ptr<service::Tunnel> tunnel;
  std::shared_ptr<service::TunnelStream> stream;
};

mix::Descriptor describe(const Neighbour& neighbour, unsigned number, mix::Epoch epoch,
                         RandomSource& random) {
  const Ipv4Address address{std::byte{10}, std::byte(number), std::byte{0}, std::byte{1}};
  mix::Descriptor out;
  out.key = neighbour.options->identity->public_key;
  out.link.host = address;
  out.link.port = 9'001;
  out.mix_address = sphinx::node_address(address, 9'001);
  for (mix::Epoch each = epoch; each < epoch + 3; ++each)
    out.sphinx_keys.push_back({each, crypto::X25519KeyPair::generate(random).public_key});
  out.vrf_key = crypto::VrfKeyPair::generate(random).public_key;
  out.roles.mix = true;
  out.capacity_pps = 1'000;
  out.profiles = {"n2048"};
  out.sequence = 1;
  return out;
}

/// MixDaemon is a folder with everything a mix needs, a directory that a single authority signed, and the
/// daemon.
class MixDaemon {
 public:
  explicit MixDaemon(const std::string& villaged) {
    std::string name = (std::filesystem::temp_directory_path() / "village-bench-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    auto [listener, port] = listen_tcp({});
    port_ = port;
    listener = Socket{};
    const auto epoch = long_epochs().at(net::SystemClock{}.wall());
    mix::SignedDocument document;
    document.document.epoch = epoch;
    document.document.valid_from = long_epochs().start(epoch);
    document.document.valid_until = long_epochs().end(epoch);
    for (unsigned i = 0; i < neighbours; ++i) {
      auto& neighbour = others_.emplace_back();
      neighbour.options->identity =
          std::make_shared<crypto::Ed25519KeyPair>(crypto::Ed25519KeyPair::generate(random_));
      document.document.nodes.push_back(describe(neighbour, i, epoch, random_));
    }
    std::sort(document.document.nodes.begin(), document.document.nodes.end(),
              [](const auto& a, const auto& b) { return a.id() < b.id(); });
    const auto authority = crypto::Ed25519KeyPair::generate(random_);
    document.signatures.push_back(mix::sign(mix::digest(document.document), authority));
    std::filesystem::create_directories(folder_ + "/state/mix");
    write_file(folder_ + "/identity.key", wire::base64url(identity_.seed.view()) + "\n");
    write_file(folder_ + "/state/mix/document-" + std::to_string(epoch) + ".json", mix::to_json(document));
    write_file(folder_ + "/villaged.json",
               "{\"net\": {\"cores\": 1}, \"control\": {\"listen\": null},\n"
               " \"htx\": {\"listen\": [{\"address\": \"127.0.0.1:" +
                   std::to_string(port_) +
                   "\", \"outer\": \"none\"}]},\n"
                   " \"mix\": {\"roles\": [\"mix\"], \"epoch\": {\"length\": \"1d\"}, \"directory\": "
                   "{\"threshold\": 1,\n"
                   "   \"authorities\": [{\"name\": \"a\", \"key\": \"" +
                   wire::base64url(authority.public_key) + "\", \"address\": \"127.0.0.1:9\"}]}}}\n");
    child_.emplace(Child::spawn({villaged, "run", "--config", folder_ + "/villaged.json"}));
  }
  MixDaemon(const MixDaemon&) = delete;
  MixDaemon& operator=(const MixDaemon&) = delete;
  ~MixDaemon() { std::filesystem::remove_all(folder_); }

  /// link makes every neighbour open its stream and bring one frame, which is garbage.
  net::Task<void> link(net::Core& core) {
    service::TunnelPeer node;
    node.name = "node";
    node.key = identity_.public_key;
    node.outer = service::Outer::none;
    node.address = Target{Ipv4Address{std::byte{127}, std::byte{0}, std::byte{0}, std::byte{1}}, port_};
    Bytes frame(2'052);
    random_.fill(frame);
    frame[0] = std::byte{8};
    for (auto& other : others_) {
      other.options->peers = {node};
      other.exit = std::make_unique<net::TcpDialer>(core);
      other.tunnel = std::make_unique<service::Tunnel>(core, other.options, *other.exit);
      auto opened = co_await other.tunnel->open("node", htx::Service::mix, net::after(core, 30s));
      if (!opened) co_return opened.error();
      other.stream = *std::move(opened);
      const auto written = co_await other.stream->write_all(frame);
      if (!written) co_return written.error();
    }
    co_return ok();
  }
  net::Task<void> unlink(net::Core& core) {
    for (auto& other : others_) {
      other.stream.reset();
      if (other.tunnel) (void)co_await other.tunnel->drain(core.clock().now());
    }
    co_return ok();
  }

  double resident_mb() const {
    std::ifstream file{"/proc/" + std::to_string(child_->pid()) + "/status"};
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) * 1'024 / 1e6;
    }
    return 0;
  }

 private:
  std::string folder_;
  crypto::SystemRandom random_;
  crypto::Ed25519KeyPair identity_ = crypto::Ed25519KeyPair::generate(random_);
  std::uint16_t port_ = 0;
  std::vector<Neighbour> others_;
  std::optional<Child> child_;
};

}  // namespace

void run_node_memory(const Options& options, Report& report) {
  if (options.villaged.empty()) {
    report.check_not_run("mix.resources", "rss_60s_16_links", "MB", "<=60", "no --villaged");
    return;
  }
  MixDaemon daemon{options.villaged};
  net::Runtime runtime{1};
  runtime.start();
  const auto linked = runtime.call(0, [&](net::Core& core) { return daemon.link(core); });
  must(linked.has_value(), "the mix does not take its neighbours' links");
  const auto wait = options.quick ? 5s : 60s;
  std::this_thread::sleep_for(wait);
  const auto resident = daemon.resident_mb();
  must(resident > 0, "the mix has ended");
  (void)runtime.call(0, [&](net::Core& core) { return daemon.unlink(core); });
  runtime.stop();
  runtime.join();
  const auto how = "a villaged with the role mix, one core, " + std::to_string(neighbours) +
                   " neighbours' links open, VmRSS " + std::to_string(wait.count()) + " s after they came";
  report.row("mix.resources", "base_memory", {{"value", resident}}, how);
  report.at_most("mix.resources", "rss_60s_16_links", resident, "MB", 60, how);
}

}  // namespace village::bench
