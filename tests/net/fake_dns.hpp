#pragma once
// FakeDns: a name server on loopback in a thread of its own. What it answers is told by the name's first
// label:
//   v4...    an A record only          nx...    no such name
//   both...  A and AAAA                dead...  no answer at all
//   half...  an A record; AAAA is never answered
//   fail...  SERVFAIL
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "net/support.hpp"

namespace village::net::test {

class FakeDns {
 public:
  explicit FakeDns(std::uint32_t ttl = 300)
      : ttl_{ttl}, socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    const auto any = to_address(loopback_v4());
    VG_CHECK(::bind(socket_, any.get(), any.size) == 0);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~FakeDns() {
    const auto where = to_address(endpoint());
    ::sendto(socket_, "", 0, 0, where.get(), where.size);  // an empty datagram ends it
    thread_.join();
    ::close(socket_);
  }
  Endpoint endpoint() const { return *socket_local(socket_); }
  ResolverOptions options() const {
    ResolverOptions all;
    all.servers = {endpoint()};
    all.hosts_file.clear();
    return all;
  }
  std::size_t questions(const std::string& name) {
    const std::lock_guard lock{mutex_};
    return asked_[name];
  }

 private:
  static std::string name_at(const std::string& packet, std::size_t& at) {
    std::string name;
    while (at < packet.size() && packet[at] != 0) {
      const auto size = static_cast<std::size_t>(packet[at]);
      if (!name.empty()) name += '.';
      name += packet.substr(at + 1, size);
      at += size + 1;
    }
    ++at;
    return name;
  }

  void serve() {
    std::array<char, 1500> buffer;
    for (;;) {
      SocketAddress from;
      from.size = sizeof from.storage;
      const auto size = ::recvfrom(socket_, buffer.data(), buffer.size(), 0, from.get(), &from.size);
      if (size <= 0) return;
      const auto reply = answer(std::string{buffer.data(), static_cast<std::size_t>(size)});
      if (!reply.empty()) ::sendto(socket_, reply.data(), reply.size(), 0, from.get(), from.size);
    }
  }

  std::string answer(const std::string& question) {
    std::size_t at = 12;
    const auto name = name_at(question, at);
    const bool v6 = question[at + 1] == 28;
    at += 4;
    {
      const std::lock_guard lock{mutex_};
      ++asked_[name];
    }
    const bool half = name.starts_with("half");
    if (name.starts_with("dead") || (half && v6)) return {};
    const bool has = name.starts_with("both") || ((half || name.starts_with("v4")) && !v6);
    std::string reply = question.substr(0, at);
    reply[2] = static_cast<char>(0x81);
    reply[3] = static_cast<char>(name.starts_with("nx") ? 0x83 : name.starts_with("fail") ? 0x82 : 0x80);
    reply[7] = has ? 1 : 0;
    reply[8] = reply[9] = reply[10] = reply[11] = 0;
    if (!has) return reply;
    reply += std::string{"\xc0\x0c\x00", 3};
    reply += v6 ? '\x1c' : '\x01';
    reply += std::string{"\x00\x01", 2};
    for (int shift = 24; shift >= 0; shift -= 8) reply += static_cast<char>(ttl_ >> shift);
    reply += '\0';
    reply += v6 ? std::string{"\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 17}
                : std::string{"\x04\xc0\x00\x02\x01", 5};
    return reply;
  }

  std::uint32_t ttl_;
  int socket_;
  std::mutex mutex_;
  std::map<std::string, std::size_t> asked_;
  std::thread thread_;
};

}  // namespace village::net::test
