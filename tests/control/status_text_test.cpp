#include "control/status_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace village::control {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeStatus node() {
  NodeStatus status;
  status.name = "berlin";
  status.node = "bn1:abc";
  status.version = "0.1.0";
  status.state = "ready";
  status.uptime = 2h + 3min;
  status.cores = 2;
  status.listening = {"htx tls 0.0.0.0:8443"};
  status.sandbox = {"seccomp"};
  status.last_errors = {"tunnel peer=x refused"};
  service::SessionStatus session;
  session.peer = "laptop";
  session.node = "bn1:def";
  session.inbound = true;
  session.state = "connected";
  session.outer = service::Outer::tls;
  session.suite = 4;
  session.age = 90s;
  session.key_age = 30s;
  session.statistics.streams_open = 7;
  session.statistics.bytes_in = 3 << 20;
  session.statistics.bytes_out = 1'000;
  session.statistics.rtt = 12'500us;
  status.sessions.push_back(session);
  status.gateway.connections = 5;
  return status;
}

TEST(StatusText, ShowsWhatTheOperatorLooksFor) {
  const auto text = status_text(status_json(node()), nullptr, {});
  EXPECT_EQ(text,
            "berlin  bn1:abc  villaged 0.1.0\n"
            "ready, up 2 h 3 min, 2 cores, seccomp\n"
            "\n"
            "listening\n"
            "  htx tls 0.0.0.0:8443\n"
            "\n"
            "sessions\n"
            "  PEER    DIR  STATE      CORE  OUTER  SUITE  STREAMS  RTT      RATE IN  RATE OUT  IN       OUT "
            "    AGE         KEY AGE  LAST ERROR\n"
            "  laptop  in   connected  0     tls    4      7        12.5 ms  -        -         3.0 MiB  "
            "1000 B  1 min 30 s  30 s\n"
            "\n"
            "proxy  5 connections, 0 UDP associations\n"
            "\n"
            "last errors\n"
            "  tunnel peer=x refused\n");
}

TEST(StatusText, RatesComeFromTheDifference) {
  auto later = node();
  later.sessions[0].age += 2s;
  later.sessions[0].statistics.bytes_in += 4 << 20;
  later.sessions[0].statistics.bytes_out += 1'024;
  const auto before = status_json(node());
  const auto text = status_text(status_json(later), &before, std::chrono::seconds{2});
  EXPECT_THAT(text, HasSubstr("2.0 MiB/s"));
  EXPECT_THAT(text, HasSubstr("512 B/s"));
}

TEST(StatusText, ASessionThatBeganAnewHasNoRateYet) {
  auto later = node();
  later.sessions[0].age = 1s;
  const auto before = status_json(node());
  EXPECT_THAT(status_text(status_json(later), &before, std::chrono::seconds{2}), Not(HasSubstr("/s  ")));
}

TEST(StatusText, WhatPeersChoseCannotMoveTheCursor) {
  auto status = node();
  status.sessions[0].last_error = "\x1b[2Jgone";
  status.last_errors = {"a\nb\x07"};
  const auto text = status_text(status_json(status), nullptr, {});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, HasSubstr("a?b?"));
}

TEST(StatusText, AnotherVersionsAnswerIsNoCrash) {
  for (const auto* json : {"{}", R"({"sessions": 3, "gateway": [], "uptime_s": "x", "listening": [1]})",
                           R"({"sessions": [{}]})"}) {
    EXPECT_FALSE(status_text(Json::parse(json), nullptr, {}).empty());
  }
}

TEST(StatusText, NumbersAreShort) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1'023), "1023 B");
  EXPECT_EQ(bytes_text(1'536), "1.5 KiB");
  EXPECT_EQ(bytes_text(200.0 * 1024 * 1024), "200 MiB");
  EXPECT_EQ(age_text(59), "59 s");
  EXPECT_EQ(age_text(200'000), "2 d 7 h");
}

}  // namespace
}  // namespace village::control
