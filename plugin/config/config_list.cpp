// The grammar of k8s-rdma-shared-dev-plugin.
#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"

namespace railhead::config {
namespace {

constexpr std::string_view kDefaultPrefix = "rdma";

// `devices` is the old name of selectors.ifNames; one of both, not empty.
void read_selectors(Object& object, Resource& resource, Draft& draft) {
  const auto devices = object.strings("devices").value_or(std::vector<std::string>{});
  const Json* json = object.value("selectors");
  Selector selector;
  if (json) {
    selector = read_selector(*json, object.path_of("selectors"), Grammar::config_list,
                             DeviceType::net, draft);
  }
  const bool selects = selector != Selector{};
  if (selects && !devices.empty()) {
    object.error("devices", "and selectors exclude each other; expected selectors only");
  } else if (!selects && devices.empty()) {
    object.error("selectors",
                 "missing or empty; expected vendors, deviceIDs, drivers, ifNames or linkTypes");
  } else if (!devices.empty()) {
    draft.warning(object.path_of("devices") + ": is outdated; use selectors.ifNames");
    selector.if_names = devices;
  }
  selector.is_rdma = true;  // what is shared is the RDMA device
  resource.selectors.push_back(std::move(selector));
}

}  // namespace

void read_config_list_item(const Json& json, const std::string& path, Draft& draft) {
  if (!json.is_object()) return draft.error(path, json.type_name(), "expected an object");
  Object object(json, path, draft.parsed.errors);
  Resource resource;
  draft.read_name(object, kDefaultPrefix, resource);
  Sharing sharing{Sharing::Unit::pool, 0};
  sharing.shares = draft.number(object, "rdmaHcaMax", 0, kMaxShares).value_or(0);
  sharing.host_network_only = object.boolean("hostNetworkOnly").value_or(false);
  resource.sharing = sharing;
  resource.exclude_topology = true;  // a share is all devices: it has no one place
  read_selectors(object, resource, draft);
  report_unknown_keys(object, Grammar::config_list, draft);
  draft.add(std::move(resource), path);
}

}  // namespace railhead::config
