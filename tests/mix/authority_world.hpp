#pragma once
// AuthorityWorld: authorities on one clock, between them a network that delays and reorders, and some that
// crash or cheat. Everything follows from a seed.
#include <map>
#include <queue>

#include "mix/authority_messages.hpp"
#include "mix/directory_world.hpp"
#include "village/mix/authority.hpp"

namespace village::mix::test {

/// Conduct is how an authority behaves.
enum class Conduct {
  honest,
  silent,        ///< never there
  crashes,       ///< stops at a random moment of the round
  twin,          ///< two with one key, each talking to some of the others and, at times, of other nodes
  picks,         ///< sends each message to some of the others only, and late
  wrong_reveal,  ///< reveals another number than it was bound to
  forges,        ///< tells some of the others alone, with bad endorsements in everybody's name
};

class AuthorityWorld {
 public:
  AuthorityWorld(std::size_t count, std::size_t threshold, std::vector<Conduct> conduct, std::uint64_t seed)
      : authorities_{authorities_of(count, threshold)}, random_{seed} {
    conduct.resize(count, Conduct::honest);
    for (std::size_t i = 0; i < count; ++i) {
      add(i, conduct[i]);
      if (conduct[i] == Conduct::twin) add(i, conduct[i]);
    }
  }

  /// submit gives a descriptor to every authority, or to `only`.
  void submit(const SignedDescriptor& descriptor, std::optional<std::size_t> only = {}) {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (!only || members_[i]->number == *only) submit_to(i, descriptor);
    }
  }
  /// submit_to gives it to one member; twins are two.
  void submit_to(std::size_t member, const SignedDescriptor& descriptor) {
    const auto from = sphinx::target_of(descriptor.descriptor.mix_address)->host;
    auto& to = *members_[member];
    last_submit = to.authority.on_descriptor(as_bytes(to_json(descriptor)), from, now + to.skew);
  }

  /// run goes on until the documents of `epoch` should be there.
  void run(Epoch epoch) {
    const AuthoritySchedule schedule{authorities_, test_epochs, epoch};
    const auto until = schedule.publish + schedule.slot;
    for (auto& member : members_) {
      const auto span = static_cast<std::uint64_t>((schedule.publish - schedule.collect_end).count());
      if (member->conduct == Conduct::silent) member->dies = now;
      if (member->conduct == Conduct::crashes) {
        member->dies = schedule.collect_end + Duration{static_cast<Duration::rep>(random_.below(span))};
      }
    }
    while (now <= until) {
      for (auto& member : members_) step(*member, schedule);
      deliver();
      auto next = until + 1ns;
      for (auto& member : members_) {
        if (alive(*member))
          next = std::min(next, member->authority.next_time(now + member->skew) - member->skew);
      }
      if (!mail_.empty()) next = std::min(next, mail_.top().when);
      now = std::max(next, now + 1ns);
    }
  }

  struct Member {
    Member(std::size_t index, Conduct how, const AuthorityOptions& options, std::uint64_t seed)
        : number{index},
          conduct{how},
          key{key_of(9'000 + index)},
          random{seed},
          authority{options, key, random} {}
    std::size_t number;
    Conduct conduct;
    crypto::Ed25519KeyPair key;
    SeededRandom random;
    Authority authority;
    Duration skew{0};
    WallTime dies = WallTime::max();
    std::vector<AuthorityReport> reports;
    bool reported(AuthorityReport::Kind kind) const {
      return std::any_of(reports.begin(), reports.end(),
                         [kind](const auto& each) { return each.kind == kind; });
    }
  };

  const std::vector<std::unique_ptr<Member>>& members() const { return members_; }
  const AuthoritySet& authorities() const { return authorities_; }
  bool alive(const Member& member) const { return now < member.dies; }
  WallTime now = test_epochs.start(99) + 1s;
  Result<void> last_submit = ok();

 private:
  struct Mail {
    WallTime when;
    std::size_t to;  ///< index of a member
    AuthorityMessage message;
    bool operator<(const Mail& other) const { return when > other.when; }
  };

  void add(std::size_t number, Conduct conduct) {
    AuthorityOptions options;
    options.authorities = authorities_;
    options.epochs = test_epochs;
    options.open = true;
    members_.push_back(std::make_unique<Member>(number, conduct, options, random_.u64()));
    const AuthoritySchedule schedule{authorities_, test_epochs, 100};
    members_.back()->skew = portion(schedule.slot / 5) - schedule.slot / 10;
  }

  Duration portion(Duration whole) {
    return Duration{static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(whole.count()) + 1))};
  }

  void step(Member& member, const AuthoritySchedule& schedule) {
    if (!alive(member)) return;
    member.authority.advance(now + member.skew);
    for (auto& message : member.authority.take_messages()) post(member, std::move(message), schedule);
    for (const auto& report : member.authority.take_reports()) member.reports.push_back(report);
  }

  void post(Member& from, AuthorityMessage message, const AuthoritySchedule& schedule) {
    const bool cheats =
        from.conduct == Conduct::twin || from.conduct == Conduct::picks || from.conduct == Conduct::forges;
    if (from.conduct == Conduct::wrong_reveal) bend(from, message);
    if (from.conduct == Conduct::forges) forge(from, message);
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const auto& to = *members_[i];
      if (to.key.public_key != message.to || (cheats && random_.below(2) == 0)) continue;
      const auto longest = from.conduct == Conduct::picks ? 3 * schedule.slot : schedule.slot / 2;
      mail_.push({now + portion(longest), i, message});
      if (random_.below(8) == 0) mail_.push({now + portion(longest), i, message});  // twice
    }
  }

  void bend(Member& from, AuthorityMessage& message) {
    if (message.kind != AuthorityMessage::Kind::statement) return;
    auto statement = parse_endorsed_statement(as_bytes(*message.text));
    auto* reveal = std::get_if<Reveal>(&statement->statement.content);
    if (reveal == nullptr || reveal->authority != from.key.public_key) return;
    Reveal other = *reveal;
    other.number.fill(std::byte{0x55});
    auto bent = endorsed(Statement{other});
    endorse(bent, from.key);
    message.text = std::make_shared<const std::string>(to_json(bent));
  }

  /// forge takes the places of all others' endorsements.
  void forge(Member& from, AuthorityMessage& message) {
    if (message.kind != AuthorityMessage::Kind::statement) return;
    auto statement = parse_endorsed_statement(as_bytes(*message.text));
    if (statement->statement.author() != from.key.public_key) return;
    auto& endorsements = statement->endorsements;
    for (const auto& key : authorities_.keys) {
      if (key != from.key.public_key) endorsements.push_back({key, {}});
    }
    std::sort(endorsements.begin(), endorsements.end(),
              [](const Endorsement& a, const Endorsement& b) { return a.authority < b.authority; });
    message.text = std::make_shared<const std::string>(to_json(*statement));
  }

  void deliver() {
    while (!mail_.empty() && mail_.top().when <= now) {
      const auto mail = mail_.top();
      mail_.pop();
      auto& to = *members_[mail.to];
      if (!alive(to)) continue;
      const auto text = as_bytes(*mail.message.text);
      if (mail.message.kind == AuthorityMessage::Kind::statement) {
        (void)to.authority.on_statement(text, now + to.skew);
      } else {
        (void)to.authority.on_signatures(text, now + to.skew);
      }
    }
  }

  AuthoritySet authorities_;
  SeededRandom random_;
  std::vector<std::unique_ptr<Member>> members_;
  std::priority_queue<Mail> mail_;
};

}  // namespace village::mix::test
