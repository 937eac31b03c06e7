#pragma once
// Errors that a peer, a user or the network can cause: values, never exceptions.
#include <boost/system/result.hpp>
#include <cstdint>
#include <string_view>
#include <utility>

namespace village {

/// Errc names what went wrong. One list for the house, so that a counter or a log line means the same
/// everywhere.
enum class Errc : std::uint16_t {
  // input
  truncated = 1,   ///< more bytes are needed than are there; detail = offset
  malformed,       ///< violates the format; detail = offset or field
  trailing_bytes,  ///< something follows where nothing may
  not_canonical,   ///< valid value, forbidden encoding
  limit_exceeded,  ///< longer, deeper or more than we accept
  unsupported,     ///< known or unknown feature that this side does not speak
  bad_argument,    ///< the caller's own mistake, found before anything was done
  // cryptography
  bad_tag,          ///< authentication of a message failed
  bad_key,          ///< key of wrong size, low order, or not on the curve
  bad_signature,    ///< signature does not verify
  bad_certificate,  ///< chain, name, pin or date does not verify; detail = X509 verify code
  exhausted,        ///< counter or key used up; rekey first
  replayed,         ///< seen before
  // protocol
  protocol,       ///< the peer broke a rule of the protocol's state machine; detail = protocol's code
  flow_control,   ///< the peer sent more than its credit
  auth_failed,    ///< the peer is not who it must be, or is not allowed
  version,        ///< no common version or suite
  reset,          ///< the peer or the network reset the connection or stream; detail = peer's code
  closed,         ///< this side closed it already
  end_of_stream,  ///< orderly end before the expected bytes came
  // outside world
  refused,           ///< nobody listens, or the peer said no
  net_unreachable,   ///< no route
  host_unreachable,  ///< no answer from the host
  name_not_found,    ///< DNS says there is no such name
  name_failed,       ///< DNS did not answer
  denied,            ///< forbidden by our own policy
  timed_out,         ///< the deadline passed
  cancelled,         ///< the operation was cancelled from this side
  busy,              ///< a limit of this node is reached; try later
  not_found,         ///< no such thing
  already_exists,    ///< there is one already
  io,                ///< the operating system refused; detail = errno
  internal,          ///< our own defect; counted
};

/// Error is a code and a number whose meaning stands beside the code. Fits a register.
struct Error {
  Errc code;
  std::uint32_t detail = 0;
  friend bool operator==(const Error&, const Error&) = default;
};

/// name gives the code's spelling for logs, metrics and JSON: "bad_tag".
std::string_view name(Errc code);

/// throw_exception_from_error is what Result::value() calls on failure (found by ADL). Only code outside any
/// peer's reach may use value().
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

/// Result is a value or an Error. The choice of library is hidden here (design section 3).
template <class T>
using Result = boost::system::result<T, Error>;

/// fail makes an Error: `return fail(Errc::truncated, offset);`
inline Error fail(Errc code, std::uint64_t detail = 0) {
  return Error{code, static_cast<std::uint32_t>(detail)};
}

/// ok is the value of a Result<void> that succeeded.
inline Result<void> ok() { return boost::system::in_place_value; }

}  // namespace village

/// VG_TRY(name, expr): name becomes the value of expr, or the enclosing function returns its error.
#define VG_TRY(name, expr)                \
  auto name##_r = (expr);                 \
  if (!name##_r) return name##_r.error(); \
  auto&& name = *std::move(name##_r)

/// VG_TRY_VOID(expr): the enclosing function returns expr's error, if it failed.
#define VG_TRY_VOID(expr)                               \
  do {                                                  \
    if (auto vg_r = (expr); !vg_r) return vg_r.error(); \
  } while (false)

/// VG_CO_TRY and VG_CO_TRY_VOID do the same in a coroutine.
#define VG_CO_TRY(name, expr)                \
  auto name##_r = (expr);                    \
  if (!name##_r) co_return name##_r.error(); \
  auto&& name = *std::move(name##_r)
#define VG_CO_TRY_VOID(expr)                               \
  do {                                                     \
    if (auto vg_r = (expr); !vg_r) co_return vg_r.error(); \
  } while (false)
