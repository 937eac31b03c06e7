#include "village/proxy/socks5.hpp"

#include "village/wire/reader.hpp"

namespace village::proxy {
namespace {

constexpr std::uint8_t socks_version = 5;
constexpr std::uint8_t password_version = 1;  // RFC 1929
constexpr std::uint8_t method_none = 0x00;
constexpr std::uint8_t method_password = 0x02;
constexpr std::uint8_t method_unacceptable = 0xff;

/// A name that is written like an address is one: routes by address range must see it.
Target canonical(Target target) {
  if (const auto* name = std::get_if<DomainName>(&target.host)) {
    if (auto host = parse_host(name->text())) target.host = *std::move(host);
  }
  return target;
}

}  // namespace

Socks5Reply socks5_reply(Errc code) {
  switch (code) {
    case Errc::refused:
      return Socks5Reply::refused;
    case Errc::net_unreachable:
      return Socks5Reply::net_unreachable;
    case Errc::host_unreachable:
    case Errc::name_not_found:
    case Errc::name_failed:
    case Errc::timed_out:
      return Socks5Reply::host_unreachable;
    case Errc::denied:
      return Socks5Reply::not_allowed;
    case Errc::unsupported:
      return Socks5Reply::command_not_supported;
    default:
      return Socks5Reply::general_failure;
  }
}

void write_socks5_reply(wire::Writer& writer, Socks5Reply reply, const std::optional<Target>& bound) {
  writer.u8(socks_version);
  writer.u8(static_cast<std::uint8_t>(reply));
  writer.u8(0);
  wire::write_target(writer, bound ? *bound : Target{Ipv4Address{}, 0});
}

std::size_t Socks5Handshake::on_bytes(ByteView in) {
  std::size_t taken = 0;
  while (state_ != State::done && state_ != State::failed) {
    const auto want = wanted();
    VG_CHECK(want <= message_.size());
    if (size_ == want) {
      on_message();
      continue;
    }
    const auto step = std::min(want - size_, in.size() - taken);
    if (step == 0) break;
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(taken), step,
                message_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += step;
    taken += step;
    on_prefix();
  }
  return taken;
}

std::size_t Socks5Handshake::wanted() const {
  const auto at = [this](std::size_t i) { return std::to_integer<std::size_t>(message_[i]); };
  switch (state_) {
    case State::greeting:
      return size_ < 2 ? 2 : 2 + at(1);
    case State::password: {
      if (size_ < 2) return 2;
      const auto user_end = 2 + at(1);
      return size_ <= user_end ? user_end + 1 : user_end + 1 + at(user_end);
    }
    default:
      break;
  }
  if (size_ < 5) return 5;  // the shortest request has 8 bytes, so a fifth always comes
  switch (wire::AddressType{static_cast<std::uint8_t>(at(3))}) {
    case wire::AddressType::ipv4:
      return 4 + 4 + 2;
    case wire::AddressType::ipv6:
      return 4 + 16 + 2;
    case wire::AddressType::name:
      return 4 + 1 + at(4) + 2;
  }
  return size_;  // on_prefix refused it
}

void Socks5Handshake::on_prefix() {
  const auto at = [this](std::size_t i) { return std::to_integer<unsigned>(message_[i]); };
  const auto version = state_ == State::password ? password_version : socks_version;
  if (at(0) != version) return fail_with(Errc::version);
  if (state_ != State::request || size_ < 4) return;
  if (at(1) < 1 || at(1) > 3 || at(1) == static_cast<unsigned>(Socks5Command::bind)) {
    return refuse(Socks5Reply::command_not_supported, Errc::unsupported);
  }
  if (at(2) != 0) return refuse(Socks5Reply::general_failure, Errc::malformed);
  if (at(3) != 1 && at(3) != 3 && at(3) != 4) {
    return refuse(Socks5Reply::address_not_supported, Errc::unsupported);
  }
}

void Socks5Handshake::on_message() {
  switch (state_) {
    case State::greeting:
      on_greeting();
      break;
    case State::password:
      on_password();
      break;
    default:
      on_request();
      break;
  }
  size_ = 0;
}

void Socks5Handshake::on_greeting() {
  const auto method = users_.empty() ? method_none : method_password;
  const auto offered = ByteView{message_}.subspan(2, size_ - 2);
  if (std::find(offered.begin(), offered.end(), std::byte{method}) == offered.end()) {
    say(socks_version, method_unacceptable);
    return fail_with(Errc::auth_failed);
  }
  say(socks_version, method);
  state_ = method == method_password ? State::password : State::request;
}

void Socks5Handshake::on_password() {
  const auto user_size = std::to_integer<std::size_t>(message_[1]);
  const auto message = as_text(ByteView{message_}.first(size_));
  const bool allowed = users_.allows(message.substr(2, user_size), message.substr(2 + user_size + 1));
  crypto::wipe(message_);
  say(password_version, allowed ? 0 : 1);
  if (!allowed) return fail_with(Errc::auth_failed);
  state_ = State::request;
}

void Socks5Handshake::on_request() {
  const Socks5Command command{std::to_integer<std::uint8_t>(message_[1])};
  wire::Reader reader{ByteView{message_}.subspan(3, size_ - 3)};
  auto target = wire::read_target(reader, command != Socks5Command::connect);
  if (!target) return refuse(Socks5Reply::general_failure, Errc::malformed);
  request_ = Socks5Request{command, canonical(*std::move(target))};
  state_ = State::done;
}

void Socks5Handshake::say(std::uint8_t version, std::uint8_t code) {
  VG_CHECK(output_bytes_ + 2 <= output_.size());
  output_[output_bytes_++] = std::byte{version};
  output_[output_bytes_++] = std::byte{code};
}

void Socks5Handshake::fail_with(Errc error) {
  state_ = State::failed;
  error_ = error;
}

void Socks5Handshake::refuse(Socks5Reply reply, Errc error) {
  wire::Writer writer{ByteSpan{output_}.subspan(output_bytes_)};
  write_socks5_reply(writer, reply);
  VG_CHECK(!writer.overflowed());
  output_bytes_ += writer.position();
  fail_with(error);
}

Result<Socks5Datagram> parse_socks5_datagram(ByteView in) {
  wire::Reader reader{in};
  VG_TRY(reserved, reader.u16());
  if (reserved != 0) return fail(Errc::malformed, 0);
  VG_TRY(fragment, reader.u8());
  if (fragment != 0) return fail(Errc::unsupported, fragment);
  VG_TRY(target, wire::read_target(reader));
  return Socks5Datagram{canonical(std::move(target)), reader.rest()};
}

void write_socks5_datagram_header(wire::Writer& writer, const Target& source) {
  writer.u16(0);
  writer.u8(0);
  wire::write_target(writer, source);
}

}  // namespace village::proxy
