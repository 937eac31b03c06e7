#include "village/htx/stream_header.hpp"

#include <algorithm>

#include "village/base/check.hpp"
#include "village/wire/socks_address.hpp"

namespace village::htx {
namespace {

bool is_known(std::uint8_t service) {
  return service >= 0x80 || (service >= static_cast<std::uint8_t>(Service::tcp) &&
                             service <= static_cast<std::uint8_t>(Service::file));
}

}  // namespace

std::string_view name(Status status) {
  switch (status) {
    case Status::connected:
      return "connected";
    case Status::general_failure:
      return "general_failure";
    case Status::not_allowed:
      return "not_allowed";
    case Status::network_unreachable:
      return "network_unreachable";
    case Status::host_unreachable:
      return "host_unreachable";
    case Status::connection_refused:
      return "connection_refused";
    case Status::ttl_expired:
      return "ttl_expired";
    case Status::command_not_supported:
      return "command_not_supported";
    case Status::address_type_not_supported:
      return "address_type_not_supported";
  }
  return "other";
}

Status status_of(Errc code) {
  switch (code) {
    case Errc::denied:
      return Status::not_allowed;
    case Errc::net_unreachable:
      return Status::network_unreachable;
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
      return Status::host_unreachable;
    case Errc::refused:
      return Status::connection_refused;
    case Errc::timed_out:
      return Status::ttl_expired;
    case Errc::unsupported:
      return Status::command_not_supported;
    default:
      return Status::general_failure;
  }
}

Errc errc_of(Status status) {
  switch (status) {
    case Status::not_allowed:
      return Errc::denied;
    case Status::network_unreachable:
      return Errc::net_unreachable;
    case Status::host_unreachable:
      return Errc::host_unreachable;
    case Status::connection_refused:
      return Errc::refused;
    case Status::ttl_expired:
      return Errc::timed_out;
    case Status::command_not_supported:
    case Status::address_type_not_supported:
      return Errc::unsupported;
    default:
      return Errc::io;
  }
}

Result<Bytes> encode_stream_header(const StreamHeader& header) {
  const bool wants_target = header.service == Service::tcp;
  if (wants_target != header.target.has_value()) return fail(Errc::bad_argument);
  if (wants_target && header.target->port == 0) return fail(Errc::bad_argument);
  Bytes out;
  wire::Writer writer{out, stream_header_bytes_max};
  writer.u8(static_cast<std::uint8_t>(header.service));
  if (wants_target) wire::write_target(writer, *header.target);
  VG_CHECK(!writer.overflowed());
  return out;
}

/// try_parse tells whether the header is whole; then size_ is its size.
Result<bool> StreamHeaderParser::try_parse() {
  wire::Reader reader{ByteView{bytes_}.first(size_)};
  const auto service = reader.u8();
  if (!service) return false;
  if (!is_known(*service)) return fail(Errc::unsupported, *service);
  StreamHeader header{static_cast<Service>(*service), std::nullopt};
  if (header.service == Service::tcp) {
    auto target = wire::read_target(reader);
    if (!target && target.error().code == Errc::truncated) return false;
    if (!target) return target.error();
    header.target = std::move(*target);
  }
  size_ = reader.position();
  header_ = std::move(header);
  return true;
}

Result<std::size_t> StreamHeaderParser::receive(ByteView in) {
  if (done()) return std::size_t{0};
  const auto before = size_;
  const auto piece = in.first(std::min(in.size(), bytes_.size() - size_));
  std::copy(piece.begin(), piece.end(), bytes_.data() + size_);
  size_ += piece.size();
  VG_TRY(whole, try_parse());
  return whole ? size_ - before : piece.size();
}

}  // namespace village::htx
