#pragma once
// Reader: the only way in which raw input is indexed. Bounded, big-endian unless the name says `le`.
#include <algorithm>
#include <cstdint>
#include <span>

#include "village/base/bytes.hpp"
#include "village/base/error.hpp"

namespace village::wire {

/// Reader walks over a view that it does not own; what it returns are views into the same memory.
/// Every step either succeeds and advances, or fails with `truncated` (detail = offset) and does not move.
/// All of it is inline; a step costs a comparison and a load. Copy it to look ahead.
class Reader {
 public:
  explicit Reader(ByteView in) : in_{in} {}

  Result<std::uint8_t> u8() { return integer<std::uint8_t, 1, false>(); }
  Result<std::uint16_t> u16() { return integer<std::uint16_t, 2, false>(); }
  Result<std::uint32_t> u24() { return integer<std::uint32_t, 3, false>(); }
  Result<std::uint32_t> u32() { return integer<std::uint32_t, 4, false>(); }
  Result<std::uint64_t> u64() { return integer<std::uint64_t, 8, false>(); }
  Result<std::uint16_t> u16le() { return integer<std::uint16_t, 2, true>(); }
  Result<std::uint32_t> u24le() { return integer<std::uint32_t, 3, true>(); }
  Result<std::uint32_t> u32le() { return integer<std::uint32_t, 4, true>(); }
  Result<std::uint64_t> u64le() { return integer<std::uint64_t, 8, true>(); }

  /// bytes takes the next `count` bytes.
  Result<ByteView> bytes(std::size_t count) {
    if (count > remaining()) return short_of_input();
    const auto view = in_.subspan(at_, count);
    at_ += count;
    return view;
  }
  /// fixed takes N bytes with the size in the type.
  template <std::size_t N>
  Result<std::span<const std::byte, N>> fixed() {
    if (N > remaining()) return short_of_input();
    const auto view = in_.subspan(at_).template first<N>();
    at_ += N;
    return view;
  }
  /// fill copies out.size() bytes into memory of the caller.
  Result<void> fill(ByteSpan out) {
    VG_TRY(view, bytes(out.size()));
    std::copy(view.begin(), view.end(), out.begin());
    return ok();
  }
  /// text takes `count` bytes as text, not checked for UTF-8.
  Result<std::string_view> text(std::size_t count) {
    VG_TRY(view, bytes(count));
    return as_text(view);
  }
  Result<void> skip(std::size_t count) {
    VG_TRY_VOID(bytes(count));
    return ok();
  }
  /// peek shows the next byte without taking it.
  Result<std::uint8_t> peek() const {
    if (at_end()) return short_of_input();
    return std::to_integer<std::uint8_t>(in_[at_]);
  }
  /// rest takes all that is left, perhaps nothing.
  ByteView rest() {
    const auto view = in_.subspan(at_);
    at_ = in_.size();
    return view;
  }

  bool at_end() const { return at_ == in_.size(); }
  std::size_t position() const { return at_; }
  std::size_t remaining() const { return in_.size() - at_; }
  /// since gives what was read from `start`, a former position(), until now.
  ByteView since(std::size_t start) const { return in_.subspan(start, at_ - start); }
  /// finish is how a parser ends: trailing_bytes (detail = offset) if anything is left.
  Result<void> finish() const {
    if (!at_end()) return fail(Errc::trailing_bytes, at_);
    return ok();
  }

 private:
  Error short_of_input() const { return fail(Errc::truncated, at_); }

  template <class T, std::size_t N, bool little>
  Result<T> integer() {
    if (N > remaining()) return short_of_input();
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < N; ++i) {
      value = value << 8 | std::to_integer<std::uint64_t>(in_[at_ + (little ? N - 1 - i : i)]);
    }
    at_ += N;
    return static_cast<T>(value);
  }

  ByteView in_;
  std::size_t at_ = 0;
};

}  // namespace village::wire
