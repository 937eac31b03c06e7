#include "support/node_pair.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/report.hpp"

namespace village::bench {
namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  must(pipe != nullptr, "cannot run villaged");
  char block[4096];
  while (const auto got = std::fread(block, 1, sizeof block, pipe)) text.append(block, got);
  must(::pclose(pipe) == 0, "villaged init failed");
  return text;
}

/// init makes a node in `folder` and returns its public key.
std::string init(const std::string& villaged, const std::string& folder, const std::string& role) {
  const auto text = output_of(villaged + " init --json --name " + role + " --role " + role + " --dir " +
                              folder + "/" + role);
  const std::string mark = "\"key\": \"";
  const auto at = text.find(mark);
  must(at != std::string::npos, "villaged init prints no key");
  return text.substr(at + mark.size(), text.find('"', at + mark.size()) - at - mark.size());
}

void write(const std::string& path, const std::string& text) {
  std::ofstream out{path};
  out << text;
  must(static_cast<bool>(out.flush()), "cannot write a configuration");
}

std::uint16_t free_port() { return listen_tcp({""}).second; }

std::string common(const NodePair::Shape& shape) {
  return R"("node": {"name": "bench", "identity": "identity.key", "state_dir": "state"}, "log": {"level": "warn"},
 "net": {"cores": )" +
         std::to_string(shape.cores) + R"(, "congestion": ")" + shape.congestion + R"("},
 "control": {"listen": null},)";
}

bool answers(std::uint16_t port) {
  const Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void wait_for(std::uint16_t port) {
  for (int i = 0; i < 200; ++i) {
    if (answers(port)) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  must(false, "a node does not come up within 10 s");
}

std::uint64_t resident(pid_t pid) {
  std::ifstream in{"/proc/" + std::to_string(pid) + "/statm"};
  std::uint64_t size = 0, pages = 0;
  in >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

NodePair::NodePair(const std::string& villaged, const Shape& shape) {
  std::string pattern = (std::filesystem::temp_directory_path() / "villaged-bench-XXXXXX").string();
  must(::mkdtemp(pattern.data()) != nullptr, "no temporary folder");
  folder_ = pattern;
  const auto exit_key = init(villaged, folder_, "exit");
  const auto entry_key = init(villaged, folder_, "entry");
  const auto htx_port = std::to_string(free_port());
  socks_port_ = free_port();
  const std::string certificate =
      shape.outer == "tls" ? R"(, "certificate": "certificate.pem", "key": "certificate.key")" : "";
  const auto invited = [&](const std::string& parameter) {  // "" with outer none
    if (shape.outer != "tls") return std::string{};
    const auto invite = villaged + " peer invite 127.0.0.1:1 --config " + folder_ + "/exit/villaged.json";
    const auto value =
        output_of(invite + " 2>/dev/null | sed 's/.*" + parameter + "=//;s/&.*//' | tr -d '\\n'");
    return ", \"" + parameter + "\": \"" + value + "\"";
  };
  const auto shown = invited("pin") + invited("ticket");
  write(folder_ + "/exit/villaged.json",
        "{" + common(shape) + R"("htx": {"listen": [{"address": "127.0.0.1:)" + htx_port +
            R"(", "outer": ")" + shape.outer + "\"" + certificate +
            R"(}], "peers": [{"name": "entry", "key": ")" + entry_key + R"(", "inbound": true, "suites": )" +
            shape.suites + R"(}], "exit": {"enabled": true, "allow_private": true}}})");
  write(folder_ + "/entry/villaged.json",
        "{" + common(shape) + R"("htx": {"peers": [{"name": "exit", "key": ")" + exit_key +
            R"(", "address": "127.0.0.1:)" + htx_port + R"(", "outer": ")" + shape.outer + "\"" + shown +
            R"(, "suites": )" + shape.suites +
            R"(}]}, "proxy": {"inbounds": [{"name": "local", "listen": "127.0.0.1:)" +
            std::to_string(socks_port_) +
            R"("}], "outbounds": [{"name": "exit", "kind": "htx", "peer": "exit"}], "default": "exit"}})");
  exit_.emplace(Child::spawn({villaged, "run", "--config", folder_ + "/exit/villaged.json"}));
  entry_.emplace(Child::spawn({villaged, "run", "--config", folder_ + "/entry/villaged.json"}));
  wait_for(static_cast<std::uint16_t>(std::stoi(htx_port)));
  wait_for(socks_port_);
}

NodePair::~NodePair() {
  entry_.reset();
  exit_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::uint64_t NodePair::exit_resident_bytes() const { return resident(exit_->pid()); }
std::uint64_t NodePair::entry_resident_bytes() const { return resident(entry_->pid()); }

}  // namespace village::bench
