// htx.rtt, the handshakes: how many whole ones a second on one thread, and how many a responder manages. Keys
// of both sides are fresh each time; Split and the first traffic keys are included.
#include <cstdio>
#include <ctime>

#include "bench_htx.hpp"
#include "support/allocations.hpp"
#include "village/crypto/mlkem768.hpp"
#include "village/crypto/random.hpp"
#include "village/htx/keys.hpp"

namespace village::bench {
namespace {

constexpr auto suite = htx::Suite::xkhfs_aesgcm_sha256;

/// Flight is one of the three flights of a handshake, in a buffer of its own.
struct Flight {
  ByteArray<2'048> bytes;
  std::size_t size = 0;
  ByteView view() const { return ByteView{bytes}.first(size); }
};

void carry(htx::Handshake& from, htx::Handshake& to, Flight& flight) {
  flight.size = from.poll_transmit(flight.bytes);
  const auto used = to.receive(flight.view());
  must(used.has_value() && *used == flight.size, "a flight was refused");
}

/// traffic makes what a session makes of its keys: a sealer and an opener.
void traffic(htx::SessionKeys keys) {
  const htx::RecordSealer sealer{keys.algorithm, std::move(keys.client_to_server)};
  const htx::RecordOpener opener{keys.algorithm, std::move(keys.server_to_client)};
  keep(sealer.usage().frames + opener.usage().frames);
}

/// Times adds up what each side of many handshakes took.
struct Times {
  std::uint64_t initiator_ns = 0, responder_ns = 0;
};

/// cpu_ns is this thread's CPU time: what one core does, whoever else wants it.
std::uint64_t cpu_ns() {
  timespec time{};
  must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0, "no clock of this thread");
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

class Clocked {
 public:
  explicit Clocked(std::uint64_t& sum) : sum_{sum}, begin_{cpu_ns()} {}
  Clocked(const Clocked&) = delete;
  Clocked& operator=(const Clocked&) = delete;
  ~Clocked() { sum_ += cpu_ns() - begin_; }

 private:
  std::uint64_t& sum_;
  std::uint64_t begin_;
};

/// run does one handshake between fresh identities. Making the identities is not part of it.
void run(RandomSource& random, Times& times) {
  const auto client_identity = crypto::Ed25519KeyPair::generate(random);
  const auto server_identity = crypto::Ed25519KeyPair::generate(random);
  std::optional<htx::Handshake> client, server;
  Flight one, two, three;
  {
    const Clocked clock{times.initiator_ns};
    client.emplace(
        htx::Handshake::initiator(client_identity, server_identity.public_key, suite, {}, {}, random)
            .value());
    one.size = client->poll_transmit(one.bytes);
  }
  {
    const Clocked clock{times.responder_ns};
    server.emplace(htx::Handshake::responder(server_identity, {suite}, {}, {}, random));
    must(server->receive(one.view()).has_value(), "message 1 was refused");
    two.size = server->poll_transmit(two.bytes);
  }
  {
    const Clocked clock{times.initiator_ns};
    must(client->receive(two.view()).has_value(), "message 2 was refused");
    three.size = client->poll_transmit(three.bytes);
    must(client->done(), "the initiator is not done");
    traffic(client->finish());
  }
  {
    const Clocked clock{times.responder_ns};
    must(server->receive(three.view()).has_value() && server->done(), "message 3 was refused");
    auto keys = server->finish();
    must(keys.peer_key == client_identity.public_key, "another peer came out");
    traffic(std::move(keys));
  }
}

void check_once(RandomSource& random) {
  const auto client_identity = crypto::Ed25519KeyPair::generate(random);
  const auto server_identity = crypto::Ed25519KeyPair::generate(random);
  auto client =
      htx::Handshake::initiator(client_identity, server_identity.public_key, suite, {}, {}, random).value();
  auto server = htx::Handshake::responder(server_identity, {suite}, {}, {}, random);
  Flight flight;
  carry(client, server, flight);
  carry(server, client, flight);
  carry(client, server, flight);
  const auto a = client.finish(), b = server.finish();
  must(equal(a.client_to_server, b.client_to_server) && a.handshake_hash == b.handshake_hash,
       "the two sides have different keys");
}

}  // namespace

void run_handshakes(const Options& options, Report& report) {
  crypto::SystemRandom random;
  check_once(random);
  const std::size_t rounds = 9;
  const auto count = options.scaled(1'000, 100);
  std::vector<double> pairs, responders;
  const auto before = allocations().count;
  for (std::size_t round = 0; round < rounds; ++round) {
    Times times;
    for (std::uint64_t i = 0; i < count; ++i) run(random, times);
    const auto rate = [count](std::uint64_t ns) {
      return static_cast<double>(count) * 1e9 / static_cast<double>(ns);
    };
    pairs.push_back(rate(times.initiator_ns + times.responder_ns));
    responders.push_back(rate(times.responder_ns));
  }
  const auto each = static_cast<double>(allocations().count - before) / static_cast<double>(rounds * count);
  const auto text = [&](const Spread& spread, const char* what) {
    char line[300];
    std::snprintf(
        line, sizeof line,
        "%s, suite 5, in memory, CPU time of one thread, fresh identities each, record keys made; %zu x %zu, "
        "quartiles %.0f..%.0f; ML-KEM: %s; %.0f allocations a pair, identities included",
        what, rounds, static_cast<std::size_t>(count), spread.low, spread.high,
        crypto::mlkem768_implementation(), each);
    return std::string{line};
  };
  const auto pair = spread(pairs), responder = spread(responders);
  report.at_least("htx.rtt", "handshakes_per_s_pair", pair.median, "1/s", 2'000, text(pair, "both sides"));
  report.at_least("htx.rtt", "handshakes_per_s_responder", responder.median, "1/s", 4'500,
                  text(responder, "the responder's part"));
}

}  // namespace village::bench
