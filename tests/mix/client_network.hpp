#pragma once
// ClientNetwork: clients, gateways and mixes on simulated time. Nodes unwrap real packets; links lose, repeat
// and delay them; gateways keep what arrives in real mailboxes and talk to their clients in real records.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>

#include "village/mix/client.hpp"
#include "village/mix/gateway_records.hpp"
#include "village/mix/mailbox.hpp"
#include "village/sphinx/unwrap.hpp"

namespace village::mix::test {

/// NetworkOptions: what the network does to packets, per link.
struct NetworkOptions {
  std::uint64_t seed = 1;
  double loss = 0;
  double repeat = 0;
  Duration link_mean = 2ms;  ///< exponential: reorders
  Epochs epochs{std::chrono::hours{1}, std::chrono::seconds{10}};
  Parameters parameters{};
  std::size_t payload_bytes = 1'700;
  bool confirm = false;
  std::size_t mixes = 6;
  bool keep_deliveries = false;
  double down_share = 1;  ///< mean between deliveries, as a part of client_mean; 0 = at once
};

/// Received is what a client's user got.
struct Received {
  MessageReceived message;
  std::size_t times = 0;
};

class ClientNetwork {
 public:
  static constexpr std::size_t gateways = 2;
  const std::size_t mixes;

  explicit ClientNetwork(const NetworkOptions& options)
      : mixes{options.mixes},
        options_{options},
        random_{options.seed},
        records_{348 + options.payload_bytes} {
    for (std::size_t i = 0; i < mixes + gateways; ++i) nodes_.push_back(make_node(i));
    epoch_ = options_.epochs.at(wall_);
    view_ = make_view(epoch_);
  }

