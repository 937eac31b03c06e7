#include "service/stream_status.hpp"

namespace village::service {

std::byte status_of(Error error) {
  switch (error.code) {
    case Errc::refused:
      return stream_status::refused;
    case Errc::denied:
      return stream_status::denied;
    case Errc::net_unreachable:
      return stream_status::net_unreachable;
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
      return stream_status::host_unreachable;
    case Errc::timed_out:
      return stream_status::ttl_expired;
    case Errc::unsupported:
      return stream_status::unsupported;
    default:
      return stream_status::failed;
  }
}

std::optional<Error> error_of_status(std::byte status) {
  const auto detail = std::to_integer<std::uint32_t>(status);
  if (status == stream_status::connected) return std::nullopt;
  if (status == stream_status::failed) return Error{Errc::busy, detail};
  if (status == stream_status::denied) return Error{Errc::denied, detail};
  if (status == stream_status::net_unreachable) return Error{Errc::net_unreachable, detail};
  if (status == stream_status::host_unreachable) return Error{Errc::host_unreachable, detail};
  if (status == stream_status::ttl_expired) return Error{Errc::timed_out, detail};
  if (status == stream_status::unsupported || status == stream_status::bad_address_type)
    return Error{Errc::unsupported, detail};
  return Error{Errc::refused, detail};
}

}  // namespace village::service
