#include "control/shape_recording.hpp"

#include <algorithm>

#include "village/htx/limits.hpp"

namespace village::control {
namespace {

constexpr std::uint8_t application = 23;
constexpr std::size_t large_bytes = 8'192;  ///< a burst with a record of this size is bulk
constexpr std::size_t values_least = 8;     ///< fewer say nothing about a distribution
constexpr std::size_t buckets_most = 48;
constexpr Duration burst_gap = std::chrono::milliseconds{100};

using Records = std::vector<RecordSeen>;

/// summary_of takes few values for the ends of one range: single values would come again and again.
htx::Distribution summary_of(std::vector<std::uint64_t>& values) {
  return htx::Distribution::of_samples(values, values.size() < values_least ? 1 : buckets_most);
}

/// plaintext_of gives the application records of a connection, `length` that of the plaintext. TLS 1.3 hides
/// its handshake in records of type 23: those of the server before the client's first one, and that one (its
/// Finished). What the server sends before the client's second are tickets; OpenSSL's two, of one size, may
/// come a little later.
Records plaintext_of(const Records& all) {
  Records seen;
  for (const auto& record : all) {
    if (record.type == application) seen.push_back(record);
  }
  const auto finished = std::find_if(seen.begin(), seen.end(), [](const auto& r) { return !r.from_server; });
  const bool v13 = finished != seen.begin() && finished != seen.end();
  const std::size_t overhead = v13 ? 17 : 24;  // type and tag; TLS 1.2 with GCM: nonce and tag
  Records out;
  bool asked = !v13;
  std::vector<std::size_t> tickets;
  for (auto record = v13 ? finished + 1 : seen.begin(); record != seen.end(); ++record) {
    asked = asked || !record->from_server;
    if (record->length <= overhead || !asked) continue;
    out.push_back(*record);
    out.back().length = static_cast<std::uint16_t>(record->length - overhead);
    if (v13 && record->from_server && tickets.size() < 2) tickets.push_back(out.size() - 1);
  }
  if (tickets.size() == 2 && out[tickets[0]].length == out[tickets[1]].length &&
      out[tickets[0]].length < 1'024) {
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(tickets[1]));
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(tickets[0]));
  }
  return out;
}

void sort_burst(const Records& burst, std::optional<Duration> silence, TrafficSeen::Side& side) {
  const auto large =
      std::find_if(burst.begin(), burst.end(), [](const auto& r) { return r.length >= large_bytes; });
  if (large == burst.end()) {
    for (const auto& record : burst) side.small.push_back(record.length);
    return;
  }
  std::uint64_t first_bytes = 0;
  for (auto record = burst.begin(); record != large; ++record) {
    side.first.push_back(record->length);
    first_bytes += record->length;
  }
  side.first_bytes.push_back(first_bytes);
  if (silence) {
    auto& gaps = first_bytes > 0 ? side.again_gaps : side.warm_gaps;
    gaps.push_back(static_cast<std::uint64_t>(*silence / std::chrono::microseconds{1}));
  }
  for (auto record = large; record + 1 != burst.end(); ++record) side.bulk.push_back(record->length);
}

void sort_side(const Records& records, bool from_server, TrafficSeen::Side& side) {
  Records burst;
  std::optional<Duration> silence;
  for (const auto& record : records) {
    if (record.from_server != from_server) continue;
    if (!burst.empty() && record.time - burst.back().time > burst_gap) {
      sort_burst(burst, silence, side);
      silence = record.time - burst.back().time;
      burst.clear();
    }
    burst.push_back(record);
  }
  if (!burst.empty()) sort_burst(burst, silence, side);
}

/// Summary fills one side of a shape and notes where each part comes from.
class Summary {
 public:
  Summary(std::string side, const htx::ShapeSide& base, std::string base_name, htx::ShapeSide& out,
          std::vector<PartSource>& sources)
      : side_{std::move(side)}, base_{base}, base_name_{std::move(base_name)}, out_{out}, sources_{sources} {}

  void take(std::string_view name, std::vector<std::uint64_t> values, std::size_t least = values_least) {
    const auto& row = find(name);
    for (auto& value : values) value = std::clamp(value, row.least, row.most);
    if (values.size() < least) return copy(name, std::to_string(values.size()) + " values are too few");
    note(name, "recorded, " + std::to_string(values.size()) + " values");
    out_.*row.member = summary_of(values);
  }
  void copy(std::string_view name, const std::string& why) {
    const auto& row = find(name);
    out_.*row.member = base_.*row.member;
    note(name, "copied from " + base_name_ + ": " + why);
  }
  void none(std::string_view name, const std::string& why) {
    out_.*find(name).member = {};
    note(name, why);
  }

