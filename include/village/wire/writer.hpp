#pragma once
// Writer: bounded output, big-endian unless the name says `le`.
#include <algorithm>
#include <cstdint>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"
#include "village/base/error.hpp"

namespace village::wire {

/// Writer fills memory of the caller: a fixed span, or a Bytes that grows up to a bound.
/// The first write that does not fit sets a sticky flag; from then on nothing is written. Look at it once, at
/// the end: `VG_TRY(message, writer.finish());`. A write costs a comparison and a store in the fixed form.
class Writer {
 public:
  /// Writes into `out`, at most out.size() bytes.
  explicit Writer(ByteSpan out) : memory_{out.data()}, capacity_{out.size()} {}
  /// Appends to `out`, which may then hold at most `bytes_max` in all. `out` must outlive the writer and stay
  /// untouched.
  Writer(Bytes& out, std::size_t bytes_max) : growing_{&out}, capacity_{bytes_max}, at_{out.size()} {
    VG_CHECK(at_ <= bytes_max);
  }

  void u8(std::uint8_t value) { integer<1, false>(value); }
  void u16(std::uint16_t value) { integer<2, false>(value); }
  /// u24 needs value < 2^24 (VG_CHECKed).
  void u24(std::uint32_t value) {
    VG_CHECK(value < (1U << 24));
    integer<3, false>(value);
  }
  void u32(std::uint32_t value) { integer<4, false>(value); }
  void u64(std::uint64_t value) { integer<8, false>(value); }
  void u16le(std::uint16_t value) { integer<2, true>(value); }
  void u24le(std::uint32_t value) {
    VG_CHECK(value < (1U << 24));
    integer<3, true>(value);
  }
  void u32le(std::uint32_t value) { integer<4, true>(value); }
  void u64le(std::uint64_t value) { integer<8, true>(value); }

  void bytes(ByteView data) {
    if (std::byte* to = reserve(data.size())) std::copy(data.begin(), data.end(), to);
  }
  void text(std::string_view data) { bytes(as_bytes(data)); }
  void zeros(std::size_t count) {
    if (std::byte* to = reserve(count)) std::fill_n(to, count, std::byte{0});
  }
  /// gap hands out `count` bytes to be filled by the caller (an AEAD, a hash) before the next write; empty on
  /// overflow.
  ByteSpan gap(std::size_t count) {
    std::byte* to = reserve(count);
    return to != nullptr ? ByteSpan{to, count} : ByteSpan{};
  }
  /// patch_u16 overwrites two bytes written before, for a length that is known later. Nothing after an
  /// overflow.
  void patch_u16(std::size_t position, std::uint16_t value) {
    if (overflowed_) return;
    VG_CHECK(position + 2 <= at_);
    base()[position] = static_cast<std::byte>(value >> 8);
    base()[position + 1] = static_cast<std::byte>(value);
  }

  bool overflowed() const { return overflowed_; }
  std::size_t position() const { return at_; }
  std::size_t remaining() const { return capacity_ - at_; }
  /// written views all that was written (the growing form: with what was there before).
  ByteView written() const { return {growing_ != nullptr ? growing_->data() : memory_, at_}; }
  /// finish is written(), or limit_exceeded (detail = capacity) if something did not fit.
  Result<ByteView> finish() const {
    if (overflowed_) return fail(Errc::limit_exceeded, capacity_);
    return written();
  }

 private:
  std::byte* base() { return growing_ != nullptr ? growing_->data() : memory_; }

  std::byte* reserve(std::size_t count) {
    if (overflowed_ || count > capacity_ - at_) {
      overflowed_ = true;
      return nullptr;
    }
    if (growing_ != nullptr) growing_->resize(at_ + count);
    std::byte* to = base() + at_;
    at_ += count;
    return to;
  }

  template <std::size_t N, bool little>
  void integer(std::uint64_t value) {
    std::byte* to = reserve(N);
    if (to == nullptr) return;
    for (std::size_t i = 0; i < N; ++i) {
      to[little ? i : N - 1 - i] = static_cast<std::byte>(value);
      value >>= 8;
    }
  }

  std::byte* memory_ = nullptr;
  Bytes* growing_ = nullptr;
  std::size_t capacity_;
  std::size_t at_ = 0;
  bool overflowed_ = false;
};

}  // namespace village::wire
