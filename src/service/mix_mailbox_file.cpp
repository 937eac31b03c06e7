#include "service/mix_mailbox_file.hpp"

#include <algorithm>

#include "village/sphinx/limits.hpp"
#include "village/wire/reader.hpp"
#include "village/wire/writer.hpp"

namespace village::service {
namespace {

constexpr std::string_view file_mark = "villaged mix mailboxes 1";
constexpr std::size_t head_bytes = 1 + wire::NodeId::size + 8 + 8 + 16;
constexpr std::size_t body_bytes_max = head_bytes + sphinx::limits::payload_bytes_max;
constexpr std::size_t garbage_bytes_min = 16 * 1024 * 1024;

enum class Kind : std::uint8_t { stored = 1, acknowledged = 2, last = 3 };

Bytes short_body(Kind kind, const wire::NodeId& client, std::uint64_t sequence) {
  Bytes body;
  wire::Writer writer{body, body_bytes_max};
  writer.u8(static_cast<std::uint8_t>(kind));
  writer.bytes(client.view());
  writer.u64(sequence);
  return body;
}

Bytes stored_body(const wire::NodeId& client, const mix::Mailbox::Message& message) {
  auto body = short_body(Kind::stored, client, message.sequence);
  wire::Writer writer{body, body_bytes_max};
  const auto since = std::max(message.stored.time_since_epoch(), Duration{0});
  writer.u64(static_cast<std::uint64_t>(since.count()));
  writer.bytes(message.identifier);
  writer.bytes(message.payload);
  VG_CHECK(!writer.overflowed());
  return body;
}

/// replay does again what a record says; a body that makes no sense is skipped, its sum was right.
Result<void> replay(ByteView body, mix::Mailbox& mailbox, mix::Moment now) {
  wire::Reader reader{body};
  VG_TRY(kind, reader.u8());
  VG_TRY(id, reader.fixed<wire::NodeId::size>());
  VG_TRY(sequence, reader.u64());
  const auto client = wire::NodeId::from_bytes(id);
  if (!mailbox.serves(client)) return ok();
  if (kind == static_cast<std::uint8_t>(Kind::stored)) {
    VG_TRY(stored, reader.u64());
    mix::Mailbox::Message message;
    message.sequence = sequence;
    message.stored =
        WallTime{Duration{static_cast<Duration::rep>(std::min<std::uint64_t>(stored, INT64_MAX))}};
    VG_TRY_VOID(reader.fill(message.identifier));
    message.payload = reader.rest();
    return mailbox.restore(client, message, now);
  }
  if (kind == static_cast<std::uint8_t>(Kind::acknowledged)) mailbox.acknowledge(client, sequence);
  if (kind == static_cast<std::uint8_t>(Kind::last)) mailbox.raise_sequence(client, sequence);
  return ok();
}

}  // namespace

Result<MixMailboxFile> MixMailboxFile::open(std::string path, mix::Mailbox& mailbox, mix::Moment now,
                                            std::size_t* dropped) {
  MixMailboxFile file;
  file.file_ = RecordFile{std::move(path), file_mark, body_bytes_max};
  VG_TRY(damage, file.file_.load([&](ByteView body) { (void)replay(body, mailbox, now); }));
  if (dropped != nullptr) *dropped = damage;
  mailbox.expire(now);
  VG_TRY_VOID(file.rewrite(mailbox));
  return file;
}

Result<void> MixMailboxFile::stored(const wire::NodeId& client, const mix::Mailbox::Message& message,
                                    const mix::Mailbox& mailbox) {
  return append(stored_body(client, message), mailbox);
}

Result<void> MixMailboxFile::acknowledged(const wire::NodeId& client, std::uint64_t sequence,
                                          const mix::Mailbox& mailbox) {
  return append(short_body(Kind::acknowledged, client, sequence), mailbox);
}

Result<void> MixMailboxFile::append(ByteView body, const mix::Mailbox& mailbox) {
  const auto written = file_.append(body);
  if (written) return shrink(mailbox);
  // What the file lacks now stands in the mailbox: written anew it has all, if the disk allows.
  if (rewrite(mailbox)) return ok();
  return written;
}

Result<void> MixMailboxFile::shrink(const mix::Mailbox& mailbox) {
  const auto live = mailbox.bytes() + mailbox.messages() * (head_bytes + RecordFile::overhead_bytes);
  if (file_.bytes() < std::max(rewrite_at_, 2 * live + garbage_bytes_min)) return ok();
  if (!rewrite(mailbox)) rewrite_at_ = file_.bytes() + garbage_bytes_min;  // a full disk: not again for each
  return ok();
}

Result<void> MixMailboxFile::rewrite(const mix::Mailbox& mailbox) {
  const auto content = [&](const RecordFile::Write& write) -> Result<void> {
    for (const auto& client : mailbox.clients()) {
      std::uint64_t after = 0;
      while (const auto message = mailbox.next(client, after)) {
        VG_TRY_VOID(write(stored_body(client, *message)));
        after = message->sequence;
      }
      const auto last = mailbox.last_sequence(client);
      if (last > after) VG_TRY_VOID(write(short_body(Kind::last, client, last)));
    }
    return ok();
  };
  VG_TRY_VOID(file_.rewrite(content));
  rewrite_at_ = 0;
  return ok();
}

}  // namespace village::service
