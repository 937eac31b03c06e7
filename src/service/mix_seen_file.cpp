#include "service/mix_seen_file.hpp"

#include <algorithm>

#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::service {
namespace {

constexpr std::string_view file_mark = "villaged mix messages seen 1";
constexpr std::size_t body_bytes = 16 + 8 + 16;
constexpr std::size_t garbage_bytes_min = 1024 * 1024;
constexpr std::uint64_t latest_second = 8'000'000'000;  // what nanoseconds of 63 bits hold, and some less
constexpr mix::MessageId nobody{};

ByteArray<body_bytes> body_of(const mix::SeenMessage& message) {
  ByteArray<body_bytes> body;
  wire::Writer writer{body};
  writer.bytes(message.id);
  const auto since = std::max(message.until.time_since_epoch(), Duration{0});
  writer.u64(static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(since).count()));
  writer.bytes(message.proof);
  return body;
}

void restore(ByteView body, mix::Client& client, mix::Moment now) {
  wire::Reader reader{body};
  mix::SeenMessage message;
  if (body.size() != body_bytes || !reader.fill(message.id)) return;
  const auto until = std::min<std::uint64_t>(reader.u64().value(), latest_second);
  message.until = WallTime{std::chrono::seconds{until}};
  if (!reader.fill(message.proof)) return;
  if (message.id != nobody && message.until > now.wall) {
    client.restore_seen(message, now);
  } else {
    client.forget_seen(message.until, now.wall);
  }
}

}  // namespace

Result<MixSeenFile> MixSeenFile::open(std::string path, mix::Client& client, mix::Moment now,
                                      std::size_t* dropped) {
  MixSeenFile file;
  file.file_ = RecordFile{std::move(path), file_mark, body_bytes};
  VG_TRY(damage, file.file_.load([&](ByteView body) { restore(body, client, now); }));
  if (dropped != nullptr) *dropped = damage;
  VG_TRY_VOID(file.rewrite(client.seen()));
  return file;
}

Result<void> MixSeenFile::append(const mix::SeenMessage& message, const mix::SeenMessages& seen) {
  auto whole = message;
  if (const auto* proof = seen.proof(message.id)) whole.proof = *proof;
  const auto written = file_.append(body_of(whole));
  if (!written) return rewrite(seen) ? ok() : written;
  const auto live = seen.entries().size() * (body_bytes + RecordFile::overhead_bytes);
  if (file_.bytes() < std::max(rewrite_at_, 2 * live + garbage_bytes_min)) return ok();
  if (!rewrite(seen)) rewrite_at_ = file_.bytes() + garbage_bytes_min;
  return ok();
}

Result<void> MixSeenFile::rewrite(const mix::SeenMessages& seen) {
  const auto content = [&](const RecordFile::Write& write) -> Result<void> {
    VG_TRY_VOID(write(body_of({nobody, seen.forgotten_until(), {}})));
    for (const auto& message : seen.entries()) VG_TRY_VOID(write(body_of(message)));
    return ok();
  };
  VG_TRY_VOID(file_.rewrite(content));
  rewrite_at_ = 0;
  return ok();
}

}  // namespace village::service
