#include "village/base/error.hpp"

#include <stdexcept>
#include <string>

namespace village {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::truncated:
      return "truncated";
    case Errc::malformed:
      return "malformed";
    case Errc::trailing_bytes:
      return "trailing_bytes";
    case Errc::not_canonical:
      return "not_canonical";
    case Errc::limit_exceeded:
      return "limit_exceeded";
    case Errc::unsupported:
      return "unsupported";
    case Errc::bad_argument:
      return "bad_argument";
    case Errc::bad_tag:
      return "bad_tag";
    case Errc::bad_key:
      return "bad_key";
    case Errc::bad_signature:
      return "bad_signature";
    case Errc::bad_certificate:
      return "bad_certificate";
    case Errc::exhausted:
      return "exhausted";
    case Errc::replayed:
      return "replayed";
    case Errc::protocol:
      return "protocol";
    case Errc::flow_control:
      return "flow_control";
    case Errc::auth_failed:
      return "auth_failed";
    case Errc::version:
      return "version";
    case Errc::reset:
      return "reset";
    case Errc::closed:
      return "closed";
    case Errc::end_of_stream:
      return "end_of_stream";
    case Errc::refused:
      return "refused";
    case Errc::net_unreachable:
      return "net_unreachable";
    case Errc::host_unreachable:
      return "host_unreachable";
    case Errc::name_not_found:
      return "name_not_found";
    case Errc::name_failed:
      return "name_failed";
    case Errc::denied:
      return "denied";
    case Errc::timed_out:
      return "timed_out";
    case Errc::cancelled:
      return "cancelled";
    case Errc::busy:
      return "busy";
    case Errc::not_found:
      return "not_found";
    case Errc::already_exists:
      return "already_exists";
    case Errc::io:
      return "io";
    case Errc::internal:
      return "internal";
  }
  return "unknown";
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::runtime_error(std::string(name(error.code)) + " (" + std::to_string(error.detail) + ")");
}

}  // namespace village
