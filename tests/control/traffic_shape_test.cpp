// Shape files: mistakes in these words, what is written is read back, and shapes made of what was seen.
#include "control/traffic_shape.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/json.hpp"
#include "control/shape_recorder.hpp"
#include "support/statistics.hpp"
#include "support/vectors.hpp"
#include "temporary_folder.hpp"

namespace village::control {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using htx::Distribution;
using testing::HasSubstr;

const fs::path golden = fs::path{VILLAGE_SOURCE_DIR} / "tests/control/golden_shapes";

std::string said(const ShapeOutcome& outcome) {
  std::string text;
  for (const auto& error : outcome.errors) text += error.text() + "\n";
  return text;
}

/// VILLAGE_UPDATE_GOLDEN=1 writes what is said now; read the difference before committing it.
TEST(TrafficShapeFile, MistakesAreToldInTheseWords) {
  std::size_t seen = 0;
  for (const auto& entry : fs::directory_iterator{golden}) {
    if (entry.path().extension() != ".json") continue;
    ++seen;
    const auto outcome = parse_traffic_shape(test::read_file(entry.path()), entry.path().filename().string());
    const auto expected = fs::path{entry.path()}.replace_extension(".txt");
    if (std::getenv("VILLAGE_UPDATE_GOLDEN") != nullptr) std::ofstream{expected} << said(outcome);
    EXPECT_EQ(said(outcome), test::read_file(expected)) << entry.path();
    EXPECT_EQ(outcome.shape != nullptr, outcome.errors.empty());
  }
  EXPECT_GE(seen, 5U);
}

TEST(TrafficShapeFile, BuiltInShapesAreSound) {
  ASSERT_FALSE(built_in_shapes().empty());
  for (const auto& built_in : built_in_shapes()) {
    const auto outcome = load_traffic_shape(std::string{built_in.name});
    EXPECT_EQ(said(outcome), "");
    ASSERT_TRUE(outcome.file);
    EXPECT_EQ(outcome.file->parts.name, built_in.name);
    EXPECT_FALSE(outcome.file->how.empty()) << "say how it was recorded";
    EXPECT_FALSE(outcome.file->sources.empty());
  }
  EXPECT_TRUE(is_built_in_shape("nginx-websocket"));
}

TEST(TrafficShapeFile, WhatIsWrittenIsReadBack) {
  for (const auto& built_in : built_in_shapes()) {
    const auto outcome = load_traffic_shape(std::string{built_in.name});
    ASSERT_TRUE(outcome.file);
    const auto text = traffic_shape_text(*outcome.file);
    const auto again = parse_traffic_shape(text, "again");
    EXPECT_EQ(said(again), "");
    ASSERT_TRUE(again.file);
    EXPECT_EQ(again.file->parts.client, outcome.file->parts.client);
    EXPECT_EQ(again.file->parts.server, outcome.file->parts.server);
    EXPECT_EQ(again.file->parts.websocket_idle_timeout, outcome.file->parts.websocket_idle_timeout);
    EXPECT_EQ(traffic_shape_text(*again.file), text);
  }
}

TEST(TrafficShapeFile, AMissingFileSaysWhichNamesThereAre) {
  const auto outcome = load_traffic_shape("nginx-websockets");
  ASSERT_EQ(outcome.errors.size(), 1U);
  EXPECT_THAT(outcome.errors.front().text(), HasSubstr("nginx-websocket is built in"));
}

TEST(TrafficShapeConfig, NamesAShapeAFileOrNone) {
  const auto config = [](const std::string& shape) {
    return parse_config(R"({"node": {"name": "n"}, "htx": {"shape": ")" + shape + "\"}}", "c.json");
  };
  const auto built_in = config("nginx-websocket");
  ASSERT_TRUE(built_in.config) << built_in.errors.front().text();
  ASSERT_TRUE(built_in.config->htx.session.shape);
  EXPECT_EQ(built_in.config->htx.session.shape->name(), "nginx-websocket");
  const auto none = config("none");
  ASSERT_TRUE(none.config);
  EXPECT_FALSE(none.config->htx.session.shape);
  EXPECT_TRUE(parse_config(R"({"node": {"name": "n"}})", "c.json").config->htx.session.shape);
}

