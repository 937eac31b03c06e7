#include "daemon/listeners.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "daemon/process.hpp"
#include "village/control/limits.hpp"

namespace village::daemon {
namespace {

constexpr mode_t control_socket_mode = 0600;

std::string_view text(service::Outer outer) { return outer == service::Outer::tls ? "tls" : "none"; }

std::string why_not(const Error& error, const std::string& address) {
  switch (error.code) {
    case Errc::already_exists:
      return fmt::format("{} is already in use: stop the program that listens there, or choose another port",
                         address);
    case Errc::denied:
      return fmt::format(
          "{}: permission denied: ports below 1024 need CAP_NET_BIND_SERVICE or socket activation "
          "(villaged.socket)",
          address);
    case Errc::not_found:
      return fmt::format("{} is not an address of this machine", address);
    default:
      return fmt::format("{}: cannot listen: {}", address, describe(error));
  }
}

/// Opener opens the listeners in the order of the slots.
class Opener {
 public:
  Opener(const control::Config& config, Assignment plan, std::size_t cores)
      : config_{config}, plan_{std::move(plan)}, cores_{cores} {}

  ListenOutcome run() {
    for (std::size_t i = 0; i < config_.htx.listen.size() && fine(); ++i) {
      const auto& listen = config_.htx.listen[i];
      add(ListenKind::htx, i, fmt::format("htx {}", text(listen.outer)), listen.address, cores_);
    }
    for (std::size_t i = 0; i < config_.proxy.inbounds.size() && fine(); ++i) {
      const auto& inbound = config_.proxy.inbounds[i];
      add(ListenKind::proxy, i, fmt::format("proxy {}", inbound.name), inbound.listen, cores_);
    }
    if (config_.mix.directory.listen && config_.mix.has(service::MixRole::authority) && fine())
      add(ListenKind::mix_directory, 0, "mix directory", *config_.mix.directory.listen, 1);
    if (config_.control.listen && fine()) add(ListenKind::control, 0, "control", *config_.control.listen, 1);
    if (!config_.control.socket_path.empty() && fine()) add_unix(config_.control.socket_path);
    if (!fine()) outcome_.listeners.clear();
    return std::move(outcome_);
  }

 private:
  bool fine() const { return outcome_.problem.empty(); }

  void add(ListenKind kind, std::size_t index, const std::string& service, const Target& address,
           std::size_t cores) {
    net::ListenOptions options;
    options.tcp.congestion = config_.net.congestion;
    if (kind == ListenKind::control) options.connections_max = control::limits::http_connections_max;
    const int inherited = plan_.descriptors[slot_++];
    auto listener = inherited >= 0 ? net::Listener::adopt(inherited, cores, options)
                                   : net::Listener::bind_tcp(literal_endpoint(address), cores, options);
    keep(kind, index, service, to_text(address), std::move(listener));
  }

  void add_unix(const std::string& path) {
    net::ListenOptions options;
    options.connections_max = control::limits::http_connections_max;
    keep(ListenKind::control, 1, "control", path,
         net::Listener::bind_unix(path, control_socket_mode, 1, options));
  }

  void keep(ListenKind kind, std::size_t index, const std::string& service, const std::string& address,
            Result<std::unique_ptr<net::Listener>> listener) {
    if (!listener) {
      outcome_.problem = fmt::format("{}: {}", service, why_not(listener.error(), address));
      return;
    }
    std::shared_ptr<net::Listener> shared{*std::move(listener)};
    outcome_.listeners.push_back({kind, index, fmt::format("{} {}", service, shared->name()), shared});
  }

  const control::Config& config_;
  Assignment plan_;
  std::size_t cores_;
  std::size_t slot_ = 0;
  ListenOutcome outcome_;
};

}  // namespace

net::Endpoint literal_endpoint(const Target& target) {
  net::Endpoint endpoint;
  endpoint.port = target.port;
  if (const auto* v4 = std::get_if<Ipv4Address>(&target.host)) endpoint.ip = *v4;
  if (const auto* v6 = std::get_if<Ipv6Address>(&target.host)) endpoint.ip = *v6;
  return endpoint;
}

std::vector<ListenSlot> listen_slots(const control::Config& config) {
  std::vector<ListenSlot> slots;
  for (std::size_t i = 0; i < config.htx.listen.size(); ++i) {
    slots.push_back({fmt::format("htx-{}", i), i == 0 ? "htx" : ""});
  }
  for (const auto& inbound : config.proxy.inbounds) {
    slots.push_back({fmt::format("proxy-{}", inbound.name), inbound.name});
  }
  if (config.mix.directory.listen && config.mix.has(service::MixRole::authority))
    slots.push_back({"mix-directory", ""});
  if (config.control.listen) slots.push_back({"control", ""});
  return slots;
}

ListenOutcome open_listeners(const control::Config& config, const std::vector<InheritedSocket>& inherited,
                             std::size_t cores) {
  auto plan = assign(inherited, listen_slots(config));
  std::vector<std::string> warnings;
  for (const auto& socket : plan.unused) {
    warnings.push_back(
        fmt::format("inherited_socket_unused descriptor={} name=\"{}\"", socket.descriptor, socket.name));
    ::close(socket.descriptor);
  }
  auto outcome = Opener{config, std::move(plan), cores}.run();
  outcome.warnings = std::move(warnings);
  return outcome;
}

}  // namespace village::daemon
