#pragma once
// AresChannel: c-ares driven by one core's loop. Asks for the addresses of one family; answers come by
// callback.
#include <ares.h>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "village/net/core.hpp"
#include "village/net/resolver.hpp"

namespace village::net {

/// AresAnswer is what became of one question.
struct AresAnswer {
  enum class Kind { found, no_such_name, failed } kind = Kind::failed;
  std::vector<Ip> addresses;
  std::chrono::seconds ttl{0};
};

/// AresChannel owns a c-ares channel. Its sockets are watched by Asio; it never blocks. One core.
class AresChannel {
 public:
  using Callback = std::function<void(AresAnswer)>;

  /// Errors: name_failed if c-ares cannot be set up (no memory, unreadable configuration).
  static Result<std::unique_ptr<AresChannel>> make(Core& core, const ResolverOptions& options);
  ~AresChannel();  ///< calls back what is under way, with failed
  AresChannel(const AresChannel&) = delete;
  AresChannel& operator=(const AresChannel&) = delete;

  /// ask sends the question for `family` (AF_INET, AF_INET6). The callback may come before ask returns.
  void ask(const std::string& name, int family, Callback callback);

 private:
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
  struct Watch;
  explicit AresChannel(Core& core);
  Result<void> open(const ResolverOptions& options);
  Result<void> set_servers(const std::vector<Endpoint>& servers);
  static void on_socket(void* self, ares_socket_t fd, int readable, int writable);
  static void on_answer(void* question, int status, int timeouts, ares_addrinfo* found);
  void watch(ares_socket_t fd, bool read, bool write);
  void arm(const std::shared_ptr<Watch>& watched);
  void process(ares_socket_t read, ares_socket_t write);
  void set_timer();

  Core& core_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, std::shared_ptr<Watch>> watches_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             asio::io_context::executor_type>
      timer_;
  std::chrono::steady_clock::time_point timer_at_ = std::chrono::steady_clock::time_point::max();
  std::shared_ptr<int> life_ =
      std::make_shared<int>(0);  ///< a timer handler may already be queued when we die
};

}  // namespace village::net
