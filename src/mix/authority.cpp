#include "village/mix/authority.hpp"

#include <algorithm>
#include <map>

#include "mix/authority_round.hpp"
#include "mix/json_fields.hpp"
#include "mix/node_book.hpp"
#include "village/base/check.hpp"

namespace village::mix {
namespace {

constexpr JsonLimits memory_limits{limits::statement_bytes_max, limits::directory_depth_max,
                                   limits::document_values_max};

}  // namespace

std::string_view name(AuthorityReport::Kind kind) {
  switch (kind) {
    case AuthorityReport::Kind::two_votes:
      return "two_votes";
    case AuthorityReport::Kind::two_reveals:
      return "two_reveals";
    case AuthorityReport::Kind::wrong_reveal:
      return "wrong_reveal";
    case AuthorityReport::Kind::two_signatures:
      return "two_signatures";
    case AuthorityReport::Kind::missing_vote:
      return "missing_vote";
    case AuthorityReport::Kind::missing_reveal:
      return "missing_reveal";
    case AuthorityReport::Kind::missing_signature:
      return "missing_signature";
    case AuthorityReport::Kind::other_document:
      return "other_document";
    case AuthorityReport::Kind::node_equivocates:
      return "node_equivocates";
    case AuthorityReport::Kind::no_document:
      return "no_document";
  }
  return "unknown";
}

struct Authority::State {
  State(AuthorityOptions given, const crypto::Ed25519KeyPair& node, RandomSource& source)
      : options{std::move(given)}, key{node.seed.clone(), node.public_key}, random{source}, nodes{options} {
    VG_CHECK(check(options.authorities).has_value() && options.authorities.holds(key.public_key));
    VG_CHECK(options.epochs.length % std::chrono::milliseconds{1} == Duration{0});
    VG_CHECK(options.epochs.length >= std::chrono::seconds{1});
  }

  AuthoritySchedule schedule(Epoch epoch) const { return {options.authorities, options.epochs, epoch}; }

  Result<void> learn(const SignedDescriptor& said, NodeBook::By by, const std::optional<Host>& from,
                     Epoch current);
  void learn_from_votes(Epoch current);
  Result<AuthorityRound*> round_of(Epoch epoch, WallTime now);
  void begin_round(Epoch epoch);
  void collect();
  void finish_round();
  std::vector<SignedDescriptor> vote_list(Epoch epoch) const;
  void report(AuthorityReport report) {
    if (reports.size() < limits::reports_max) reports.push_back(report);
  }
  void publish(const SignedDocument& signed_document) {
    published[signed_document.document.epoch] = std::make_shared<const std::string>(to_json(signed_document));
    while (published.size() > limits::documents_kept) published.erase(published.begin());
  }