  /// add_client registers one at gateway 0 or 1 and opens its session.
  std::size_t add_client(std::size_t gateway) {
    User user{crypto::Ed25519KeyPair::generate(random_), gateway};
    EXPECT_TRUE(mailboxes_[gateway].add_client(wire::NodeId::of(user.key.public_key)));
    const auto mean = static_cast<double>(options_.parameters.client_mean.count()) * options_.down_share;
    user.down = std::make_unique<CoverStream>(Duration{static_cast<Duration::rep>(mean)}, random_, now_);
    users_.push_back(std::move(user));
    start(users_.size() - 1);
    return users_.size() - 1;
  }
  /// restart loses all that the client had in memory, but for the messages of its user and the seen file.
  void restart(std::size_t number) {
    users_[number].client.reset();
    start(number);
  }
  /// forget is a restart after which the gateway has nothing either.
  void forget(std::size_t number) {
    const auto& user = users_[number];
    ASSERT_TRUE(mailboxes_[user.gateway].remove_client(user.client->id()));
    ASSERT_TRUE(mailboxes_[user.gateway].add_client(user.client->id()));
    restart(number);
  }
  /// layer_of gives the mixes of a layer by their numbers.
  std::vector<std::size_t> layer_of(std::size_t layer) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (view_->find(nodes_[i].address)->layer == layer) out.push_back(i);
    }
    return out;
  }
  /// handed_over is every delivery so far, if options.keep_deliveries.
  struct HandedOver {
    std::size_t user;
    sphinx::Identifier identifier;
    Bytes payload;
  };
  const std::vector<HandedOver>& handed_over() const { return handed_over_; }
  /// kill makes a mix swallow everything.
  void kill(std::size_t mix) { nodes_[mix].dead = true; }
  void set_online(std::size_t number, bool online) {
    users_[number].online = online;
    if (online) open_session(number);
  }
  /// open_session is a new HTX session: the gateway hands over from the beginning.
  void open_session(std::size_t number) {
    users_[number].handed = 0;
    users_[number].client->on_session(now_);
  }

  MessageId send(std::size_t from, std::size_t to, Bytes bytes, const SendOptions& options = {}) {
    const auto id = client(from).send({users_[to].key.public_key, gateway_id(users_[to].gateway)}, bytes,
                                      options, now_, wall_);
    EXPECT_TRUE(id);
    sent_[*id] = std::move(bytes);
    return *id;
  }
  Result<MessageId> reply(std::size_t from, const MessageId& to, Bytes bytes) {
    const auto id = client(from).reply(to, bytes, 10min, now_, wall_);
    if (id) sent_[*id] = std::move(bytes);
    return id;
  }

  void run_for(Duration time) {
    const auto end = now_ + time;
    while (step(end)) {
    }
  }
  /// run_until_reported ends when every message sent was delivered or failed; false after `limit`.
  bool run_until_reported(Duration limit) {
    const auto end = now_ + limit;
    while (delivered_.size() + failed_.size() < sent_.size()) {
      if (!step(end)) return false;
    }
    return true;
  }

  /// check holds what was reported against what was received.
  void check() const {
    for (const auto& [id, bytes] : sent_) {
      const auto got = received_.find(id);
      const auto times = got == received_.end() ? 0 : got->second.times;
      EXPECT_LE(times, 1U) << to_hex(id);
      if (delivered_.contains(id)) {
        EXPECT_EQ(times, 1U) << to_hex(id) << ", " << bytes.size() << " bytes";
      }
      EXPECT_NE(delivered_.contains(id), failed_.contains(id)) << to_hex(id);
      if (times > 0) {
        EXPECT_EQ(got->second.message.bytes, bytes);
      }
    }
    for (const auto& [id, message] : received_) EXPECT_TRUE(sent_.contains(id));
  }

  Client& client(std::size_t number) { return *users_.at(number).client; }
  const std::map<MessageId, Received>& received() const { return received_; }
  const std::set<MessageId>& delivered() const { return delivered_; }
  const std::map<MessageId, SendFailure>& failed() const { return failed_; }
  wire::NodeId gateway_id(std::size_t gateway) const {
    return wire::NodeId::of(nodes_[mixes + gateway].key.public_key);
  }
  Mailbox& mailbox(std::size_t gateway) { return mailboxes_[gateway]; }
  crypto::Ed25519Public key(std::size_t number) const { return users_[number].key.public_key; }
  const crypto::Ed25519KeyPair& key_pair(std::size_t number) const { return users_[number].key; }
  /// inject lets a packet of somebody's own making begin at its first node.
  void inject(const sphinx::NodeAddress& first, Epoch epoch, ByteView packet) {
    launch(first, Epochs::rotation(epoch), packet, now_);
  }
  Instant now() const { return now_; }
  WallTime wall() const { return wall_; }
  SeededRandom& random() { return random_; }
  Bytes some(std::size_t size) {
    Bytes bytes(size);
    random_.fill(bytes);
    return bytes;
  }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t late() const { return late_; }

 private:
  struct Node {
    crypto::Ed25519KeyPair key;
    crypto::Ed25519Public vrf;
    sphinx::NodeAddress address;
    std::map<Epoch, crypto::X25519KeyPair> keys;
    std::set<sphinx::ReplayTag> seen;
    bool dead = false;
  };
  struct User {
    crypto::Ed25519KeyPair key;
    std::size_t gateway;
    std::unique_ptr<Client> client{};
    std::uint64_t handed = 0;
    bool online = true;
    std::vector<SeenMessage> seen_file{};
    std::unique_ptr<CoverStream> down{};
  };
  struct Flight {
    Instant at;
    std::uint64_t order;
    sphinx::NodeAddress to;
    std::byte rotation;
    Bytes packet;
    bool operator<(const Flight& other) const {
      return std::tie(other.at, other.order) < std::tie(at, order);
    }
  };

  Node make_node(std::size_t number) {
    Node node{
        crypto::Ed25519KeyPair::generate(random_),
        crypto::Ed25519KeyPair::generate(random_).public_key,
        sphinx::node_address(
            Ipv4Address{std::byte{10}, std::byte{0}, std::byte{0}, static_cast<std::byte>(number)}, 9'001),
        {},
        {}};
    return node;
  }
  const crypto::X25519KeyPair& key_of(Node& node, Epoch epoch) {
    const auto found = node.keys.find(epoch);
    if (found != node.keys.end()) return found->second;
    return node.keys.emplace(epoch, crypto::X25519KeyPair::generate(random_)).first->second;
  }
  std::shared_ptr<const MixView> make_view(Epoch epoch) {
    Document document;
    document.epoch = epoch;
    document.valid_from = options_.epochs.start(epoch);
    document.valid_until = options_.epochs.end(epoch);
    document.parameters = options_.parameters;
    document.parameters.distinct_networks = false;
    random_.fill(document.randomness);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      Descriptor descriptor;
      descriptor.key = nodes_[i].key.public_key;
      descriptor.vrf_key = nodes_[i].vrf;
      descriptor.mix_address = nodes_[i].address;
      descriptor.sphinx_keys = {{epoch, key_of(nodes_[i], epoch).public_key}};
      descriptor.roles.mix = i < mixes;
      descriptor.roles.gateway = i >= mixes;
      descriptor.capacity_pps = 1'000;
      descriptor.profiles = {"n2048"};
      document.nodes.push_back(std::move(descriptor));
    }
    std::sort(document.nodes.begin(), document.nodes.end(),
              [](const auto& a, const auto& b) { return a.id() < b.id(); });
    return MixView::make(document);
  }

  void start(std::size_t number) {
    auto& user = users_[number];
    ClientOptions options{gateway_id(user.gateway)};
    options.payload_bytes = options_.payload_bytes;
    options.epochs = options_.epochs;
    options.confirm = options_.confirm;
    user.client = std::make_unique<Client>(user.key, options, random_, now_);
    user.client->set_view(view_, now_);
    for (const auto& seen : user.seen_file) user.client->restore_seen(seen, {wall_, now_});
    open_session(number);
  }

  bool step(Instant end) {
    auto next = end;
    if (!flights_.empty()) next = std::min(next, flights_.top().at);
    for (const auto& user : users_) {
      if (user.online && user.down->enabled())
        next = std::min(next, std::max(*user.down->next_deadline(), now_));
      if (const auto deadline = user.client->next_deadline())
        next = std::min(next, std::max(*deadline, now_));
    }
    wall_ += next - now_;
    now_ = next;
    if (now_ >= end) return false;
    change_epoch();
    while (!flights_.empty() && flights_.top().at <= now_) {
      auto flight = flights_.top();
      flights_.pop();
      arrive(std::move(flight));
    }
    for (std::size_t i = 0; i < users_.size(); ++i) serve(i);
    return true;
  }

  void change_epoch() {
    const auto epoch = options_.epochs.at(wall_);
    if (epoch == epoch_) return;
    epoch_ = epoch;
    view_ = make_view(epoch);
    for (auto& user : users_) user.client->set_view(view_, now_);
  }

  void serve(std::size_t number) {
    auto& user = users_[number];
    if (user.online) hand_over(user);
    user.client->on_deadline(now_, wall_);
    drain_events(user);
    Bytes packet(348 + options_.payload_bytes), record(records_.record_bytes());
    while (const auto to = user.client->poll_packet(packet, now_, wall_)) {
      if (!user.online) continue;
      UpRecord up;
      up.kind = UpRecord::Kind::packet;
      user.client->poll_receipts(up.acknowledged);
      up.rotation = to->rotation;
      up.first = to->first;
      up.packet = packet;
      EXPECT_TRUE(records_.write(up, record));
      const auto read = records_.read_up(record).value();
      for (const auto sequence : read.acknowledged) {
        if (sequence != 0) mailboxes_[user.gateway].acknowledge(user.client->id(), sequence);
      }
      launch(read.first, read.rotation, read.packet, now_);
    }
    drain_events(user);
  }

  void hand_over(User& user) {
    Bytes record(records_.record_bytes());
    const auto& box = mailboxes_[user.gateway];
    while (!user.down->enabled() || user.down->take(now_)) {
      const auto message = box.next(user.client->id(), user.handed);
      if (!message) {
        if (user.down->enabled()) continue;  // an empty record
        break;
      }
      user.handed = message->sequence;
      DownRecord down;
      down.kind = DownRecord::Kind::delivery;
      down.sequence = message->sequence;
      down.identifier = message->identifier;
      down.payload = message->payload;
      EXPECT_TRUE(records_.write(down, record));
      const auto read = records_.read_down(record).value();
      if (options_.keep_deliveries)
        handed_over_.push_back(
            {static_cast<std::size_t>(&user - users_.data()), read.identifier, to_bytes(read.payload)});
      user.client->on_delivery(read.sequence, read.identifier, read.payload, now_, wall_);
    }
  }

  void drain_events(User& user) {
    while (auto event = user.client->poll_event()) {
      if (const auto* delivered = std::get_if<MessageDelivered>(&*event)) delivered_.insert(delivered->id);
      if (const auto* failed = std::get_if<MessageFailed>(&*event)) failed_[failed->id] = failed->reason;
      if (auto* message = std::get_if<MessageReceived>(&*event)) {
        user.seen_file.push_back({message->id, message->seen_until});
        const auto id = message->id;
        auto& entry = received_[id];
        ++entry.times;
        entry.message = std::move(*message);
        user.client->confirm(id);
      }
    }
  }

  void launch(const sphinx::NodeAddress& to, std::byte rotation, ByteView packet, Instant leaves) {
    const int copies = random_.unit() < options_.loss ? 0 : random_.unit() < options_.repeat ? 2 : 1;
    lost_ += copies == 0 ? 1 : 0;
    for (int i = 0; i < copies; ++i) {
      flights_.push({leaves + CoverStream::draw(options_.link_mean, random_), ++order_, to, rotation,
                     to_bytes(packet)});
    }
  }

  void arrive(Flight flight) {
    const auto node =
        std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n.address == flight.to; });
    ASSERT_NE(node, nodes_.end());
    if (node->dead) return;
    const auto epoch = options_.epochs.epoch_of(flight.rotation, wall_);
    if (!epoch) {
      ++late_;
      return;
    }
    sphinx::Unwrapped found;
    const auto reject =
        sphinx::unwrap(key_of(*node, *epoch).private_key, options_.payload_bytes, flight.packet, found);
    if (reject != sphinx::Reject::none) {
      ++late_;  // of an epoch two before: the parity is the same, the key is not
      return;
    }
    if (!node->seen.insert(found.tag).second) return;
    if (!found.routing.last) {
      return launch(found.routing.next, flight.rotation, flight.packet,
                    now_ + Duration{found.routing.delay_ns});
    }
    const auto gateway = static_cast<std::size_t>(node - nodes_.begin());
    const auto client = client_of(found.routing.destination);
    if (gateway < mixes || !client) return;
    (void)mailboxes_[gateway - mixes].put(*client, found.routing.identifier,
                                          ByteView{flight.packet}.subspan(348), wall_);
  }

  NetworkOptions options_;
  SeededRandom random_;
  GatewayRecords records_;
  std::vector<Node> nodes_;
  std::shared_ptr<const MixView> view_;
  std::array<Mailbox, gateways> mailboxes_;
  std::vector<User> users_;
  std::priority_queue<Flight> flights_;
  std::uint64_t order_ = 0, lost_ = 0, late_ = 0;
  Instant now_{std::chrono::hours{1}};
  WallTime wall_{std::chrono::hours{490'000} + std::chrono::seconds{10}};
  Epoch epoch_ = 0;
  std::vector<HandedOver> handed_over_;
  std::map<MessageId, Bytes> sent_;
  std::map<MessageId, Received> received_;
  std::set<MessageId> delivered_;
  std::map<MessageId, SendFailure> failed_;
};

}  // namespace village::mix::test
