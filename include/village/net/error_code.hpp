#pragma once
// How the operating system's and Asio's errors become the house's.
#include <boost/system/error_code.hpp>

#include "village/base/error.hpp"

namespace village::net {

/// to_error maps an error code; what has no name of its own becomes `io` with errno as detail.
/// ECONNREFUSED refused, ENETUNREACH/ENETDOWN/EAFNOSUPPORT net_unreachable, EHOSTUNREACH/EHOSTDOWN
/// host_unreachable, ETIMEDOUT timed_out, ECONNRESET/EPIPE/ECONNABORTED reset, ECANCELED cancelled, EBADF
/// closed, EACCES/EPERM denied, EMFILE/ENFILE/ENOBUFS/ENOMEM busy, EADDRINUSE already_exists,
/// EADDRNOTAVAIL/ENOENT not_found, EINVAL bad_argument, EMSGSIZE limit_exceeded, asio eof end_of_stream. The
/// detail is always errno.
Error to_error(const boost::system::error_code& code);
/// errno_error maps an errno.
Error errno_error(int code);

}  // namespace village::net
