#pragma once
// DatagramQueue: datagrams of all streams that wait to be sent, in order, in pooled blocks. Bounded for each
// stream and in all; what does not fit is dropped by the sender, which is what datagrams are for.
#include "htx/send_queue.hpp"
#include "htx/stream.hpp"

namespace village::htx {

class DatagramQueue {
 public:
  DatagramQueue() = default;
  DatagramQueue(const DatagramQueue&) = delete;
  DatagramQueue& operator=(const DatagramQueue&) = delete;
  ~DatagramQueue() { clear(); }

  bool empty() const { return head_ == nullptr; }
  /// push copies head|data behind what waits. false: the stream's share or the whole queue is full.
  [[nodiscard]] bool push(Stream& stream, ByteView head, ByteView data);
  /// front is the oldest datagram; not for an empty queue.
  ByteView front() const;
  Stream& front_stream() const { return *record().stream; }
  void pop();
  /// forget drops what waits for `stream`. O(bytes in the queue) if anything does, else O(1).
  void forget(Stream& stream);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Record {
    Stream* stream;  ///< nullptr: forgotten
    std::size_t bytes;
  };
  static std::size_t charge(std::size_t bytes) { return (sizeof(Record) + bytes + 7) / 8 * 8; }
  Record record() const;
  void advance();
  void skip_forgotten();
  void clear();

  Block* head_ = nullptr;
  Block* tail_ = nullptr;
  std::size_t bytes_ = 0;  ///< records counted
};

}  // namespace village::htx
