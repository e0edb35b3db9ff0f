#include "plugin/ipam/node_rule.hpp"

#include "base/go_json.hpp"
#include "plugin/config/node_keys.hpp"

namespace railhead::ipam_tools {

Result<ipam::NodeRule> node_rule(const Json& json) {
  if (!json.is_object()) {
    return fail(ErrorCode::invalid_argument, "expected an object with cidr, name or list, got {}",
                go_json::quote(json));
  }
  config::Draft draft;
  go_json::Object node(json, "", draft.errors);
  auto rule = config::read_ipam_node(node, draft);
  if (!draft.errors.empty()) return Failure(draft.errors.front());
  return rule;
}

}  // namespace railhead::ipam_tools
