#include "mix/authority_round.hpp"

#include <algorithm>

namespace village::mix {
namespace {

using Kind = AuthorityReport::Kind;
constexpr std::size_t proof = 2;  ///< things that contradict each other are kept, no third

}  // namespace

AuthoritySchedule::AuthoritySchedule(const AuthoritySet& authorities, const Epochs& epochs, Epoch epoch)
    : rounds{authorities.keys.size() - authorities.threshold + 1},
      collect_end{epochs.start(epoch) - epochs.length / 4},
      publish{epochs.start(epoch) - epochs.length / 10},
      slot{(publish - collect_end) / static_cast<Duration::rep>(slots())} {}

std::int64_t AuthoritySchedule::slot_at(WallTime now) const {
  if (now < collect_end - slot) return -2;
  if (now < collect_end) return -1;
  return (now - collect_end) / slot;
}

AuthorityRound::AuthorityRound(const AuthorityOptions& options, const crypto::Ed25519KeyPair& key,
                               Epoch epoch)
    : options_{options}, key_{key}, epoch_{epoch}, schedule_{options.authorities, options.epochs, epoch} {}

void AuthorityRound::report(Kind kind, const crypto::Ed25519Public& who) {
  if (reported_.emplace(kind, who).second) reports.push_back({kind, epoch_, who});
}

void AuthorityRound::send(AuthorityMessage::Kind kind, std::string text) {
  const auto shared = std::make_shared<const std::string>(std::move(text));
  for (const auto& to : options_.authorities.keys) {
    if (to != key_.public_key) messages.push_back({kind, epoch_, to, shared});
  }
}

void AuthorityRound::begin(std::vector<SignedDescriptor> descriptors, RandomSource& random) {
  takes_part_ = true;
  own_reveal_.authority = key_.public_key;
  own_reveal_.epoch = epoch_;
  random.fill(own_reveal_.number);
  Vote vote{key_.public_key, epoch_, commit_of(own_reveal_), options_.parameters, std::move(descriptors)};
  // What came early, from authorities whose clocks are ahead, has not been passed on yet.
  for (auto& [author, heard] : heard_) {
    for (auto& early : heard.votes) pass_on(early);
  }
  accept(heard_[key_.public_key].votes, endorsed(Statement{std::move(vote)}));
}

void AuthorityRound::pass_on(EndorsedStatement& statement) {
  endorse(statement, key_);
  send(AuthorityMessage::Kind::statement, to_json(statement));
}

void AuthorityRound::accept(std::vector<EndorsedStatement>& heard, EndorsedStatement statement) {
  if (takes_part_) pass_on(statement);
  heard.push_back(std::move(statement));
}

Result<void> AuthorityRound::on_statement(EndorsedStatement statement, std::int64_t slot) {
  const auto& author = statement.statement.author();
  if (!options_.authorities.holds(author) || slot < -1) return fail(Errc::denied);
  const bool vote = statement.statement.is_vote();
  const auto first = vote ? 0 : static_cast<std::int64_t>(schedule_.rounds);
  // In the first slot the author's signature is enough, in each later one a further authority must have seen
  // it. What comes early counts as if it came in the first.
  const auto needed = static_cast<std::size_t>(std::max<std::int64_t>(slot - first, 0)) + 1;
  if (needed > schedule_.rounds) return fail(Errc::denied);
  auto& heard = vote ? heard_[author].votes : heard_[author].reveals;
  const bool known = std::any_of(heard.begin(), heard.end(), [&statement](const EndorsedStatement& other) {
    return other.digest == statement.digest;
  });
  if (known || heard.size() >= proof) return ok();
  const auto endorsements = keep_good_endorsements(statement, options_.authorities);
  if (endorsements == 0) return fail(Errc::bad_signature);
  if (endorsements < needed) return fail(Errc::denied);
  accept(heard, std::move(statement));
  if (heard.size() == proof)
    report(vote ? Kind::two_votes : Kind::two_reveals, heard.front().statement.author());
  return ok();
}

Result<void> AuthorityRound::on_signature(const SignatureEntry& entry, std::int64_t slot) {
  const auto last = static_cast<std::int64_t>(schedule_.slots());
  if (!options_.authorities.holds(entry.authority) || slot >= last || slot < -1) return fail(Errc::denied);
  auto& heard = heard_[entry.authority].signatures;
  const bool known = std::any_of(heard.begin(), heard.end(), [&entry](const SignatureEntry& other) {
    return other.digest == entry.digest;
  });
  if (known || heard.size() >= proof) return ok();
  if (!verify(entry)) return fail(Errc::bad_signature);
  heard.push_back(entry);
  if (heard.size() == proof) report(Kind::two_signatures, entry.authority);
  return ok();
}

const EndorsedStatement* AuthorityRound::only_vote(const crypto::Ed25519Public& author) const {
  const auto found = heard_.find(author);
  return found != heard_.end() && found->second.votes.size() == 1 ? &found->second.votes.front() : nullptr;
}

std::vector<const Vote*> AuthorityRound::counted_votes() const {
  std::vector<const Vote*> out;
  for (const auto& author : options_.authorities.keys) {
    if (const auto* vote = only_vote(author)) out.push_back(&std::get<Vote>(vote->statement.content));
  }
  return out;
}

void AuthorityRound::enter_slot(std::size_t slot) {
  next_slot_ = slot + 1;
  if (slot == schedule_.rounds) settle_votes();
  if (slot == 2 * schedule_.rounds) settle_reveals_and_sign();
  if (slot == 2 * schedule_.rounds + 1) tell_signatures();
  if (slot == schedule_.slots()) conclude();
}

void AuthorityRound::settle_votes() {
  for (const auto& author : options_.authorities.keys) {
    if (heard_[author].votes.empty()) report(Kind::missing_vote, author);
  }
  if (takes_part_) accept(heard_[key_.public_key].reveals, endorsed(Statement{own_reveal_}));
}

void AuthorityRound::settle_reveals_and_sign() {
  std::vector<ByteArray<32>> numbers;
  for (const auto& author : options_.authorities.keys) {
    const auto* vote = only_vote(author);
    if (vote == nullptr) continue;
    const auto& reveals = heard_[author].reveals;
    if (reveals.empty()) report(Kind::missing_reveal, author);
    if (reveals.size() != 1) continue;
    const auto& reveal = std::get<Reveal>(reveals.front().statement.content);
    if (commit_of(reveal) == std::get<Vote>(vote->statement.content).commit) {
      numbers.push_back(reveal.number);
    } else {
      report(Kind::wrong_reveal, author);
    }
  }
  const auto votes = counted_votes();
  // Fewer votes than the threshold cannot become enough signatures.
  if (votes.size() < options_.authorities.threshold || numbers.empty()) return;
  auto built = build_document(votes, numbers, epoch_, options_.epochs);
  for (const auto& node : built.equivocating_nodes) report(Kind::node_equivocates, node);
  document_ = std::move(built.document);
  digest_ = digest(*document_);
  if (!takes_part_) return;
  const auto own = sign_entry(epoch_, digest_, key_);
  heard_[key_.public_key].signatures.push_back(own);
  send(AuthorityMessage::Kind::signatures, to_json(std::vector<SignatureEntry>{own}));
}

void AuthorityRound::tell_signatures() {
  std::vector<SignatureEntry> all;
  for (const auto& [author, heard] : heard_) {
    all.insert(all.end(), heard.signatures.begin(), heard.signatures.end());
  }
  if (!all.empty()) send(AuthorityMessage::Kind::signatures, to_json(all));
}

void AuthorityRound::conclude() {
  SignedDocument out;
  for (const auto& author : options_.authorities.keys) {
    const auto& signatures = heard_[author].signatures;
    if (signatures.empty()) report(Kind::missing_signature, author);
    if (signatures.size() != 1) continue;
    if (document_ && signatures.front().digest == digest_) {
      out.signatures.push_back({author, signatures.front().signature});
    } else {
      report(Kind::other_document, author);
    }
  }
  if (!document_ || out.signatures.size() < options_.authorities.threshold) {
    report(Kind::no_document, key_.public_key);
    return;
  }
  std::sort(out.signatures.begin(), out.signatures.end(),
            [](const auto& a, const auto& b) { return a.authority < b.authority; });
  out.document = *std::move(document_);
  result_ = std::move(out);
}

}  // namespace village::mix
