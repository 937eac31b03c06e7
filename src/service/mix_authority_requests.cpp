// MixAuthority: what nodes and other authorities ask of it.
#include <charconv>
#include <variant>

#include "service/mix_authority_state.hpp"
#include "village/base/log.hpp"
#include "village/base/metrics.hpp"
#include "village/crypto/hash.hpp"
#include "village/net/deadline.hpp"

namespace village::service {
namespace {

namespace asio = net::asio;

constexpr auto requests_help = "Requests to this authority, by what became of them.";
metrics::Counter answered{"villaged_mix_authority_requests_total", requests_help, "result=\"answered\""};
metrics::Counter refused{"villaged_mix_authority_requests_total", requests_help, "result=\"refused\""};
metrics::Counter limited{"villaged_mix_authority_requests_total", requests_help, "result=\"rate_limited\""};
metrics::Counter crowded{"villaged_mix_authority_requests_total", requests_help, "result=\"no_place\""};

constexpr std::string_view document_path = "/mixdir/v1/document/";
constexpr std::string_view descriptor_path = "/mixdir/v1/descriptor";
constexpr std::string_view statement_path = "/mixdir/v1/statement";
constexpr std::string_view signature_path = "/mixdir/v1/signature";

MixHttpReply status_reply(unsigned status) {
  MixHttpReply out;
  out.status = status;
  return out;
}

std::optional<mix::Epoch> epoch_in(std::string_view path) {
  path.remove_prefix(document_path.size());
  mix::Epoch epoch = 0;
  const auto read = std::from_chars(path.data(), path.data() + path.size(), epoch);
  if (read.ec != std::errc{} || read.ptr != path.data() + path.size()) return std::nullopt;
  return epoch;
}

/// status_of is what a node or authority is told about what it sent.
unsigned status_of(const Result<void>& taken) {
  if (taken) return 200;
  switch (taken.error().code) {
    case Errc::bad_signature:
    case Errc::denied:
      return 403;
    case Errc::already_exists:
    case Errc::replayed:
      return 409;
    case Errc::limit_exceeded:
      return 413;
    case Errc::busy:
      return 503;
    default:
      return 400;
  }
}

}  // namespace

asio::awaitable<void> MixAuthority::State::connection(net::StreamPtr stream, std::optional<net::Ip> from) {
  const auto ip = net::unmapped(from.value_or(net::Ip{Ipv4Address{}}));
  auto place = Place::take(places, settings.connections_max);
  auto share = shares.take(ip, settings.connections_share_max);
  if (!place || !share) {
    crowded.add();
    co_return;
  }
  const auto source = std::visit([](const auto& address) { return htx::source_prefix(address); }, ip);
  if (!buckets.has_token(source, core.clock().now())) {
    limited.add();
    co_return;
  }
  buckets.take(source, core.clock().now());
  std::optional<Host> host;
  if (from) host = std::visit([](const auto& address) { return Host{address}; }, ip);
  Visit visit{*this, host};
  co_await serve_mix_http(core, *stream, visit, net::after(core, settings.request_timeout));
}

Result<std::size_t> MixAuthority::State::Visit::on_head(const MixHttpRequest& head) {
  if (head.path == descriptor_path && head.method == "PUT") return mix::limits::descriptor_bytes_max;
  if (head.path.starts_with(document_path) && head.method == "GET") return std::size_t{0};
  const bool statement = head.path == statement_path;
  if ((statement || head.path == signature_path) && head.method == "POST") {
    const auto signer = request_signer(head);
    if (!signer || !state_.is_authority(signer->key)) {
      refused.add();
      return fail(Errc::refused, 403);
    }
    if (!statement) return limits::mix_http_signatures_bytes_max;
    place_ = Place::take(state_.statements, limits::mix_http_statements_max);
    if (!place_) {
      crowded.add();
      return fail(Errc::refused, 503);
    }
    return mix::limits::statement_bytes_max;
  }
  refused.add();
  const bool known = statement || head.path == descriptor_path || head.path == signature_path ||
                     head.path.starts_with(document_path);
  return fail(Errc::refused, known ? 405 : 404);
}

MixHttpReply MixAuthority::State::Visit::answer(const MixHttpRequest& request) {
  answered.add();
  auto& machine = state_.authority;
  const auto body = as_bytes(request.body);
  if (request.path.starts_with(document_path)) {
    const auto epoch = epoch_in(request.path);
    MixHttpReply reply;
    if (epoch) reply.body = machine.published(*epoch);
    reply.status = reply.body ? 200 : 404;
    return reply;
  }
  if (request.path == descriptor_path) {
    const auto taken = machine.on_descriptor(body, from_, state_.wall());
    if (!taken) VG_LOG(debug, "mix", "descriptor_refused reason={}", name(taken.error().code));
    return status_reply(status_of(taken));
  }
  const auto signer = request_signer(request);
  if (!signer || crypto::sha256(body) != signer->digest) return status_reply(400);
  const auto taken = request.path == statement_path ? machine.on_statement(body, state_.wall())
                                                    : machine.on_signatures(body, state_.wall());
  state_.wake.notify();  // it may have something to pass on
  return status_reply(status_of(taken));
}

}  // namespace village::service