  AuthorityOptions options;
  crypto::Ed25519KeyPair key;
  RandomSource& random;
  NodeBook nodes;
  std::unique_ptr<AuthorityRound> round;
  bool started = false;
  Epoch round_epoch = 0;  ///< of `round`
  Epoch last_epoch = 0;   ///< no round for this or an earlier one is begun again
  std::uint64_t version = 0;
  std::map<Epoch, std::shared_ptr<const std::string>> published;
  std::vector<AuthorityMessage> messages;
  std::vector<AuthorityReport> reports;
};

Result<void> Authority::State::learn(const SignedDescriptor& said, NodeBook::By by,
                                     const std::optional<Host>& from, Epoch current) {
  const auto learned = nodes.learn(said, by, from, current);
  for (const auto& node : nodes.take_caught())
    report({AuthorityReport::Kind::node_equivocates, current + 1, node});
  return learned;
}

/// learn_from_votes: what others listed is known here too from now on.
void Authority::State::learn_from_votes(Epoch current) {
  const auto votes = round->counted_votes();
  std::map<wire::NodeId, std::size_t> listed;
  for (const auto* vote : votes) {
    for (const auto& said : vote->descriptors) ++listed[said.descriptor.id()];
  }
  for (const auto* vote : votes) {
    for (const auto& said : vote->descriptors) {
      const bool most = 2 * listed[said.descriptor.id()] > votes.size();
      (void)learn(said, most ? NodeBook::By::votes : NodeBook::By::vote, {}, current);
    }
  }
}

std::vector<SignedDescriptor> Authority::State::vote_list(Epoch epoch) const {
  std::vector<SignedDescriptor> out;
  for (const auto& [id, node] : nodes.nodes()) {
    if (!node.equivocates && node.descriptor.descriptor.sphinx_key(epoch) != nullptr) {
      out.push_back(node.descriptor);
    }
  }
  return out;
}

/// round_of gives the round of a message: the one under way, or one that begins within a slot (another's
/// clock is ahead of ours). Errors: denied.
Result<AuthorityRound*> Authority::State::round_of(Epoch epoch, WallTime now) {
  if (round && round_epoch == epoch) return round.get();
  if (round || epoch <= last_epoch || epoch != options.epochs.at(now) + 1) return fail(Errc::denied);
  if (schedule(epoch).slot_at(now) != -1) return fail(Errc::denied);
  round = std::make_unique<AuthorityRound>(options, key, epoch);
  round_epoch = epoch;
  return round.get();
}

void Authority::State::begin_round(Epoch epoch) {
  if (!round) {
    round = std::make_unique<AuthorityRound>(options, key, epoch);
    round_epoch = epoch;
  }
  last_epoch = epoch;
  ++version;
  round->begin(vote_list(epoch), random);
}

void Authority::State::collect() {
  messages.insert(messages.end(), std::make_move_iterator(round->messages.begin()),
                  std::make_move_iterator(round->messages.end()));
  round->messages.clear();
  for (const auto& each : round->reports) report(each);
  round->reports.clear();
}

void Authority::State::finish_round() {
  collect();
  if (round->result()) publish(*round->result());
  last_epoch = std::max(last_epoch, round_epoch);
  ++version;
  round.reset();
}

Authority::Authority(AuthorityOptions options, const crypto::Ed25519KeyPair& key, RandomSource& random)
    : state_{std::make_unique<State>(std::move(options), key, random)} {}
Authority::~Authority() = default;

Result<void> Authority::on_descriptor(ByteView text, const std::optional<Host>& from, WallTime now) {
  VG_TRY(said, parse_signed_descriptor(text));
  return state_->learn(said, NodeBook::By::node, from, state_->options.epochs.at(now));
}

Result<void> Authority::on_statement(ByteView text, WallTime now) {
  VG_TRY(statement, parse_endorsed_statement(text));
  if (!state_->options.authorities.holds(statement.statement.author())) return fail(Errc::denied);
  advance(now);
  VG_TRY(round, state_->round_of(statement.statement.epoch(), now));
  const auto slot = round->schedule().slot_at(now);
  const auto taken = round->on_statement(std::move(statement), slot);
  state_->collect();
  return taken;
}

Result<void> Authority::on_signatures(ByteView text, WallTime now) {
  VG_TRY(entries, parse_signature_entries(text));
  advance(now);
  for (const auto& entry : entries) {
    VG_TRY(round, state_->round_of(entry.epoch, now));
    VG_TRY_VOID(round->on_signature(entry, round->schedule().slot_at(now)));
  }
  if (state_->round) state_->collect();
  return ok();
}

void Authority::advance(WallTime now) {
  auto& state = *state_;
  const auto epoch = state.options.epochs.at(now) + 1;
  if (!state.started) {
    state.started = true;
    if (state.schedule(epoch).slot_at(now) >= 0) state.last_epoch = std::max(state.last_epoch, epoch);
  }
  state.nodes.forget_expired(epoch - 1);
  if (state.round && state.round_epoch != epoch) state.finish_round();  // the clock jumped
  const auto slot = state.schedule(epoch).slot_at(now);
  if (slot < 0) return;
  if (epoch > state.last_epoch) {
    if (slot > 0) {  // too late to vote: whoever missed the beginning leaves the round to others
      state.last_epoch = epoch;
      state.round.reset();
      return;
    }
    state.begin_round(epoch);
  }
  if (!state.round) return;
  auto& round = *state.round;
  const auto end = round.schedule().slots();
  while (round.next_slot() <= std::min<std::size_t>(static_cast<std::size_t>(slot), end)) {
    round.enter_slot(round.next_slot());
    if (round.next_slot() == round.schedule().rounds + 1) state.learn_from_votes(epoch - 1);
  }
  state.collect();
  if (round.next_slot() > end) state.finish_round();
}

WallTime Authority::next_time(WallTime now) const {
  const auto epoch = state_->options.epochs.at(now) + 1;
  const auto schedule = state_->schedule(epoch);
  const auto slot = schedule.slot_at(now);
  if (slot < 0) return schedule.collect_end;
  if (slot < static_cast<std::int64_t>(schedule.slots())) {
    return schedule.start_of(static_cast<std::size_t>(slot) + 1);
  }
  return state_->schedule(epoch + 1).collect_end;
}

std::vector<AuthorityMessage> Authority::take_messages() { return std::exchange(state_->messages, {}); }
std::vector<AuthorityReport> Authority::take_reports() { return std::exchange(state_->reports, {}); }

std::shared_ptr<const std::string> Authority::published(Epoch epoch) const {
  const auto found = state_->published.find(epoch);
  return found != state_->published.end() ? found->second : nullptr;
}

Result<void> Authority::adopt(const SignedDocument& signed_document) {
  const auto epoch = signed_document.document.epoch;
  if (state_->published.contains(epoch)) return ok();
  VG_TRY_VOID(verify_signatures(signed_document, state_->options.authorities));
  VG_TRY_VOID(verify_dates(signed_document.document, epoch, state_->options.epochs));
  state_->publish(signed_document);
  return ok();
}

std::uint64_t Authority::memory_version() const { return state_->version + state_->nodes.version(); }
std::size_t Authority::descriptors() const { return state_->nodes.nodes().size(); }

std::string Authority::memory() const {
  JsonValue::Array descriptors, equivocating;
  for (const auto* node : state_->nodes.in_order()) {
    descriptors.push_back(signed_descriptor_value(node->descriptor));
    if (node->equivocates) equivocating.push_back({node->descriptor.descriptor.id().name()});
  }
  return canonical_json({JsonValue::Object{{"descriptors", {std::move(descriptors)}},
                                           {"equivocating", {std::move(equivocating)}},
                                           {"last_epoch", json_integer(state_->last_epoch)}}});
}

Result<void> Authority::restore(ByteView text) {
  VG_TRY(value, parse_canonical_json(text, memory_limits));
  JsonReader reader{value};
  const auto& descriptors = reader.array("descriptors", limits::nodes_max);
  const auto& equivocating = reader.array("equivocating", limits::nodes_max);
  const auto last_epoch = read_unsigned(reader, "last_epoch");
  VG_TRY_VOID(reader.finish());
  for (const auto& item : descriptors) {
    VG_TRY(said, parse_signed_descriptor_value(item));
    const auto first = said.descriptor.sphinx_keys.front().epoch;
    (void)state_->learn(said, NodeBook::By::disk, {}, first == 0 ? 0 : first - 1);
  }
  for (const auto& item : equivocating) {
    if (item.text() == nullptr) return fail(Errc::malformed);
    VG_TRY(id, wire::NodeId::parse(*item.text()));
    state_->nodes.mark_equivocating(id);
  }
  state_->last_epoch = std::max(state_->last_epoch, last_epoch);
  return ok();
}

}  // namespace village::mix