 private:
  static const htx::ShapePart& find(std::string_view name) {
    const auto rows = htx::shape_parts();
    return *std::find_if(rows.begin(), rows.end(), [name](const auto& row) { return row.name == name; });
  }
  void note(std::string_view name, const std::string& from) {
    sources_.push_back({side_ + "/" + std::string{name}, from});
  }

  std::string side_;
  const htx::ShapeSide& base_;
  std::string base_name_;
  htx::ShapeSide& out_;
  std::vector<PartSource>& sources_;
};

void summarise(const TrafficSeen::Side& seen, Summary& summary) {
  auto small = seen.small;
  std::erase_if(small, [](auto size) { return size > htx::limits::small_record_bytes_max; });
  summary.take("small_record", small);
  summary.take("bulk_record", seen.bulk);
  const auto begun_small = std::count_if(seen.first_bytes.begin(), seen.first_bytes.end(),
                                         [](auto bytes) { return bytes >= large_bytes; });
  if (seen.first_bytes.size() < values_least) {
    for (const auto* name : {"first_record", "first_bytes", "first_again"})
      summary.copy(name, "too few bursts of bulk were seen");
    return;
  }
  if (static_cast<std::size_t>(begun_small) * 4 < seen.first_bytes.size()) {
    for (const auto* name : {"first_record", "first_bytes", "first_again"})
      summary.none(name, "recorded: bulk does not begin with small records");
    return;
  }
  summary.take("first_record", seen.first);
  summary.take("first_bytes", seen.first_bytes);
  // Somewhere between the longest silence after which bulk went on and the shortest after which it began
  // anew.
  if (seen.again_gaps.empty()) return summary.none("first_again", "recorded: only at the start");
  const auto high = *std::min_element(seen.again_gaps.begin(), seen.again_gaps.end());
  std::uint64_t low = 0;
  for (const auto gap : seen.warm_gaps) {
    if (gap <= high) low = std::max(low, gap);
  }
  if (low == 0) low = high / 2;
  summary.take("first_again", {low, high}, 1);
}

}  // namespace

bool RecordCutter::take(ByteView bytes, Instant now, std::vector<RecordSeen>& out) {
  for (std::size_t at = 0; at < bytes.size() && !broken_;) {
    if (body_ > 0) {
      const auto skip = std::min(body_, bytes.size() - at);
      body_ -= skip;
      at += skip;
      continue;
    }
    header_[filled_++] = bytes[at++];
    if (filled_ < header_.size()) continue;
    filled_ = 0;
    const auto type = std::to_integer<std::uint8_t>(header_[0]);
    body_ = std::to_integer<std::size_t>(header_[3]) << 8 | std::to_integer<std::size_t>(header_[4]);
    broken_ = type < 20 || type > 24 || header_[1] != std::byte{3} || body_ > 16'384 + 2'048;
    if (!broken_) out.push_back({now, from_server_, type, static_cast<std::uint16_t>(body_)});
  }
  return !broken_;
}

std::size_t ShapeRecording::records() const {
  std::size_t sum = 0;
  for (const auto& connection : connections) sum += connection.size();
  return sum;
}

TrafficSeen sort_records(const ShapeRecording& recording) {
  TrafficSeen seen;
  for (const auto& connection : recording.connections) {
    const auto records = plaintext_of(connection);
    sort_side(records, false, seen.client);
    sort_side(records, true, seen.server);
  }
  return seen;
}

TrafficShape shape_of(ShapeRecording recording, const TrafficShape& base) {
  TrafficShape made;
  made.parts = base.parts;
  const auto seen = sort_records(recording);
  const auto& name = base.parts.name;
  Summary client{"client", base.parts.client, name, made.parts.client, made.sources};
  Summary server{"server", base.parts.server, name, made.parts.server, made.sources};
  for (auto* side : {&client, &server}) {
    for (const auto* part :
         {"idle_padding_delay", "idle_padding_count", "idle_padding_size", "handshake_padding"}) {
      side->copy(part, "origins do not pad");
    }
  }
  client.copy("ping_interval", "a browser does not ping");
  if (recording.server_ping_us.size() < 3) {
    server.copy("ping_interval", "fewer than three intervals were seen");
  } else {
    server.take("ping_interval", recording.server_ping_us, 3);
  }
  summarise(seen.client, client);
  summarise(seen.server, server);
  auto& timeouts = recording.server_timeout_us;
  for (auto& value : timeouts) {
    value = std::clamp(value, htx::websocket_timeout_us_min, htx::websocket_timeout_us_max);
  }
  if (timeouts.empty()) {
    made.sources.push_back({"websocket_idle_timeout", "copied from " + name + ": no server hung up"});
  } else {
    made.sources.push_back(
        {"websocket_idle_timeout", "recorded, " + std::to_string(timeouts.size()) + " values"});
    made.parts.websocket_idle_timeout = summary_of(timeouts);
  }
  return made;
}

}  // namespace village::control
