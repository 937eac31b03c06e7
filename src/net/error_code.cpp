#include "village/net/error_code.hpp"

#include <boost/asio/error.hpp>
#include <cerrno>

namespace village::net {
namespace {

Errc name_of(int code) {
  switch (code) {
    case ECONNREFUSED:
      return Errc::refused;
    case ENETUNREACH:
    case ENETDOWN:
    case EAFNOSUPPORT:
      return Errc::net_unreachable;
    case EHOSTUNREACH:
    case EHOSTDOWN:
      return Errc::host_unreachable;
    case ETIMEDOUT:
      return Errc::timed_out;
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case EPIPE:
      return Errc::reset;
    case ECANCELED:
      return Errc::cancelled;
    case EBADF:
      return Errc::closed;
    case EACCES:
    case EPERM:
      return Errc::denied;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EAGAIN:
      return Errc::busy;
    case EADDRINUSE:
      return Errc::already_exists;
    case EADDRNOTAVAIL:
    case ENOENT:
      return Errc::not_found;
    case EINVAL:
      return Errc::bad_argument;
    case EMSGSIZE:
      return Errc::limit_exceeded;
    default:
      return Errc::io;
  }
}

}  // namespace

Error errno_error(int code) { return fail(name_of(code), static_cast<std::uint64_t>(code)); }

Error to_error(const boost::system::error_code& code) {
  if (code == boost::asio::error::eof) return fail(Errc::end_of_stream);
  if (code.category() == boost::system::system_category() ||
      code.category() == boost::system::generic_category()) {
    return errno_error(code.value());
  }
  return fail(Errc::io, static_cast<std::uint64_t>(code.value()));
}

}  // namespace village::net