TEST(TrafficShapeConfig, MistakesOfTheFileAreMistakesOfTheConfiguration) {
  const TemporaryFolder folder;
  std::ofstream{folder.path("bad.json")} << R"({"version": 1})";
  std::ofstream{folder.path("villaged.json")} << R"({"node": {"name": "n"}, "htx": {"shape": "bad.json"}})";
  const auto outcome = load_config(folder.path("villaged.json"));
  EXPECT_FALSE(outcome.config);
  std::string all;
  for (const auto& error : outcome.errors) all += error.text() + "\n";
  EXPECT_THAT(all, HasSubstr("/htx/shape: " + folder.path("bad.json") + ":1:1: the key \"name\" is missing"));
}

// --- what records tell

RecordSeen record(Duration at, bool from_server, std::size_t length, std::uint8_t type = 23) {
  return {Instant{1h} + at, from_server, type, static_cast<std::uint16_t>(length)};
}

/// handshake is what TLS 1.3 shows before the first request.
std::vector<RecordSeen> handshake() {
  return {record(0ms, false, 512, 22), record(1ms, true, 122, 22), record(1ms, true, 1, 20),
          record(1ms, true, 27),       record(1ms, true, 2'000),   record(1ms, true, 53),
          record(2ms, false, 1, 20),   record(2ms, false, 53),     record(3ms, true, 250),
          record(3ms, true, 250)};
}

TEST(ShapeRecording, LeavesHandshakeAndTicketsOut) {
  ShapeRecording recording;
  recording.connections.push_back(handshake());
  auto& records = recording.connections.back();
  records.push_back(record(10ms, false, 117));
  records.push_back(record(12ms, true, 317));
  const auto seen = sort_records(recording);
  EXPECT_EQ(seen.client.small, (std::vector<std::uint64_t>{100}));
  EXPECT_EQ(seen.server.small, (std::vector<std::uint64_t>{300}));
}

TEST(ShapeRecording, TellsStartBulkAndRemainderApart) {
  ShapeRecording recording;
  for (int connection = 0; connection < 10; ++connection) {
    recording.connections.push_back(handshake());
    auto& records = recording.connections.back();
    auto at = 10ms;
    const auto burst = [&](bool small_first) {
      records.push_back(record(at, false, 117));
      for (int i = 0; small_first && i < 10; ++i) records.push_back(record(at + 1ms, true, 1'317));
      for (int i = 0; i < 5; ++i) records.push_back(record(at + 2ms, true, 16'401));
      records.push_back(record(at + 2ms, true, 777));
    };
    burst(true);
    at += 500ms;
    burst(false);
    at += 2'000ms;
    burst(true);
  }
  const auto base = load_traffic_shape("nginx-websocket");
  const auto made = shape_of(recording, *base.file);
  const auto& server = made.parts.server;
  EXPECT_EQ(server.bulk_record.lowest(), 16'384U);
  EXPECT_EQ(server.first_record.lowest(), 1'300U);
  EXPECT_EQ(server.first_record.highest(), 1'300U);
  EXPECT_EQ(server.first_bytes.highest(), 13'000U);
  EXPECT_EQ(server.first_bytes.lowest(), 0U);
  EXPECT_EQ(server.first_again.lowest(), 500'000U);
  EXPECT_EQ(server.first_again.highest(), 1'999'000U);
  EXPECT_TRUE(htx::Shape::make(made.parts));
}

TEST(ShapeRecording, CopiesWhatItHasNotSeen) {
  const auto base = load_traffic_shape("nginx-websocket");
  ShapeRecording recording;
  recording.connections.push_back(handshake());
  const auto made = shape_of(recording, *base.file);
  EXPECT_EQ(made.parts.client, base.file->parts.client);
  EXPECT_EQ(made.parts.server, base.file->parts.server);
  EXPECT_EQ(made.sources.size(), 2 * htx::shape_parts().size() + 1);
  recording.server_ping_us = {20'000'100, 20'000'400, 19'999'000};
  recording.server_timeout_us = {60'004'000};
  const auto more = shape_of(recording, *base.file);
  EXPECT_EQ(more.parts.server.ping_interval.lowest(), 19'999'000U);
  EXPECT_EQ(more.parts.websocket_idle_timeout.highest(), 60'004'000U);
}

TEST(RecordCutter, CutsAtEveryByte) {
  Bytes wire;
  for (const std::size_t length : {1U, 300U, 16'401U}) {
    for (const std::size_t value :
         {std::size_t{23}, std::size_t{3}, std::size_t{3}, length >> 8, length & 0xFF}) {
      wire.push_back(static_cast<std::byte>(value));
    }
    wire.resize(wire.size() + length);
  }
  for (const std::size_t piece : {1U, 2U, 7U, 64U, 20'000U}) {
    std::vector<RecordSeen> out;
    RecordCutter cutter{true};
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      ASSERT_TRUE(cutter.take(ByteView{wire}.subspan(at, std::min(piece, wire.size() - at)), Instant{}, out));
    }
    ASSERT_EQ(out.size(), 3U);
    EXPECT_EQ(out[1].length, 300U);
    EXPECT_EQ(out[2].length, 16'401U);
  }
  std::vector<RecordSeen> out;
  EXPECT_FALSE(RecordCutter{true}.take(as_bytes("HTTP/1.1 400 Bad"), Instant{}, out));
  EXPECT_TRUE(out.empty());
}

TEST(WebSocketFrames, FindsPingsAmongMessages) {
  Bytes wire;
  const auto add = [&wire](std::initializer_list<int> head, std::size_t payload) {
    for (const int value : head) wire.push_back(static_cast<std::byte>(value));
    wire.resize(wire.size() + payload, std::byte{0x55});
  };
  add({0x81, 5}, 5);
  add({0x89, 4}, 4);
  add({0x82, 126, 1, 0}, 256);
  add({0x89, 0}, 0);
  add({0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, 65'536);
  add({0x88, 2}, 2);
  for (const std::size_t piece : {1U, 3U, 100U, 100'000U}) {
    WebSocketFrames frames;
    std::vector<WebSocketFrames::Control> out;
    for (std::size_t at = 0; at < wire.size(); at += piece) {
      ASSERT_TRUE(frames.take(ByteView{wire}.subspan(at, std::min(piece, wire.size() - at)), out));
    }
    ASSERT_EQ(out.size(), 3U) << piece;
    EXPECT_EQ(out[0].payload.size(), 4U);
    EXPECT_TRUE(out[1].payload.empty());
    EXPECT_EQ(out[2].opcode, 8);
  }
  WebSocketFrames masked;
  std::vector<WebSocketFrames::Control> out;
  EXPECT_FALSE(masked.take(as_bytes("\x89\x84"), out));
}

TEST(RecordOrder, ReadsOrigins) {
  const auto read = [](std::string_view text) {
    RecordOrder order;
    if (!parse_origin(text, order)) return std::string{"no"};
    return (order.websocket ? "ws " : "") + to_text(order.origin) + " " + order.path;
  };
  EXPECT_EQ(read("https://example.org"), "example.org:443 /");
  EXPECT_EQ(read("wss://example.org:8443/live?x=1"), "ws example.org:8443 /live?x=1");
  EXPECT_EQ(read("127.0.0.1:8443"), "127.0.0.1:8443 /");
  EXPECT_EQ(read("https://[::1]/a"), "[::1]:443 /a");
  EXPECT_EQ(read("[::1]:8443"), "[::1]:8443 /");
  EXPECT_EQ(read("https://"), "no");
  EXPECT_EQ(read("https://example.org/a b"), "no");
  EXPECT_EQ(read("https://example.org:0"), "no");
}

}  // namespace
}  // namespace village::control
