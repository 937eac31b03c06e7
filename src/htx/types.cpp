#include "village/htx/types.hpp"

namespace village::htx {

std::string_view name(Code code) {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::version_negotiation_failed:
      return "version_negotiation_failed";
    case Code::auth_failed:
      return "auth_failed";
    case Code::path_invalid:
      return "path_invalid";
    case Code::replay:
      return "replay";
    case Code::flow_control_violation:
      return "flow_control_violation";
    case Code::old_key_frame:
      return "old_key_frame";
    case Code::malformed_frame:
      return "malformed_frame";
    case Code::internal_error:
      return "internal_error";
    case Code::policy_rejected:
      return "policy_rejected";
    case Code::unsupported_feature:
      return "unsupported_feature";
    case Code::deadline_missed:
      return "deadline_missed";
    case Code::stalled:
      return "stalled";
    case Code::slow_reader:
      return "slow_reader";
  }
  return "other";
}

}  // namespace village::htx
