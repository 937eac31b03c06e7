#pragma once
// Rows: how a batch lies in memory. A field of many packets or records is rows of equal length at equal
// distances, so a batch function works on the packets where they are.
#include <span>
#include <type_traits>

#include "village/base/bytes.hpp"
#include "village/base/check.hpp"

namespace village::crypto {

/// BasicRows is `count` rows of `bytes` bytes; row i begins at i * stride of `area` (VG_CHECKed to hold
/// them). A view: lives as long as the area.
template <class Byte>
class BasicRows {
 public:
  BasicRows(std::span<Byte> area, std::size_t bytes, std::size_t stride, std::size_t count)
      : data_{area.data()}, bytes_{bytes}, stride_{stride}, count_{count} {
    VG_CHECK(count > 0 && (count - 1) * stride + bytes <= area.size());
  }
  /// Rows of consecutive arrays.
  template <class Array, std::size_t E>
  requires(sizeof(Array) ==
           std::tuple_size_v<std::remove_const_t<Array>>) explicit BasicRows(std::span<Array, E> arrays)
      : data_{arrays.front().data()},
        bytes_{arrays.front().size()},
        stride_{sizeof(Array)},
        count_{arrays.size()} {}
  /// Rows are ConstRows.
  template <class Other>
  requires(std::is_same_v<const Other, Byte>)
      BasicRows(const BasicRows<Other>& rows)  // NOLINT: implicit on purpose
      : data_{rows.data()}, bytes_{rows.bytes()}, stride_{rows.stride()}, count_{rows.size()} {}
  /// repeated is one row that stands for `count`; not for output.
  static BasicRows repeated(std::span<Byte> row, std::size_t count) requires(std::is_const_v<Byte>) {
    return {row, row.size(), 0, count};
  }

  std::span<Byte> operator[](std::size_t i) const {
    VG_DCHECK(i < count_);
    return {data_ + i * stride_, bytes_};
  }
  /// part is rows begin .. begin + count - 1.
  BasicRows part(std::size_t begin, std::size_t count) const {
    VG_CHECK(count > 0 && begin + count <= count_);
    return {{data_ + begin * stride_, (count - 1) * stride_ + bytes_}, bytes_, stride_, count};
  }
  /// columns is bytes offset .. offset + bytes - 1 of every row.
  BasicRows columns(std::size_t offset, std::size_t bytes) const {
    VG_CHECK(offset + bytes <= bytes_);
    return {{data_ + offset, (count_ - 1) * stride_ + bytes}, bytes, stride_, count_};
  }

  Byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }    ///< of one row
  std::size_t stride() const { return stride_; }  ///< from row to row; 0 if repeated
  std::size_t size() const { return count_; }

 private:
  Byte* data_;
  std::size_t bytes_, stride_, count_;
};

using Rows = BasicRows<std::byte>;
using ConstRows = BasicRows<const std::byte>;

}  // namespace village::crypto
