#pragma once
// A child process that speaks the protocol of rust/src/main.rs over pipes. Its death ends the program.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "village/base/bytes.hpp"

namespace village::interop {

/// Body builds a request; numbers are little endian.
class Body {
 public:
  Body& bytes(ByteView from) {
    for (const auto byte : from) out_.push_back(byte);  // g++ 12 warns of an overflow in insert() at -O3
    return *this;
  }
  Body& number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) out_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xFF));
    return *this;
  }
  ByteView view() const { return out_; }

 private:
  Bytes out_;
};

struct Answer {
  bool done = false;      ///< else the crate refused
  bool panicked = false;  ///< which is no way to refuse
  Bytes body;             ///< or the reason, as text
};

class CratePeer {
 public:
  explicit CratePeer(const std::string& program) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) lost("pipe");
    child_ = fork();
    if (child_ == 0) {
      dup2(in[0], 0);
      dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
      execl(program.c_str(), program.c_str(), nullptr);
      _exit(127);
    }
    if (child_ < 0) lost("fork");
    close(in[0]);
    close(out[1]);
    to_ = in[1];
    from_ = out[0];
    signal(SIGPIPE, SIG_IGN);
  }
  CratePeer(const CratePeer&) = delete;
  CratePeer& operator=(const CratePeer&) = delete;
  ~CratePeer() {
    close(to_);
    close(from_);
    waitpid(child_, nullptr, 0);
  }

  Answer ask(char operation, const Body& body) {
    Body head;
    head.number(static_cast<std::uint64_t>(operation), 1).number(body.view().size(), 4).bytes(body.view());
    write_all(head.view());
    ByteArray<5> front;
    read_all(front);
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size |= std::to_integer<std::size_t>(front[1 + i]) << (8 * i);
    Answer answer{front[0] == std::byte{0}, front[0] == std::byte{2}, Bytes(size)};
    read_all(answer.body);
    return answer;
  }

 private:
  [[noreturn]] static void lost(const char* what) {
    std::fprintf(stderr, "the peer is lost: %s\n", what);
    std::exit(1);
  }
  void write_all(ByteView from) const {
    while (!from.empty()) {
      const auto written = ::write(to_, from.data(), from.size());
      if (written <= 0) lost("write");
      from = from.subspan(static_cast<std::size_t>(written));
    }
  }
  void read_all(ByteSpan into) const {
    while (!into.empty()) {
      const auto got = ::read(from_, into.data(), into.size());
      if (got <= 0) lost("read");
      into = into.subspan(static_cast<std::size_t>(got));
    }
  }

  pid_t child_ = -1;
  int to_ = -1, from_ = -1;
};

}  // namespace village::interop
