// The grammar of k8s-rdma-shared-dev-plugin.
#include <nlohmann/json.hpp>

#include "plugin/config/grammar.hpp"

namespace railhead::config {
namespace {

constexpr std::string_view kDefaultPrefix = "rdma";

// `devices` is the old name of selectors.ifNames; one of both, not empty.
void read_selectors(Object& object, Resource& resource, Draft& draft) {
  Selector devices;
  read_if_names(object, "devices", Grammar::config_list, devices, draft);
  const Json* json = object.value("selectors");
  Selector selector;
  if (json) {
    selector = read_selector(*json, object.path_of("selectors"), Grammar::config_list,
                             DeviceType::net, draft);
  }
  const bool selects = selector != Selector{};
  const bool has_devices = devices != Selector{};
  if (selects && has_devices) {
    object.error("devices", "and selectors exclude each other; expected selectors only");
  } else if (!selects && !has_devices) {
    object.error("selectors",
                 "missing or empty; expected vendors, deviceIDs, drivers, ifNames or linkTypes");
  } else if (has_devices) {
    draft.warning(object.path_of("devices") + ": is outdated; use selectors.ifNames");
    selector = std::move(devices);
  }
  selector.is_rdma = true;  // what is shared is the RDMA device
  resource.selectors.push_back(std::move(selector));
}

}  // namespace

void read_config_list_item(Object& object, Resource& resource, Draft& draft) {
  draft.read_name(object, kDefaultPrefix, resource);
  Sharing sharing{Sharing::Unit::pool, 0};
  sharing.shares = draft.number(object, "rdmaHcaMax", 0, kMaxShares).value_or(0);
  sharing.host_network_only = object.boolean("hostNetworkOnly").value_or(false);
  resource.sharing = sharing;
  resource.exclude_topology = true;  // a share is all devices: it has no one place
  read_selectors(object, resource, draft);
  report_unknown_keys(object, Grammar::config_list, Level::resource, draft);
}

}  // namespace railhead::config
