// directory_problem: sentences for people who run a node.
#include "village/mix/document.hpp"

namespace village::mix {
namespace {

std::string of_document(DocumentFault fault) {
  switch (fault) {
    case DocumentFault::wrong_epoch:
      return "the document is of another epoch";
    case DocumentFault::other_epochs:
      return "the document's dates do not fit the configured length of epochs";
    case DocumentFault::not_yet_valid:
      return "the document is not valid yet; look at the clock";
    case DocumentFault::expired:
      return "the document has expired; look at the clock, and at whether the authorities can be reached";
    case DocumentFault::rolled_back:
      return "the document is older than what this node has seen";
    case DocumentFault::contradicts:
      return "the document contradicts another one of the same epoch: its authorities signed twice";
  }
  return "the document does not hold";
}

}  // namespace

std::string directory_problem(const Error& error) {
  const auto number = std::to_string(error.detail);
  switch (error.code) {
    case Errc::protocol:
      return of_document(static_cast<DocumentFault>(error.detail));
    case Errc::bad_signature:
      return "only " + number + " good signatures of configured authorities";
    case Errc::bad_argument:
      return "the authorities must be 1 to 9 different keys, and the threshold more than half of them";
    case Errc::not_canonical:
      return "not in canonical form (RFC 8785), at byte " + number;
    case Errc::already_exists:
      return "a member stands there twice, at byte " + number;
    case Errc::limit_exceeded:
      return "too large, too deep or a number out of range, at byte " + number;
    case Errc::not_found:
      return "the node is not in the document";
    case Errc::exhausted:
      return "the document has no node that could be hop " + number;
    case Errc::denied:
      return "every node that could be hop " + number +
             " shares an operator or a network (/16) with another hop: the document is too small for this "
             "rule";
    case Errc::unsupported:
      return "something in it is of another version";
    default:
      return "not a document of the directory (" + std::string{name(error.code)} + ", at byte " + number +
             ")";
  }
}

}  // namespace village::mix
