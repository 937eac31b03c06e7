// Messages over a stream: the same messages come out, whatever the pieces; what is whole is not copied.
#include "village/htx/messages.hpp"

#include "htx/pair.hpp"
#include "village/htx/limits.hpp"

namespace village::htx {
namespace {

using test::Pair;
using test::pattern;

Bytes framed(const std::vector<Bytes>& messages) {
  Bytes out;
  for (const auto& message : messages) {
    ByteArray<message_prefix_bytes> prefix;
    encode_message_prefix(message.size(), prefix);
    out.insert(out.end(), prefix.begin(), prefix.end());
    out.insert(out.end(), message.begin(), message.end());
  }
  return out;
}

std::vector<Bytes> read_all(MessageReader& reader, ByteView wire, std::size_t piece) {
  std::vector<Bytes> messages;
  while (!wire.empty()) {
    auto data = wire.first(std::min(piece, wire.size()));
    wire = wire.subspan(data.size());
    for (;;) {
      const auto message = reader.next(data);
      EXPECT_TRUE(message);
      if (!message || !*message) break;
      messages.push_back(to_bytes(**message));
    }
    EXPECT_TRUE(data.empty());
  }
  return messages;
}

TEST(Messages, ComeOutAsTheyWentInFromPiecesOfAnySize) {
  const std::vector<Bytes> sent{{}, pattern(1, 1), pattern(1'024, 2), pattern(3, 3), {}, pattern(9'000, 4)};
  const auto wire = framed(sent);
  for (std::size_t piece = 1; piece <= wire.size(); piece = piece < 1'100 ? piece + 1 : piece * 2) {
    MessageReader reader{9'000};
    ASSERT_EQ(read_all(reader, wire, piece), sent) << piece;
    EXPECT_FALSE(reader.mid_message());
  }
}

TEST(Messages, OneThatLiesWholeInThePieceIsViewedThere) {
  const auto wire = framed({pattern(100, 1), pattern(200, 2)});
  MessageReader reader{1'000};
  ByteView data{wire};
  const auto first = reader.next(data);
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->data(), wire.data() + message_prefix_bytes);
  const auto second = reader.next(data);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->data(), wire.data() + 2 * message_prefix_bytes + 100);
}

TEST(Messages, OneThatIsTooLongIsRefusedBeforeItArrives) {
  ByteArray<message_prefix_bytes> prefix;
  encode_message_prefix(1'001, prefix);
  MessageReader reader{1'000};
  ByteView data{prefix};
  const auto message = reader.next(data);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error(), fail(Errc::limit_exceeded, 1'001));
  const auto more = pattern(8, 1);
  data = more;
  EXPECT_FALSE(reader.next(data)) << "and stays refused";
}

TEST(Messages, AnAnnouncedLengthAllocatesNothing) {
  ByteArray<message_prefix_bytes> prefix;
  encode_message_prefix(std::size_t{1} << 31, prefix);
  MessageReader reader{std::size_t{1} << 32};
  ByteView data{prefix};
  const auto message = reader.next(data);
  ASSERT_TRUE(message);
  EXPECT_FALSE(*message);
  EXPECT_TRUE(reader.mid_message());
}

TEST(Messages, CrossASessionWholeUnderBackPressure) {
  Settings settings;
  settings.send_buffer_bytes = 16'384;
  Pair pair{settings};
  const auto stream = *pair.client.session.open();
  MessageWriter writer;
  std::vector<Bytes> sent;
  for (std::size_t i = 0; i < 200; ++i) sent.push_back(pattern(i * 113 % 40'000, i));
  for (const auto& message : sent) {
    while (!writer.send(pair.client.session, stream, message)) {
      EXPECT_TRUE(writer.mid_message());
      pair.client.writable.clear();
      pair.pump();
      ASSERT_TRUE(pair.client.writable.contains(stream));
    }
  }
  pair.pump();
  MessageReader reader{40'000};
  EXPECT_EQ(read_all(reader, pair.server.received[stream], 16'384), sent);
}

}  // namespace
}  // namespace village::htx
