#include "plugin/kube/claim_status.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/go_json.hpp"

namespace railhead::kube {
namespace {

using Json = nlohmann::ordered_json;

const AttachedDevice* find(const std::vector<ClaimedDevice>& known,
                           const std::vector<AttachedDevice>& attached, const std::string& driver,
                           const std::string& pool, const std::string& name) {
  const auto device = std::ranges::find_if(known, [&](const ClaimedDevice& one) {
    return one.driver == driver && one.pool == pool && one.name == name;
  });
  if (device == known.end()) return nullptr;
  const auto found = std::ranges::find(attached, device->device, &AttachedDevice::device);
  return found == attached.end() ? nullptr : &*found;
}

// status.allocation.devices.results
std::vector<go_json::Object> results_of(go_json::Object& claim) {
  auto status = claim.object("status");
  auto allocation = status ? status->object("allocation") : std::nullopt;
  auto devices = allocation ? allocation->object("devices") : std::nullopt;
  return devices ? devices->objects("results").value_or(std::vector<go_json::Object>{})
                 : std::vector<go_json::Object>{};
}

}  // namespace

std::optional<std::string> claim_status(std::string_view claim,
                                        const std::vector<ClaimedDevice>& known,
                                        const std::vector<AttachedDevice>& attached) {
  const auto json = parsed(claim);
  if (!json.is_object()) return std::nullopt;
  std::vector<Error> errors;
  go_json::Object object(json, "", errors);
  auto devices = Json::array();
  for (auto& result : results_of(object)) {
    const auto driver = result.string("driver").value_or("");
    const auto pool = result.string("pool").value_or("");
    const auto name = result.string("device").value_or("");
    const auto* found = find(known, attached, driver, pool, name);
    if (!found) continue;
    Json data{{"interfaceName", found->ifname}, {"ips", found->addresses}};
    if (!found->mac.empty()) data["hardwareAddress"] = found->mac;
    devices.push_back(
        {{"driver", driver}, {"pool", pool}, {"device", name}, {"networkData", data}});
  }
  auto metadata = object.object("metadata");
  if (devices.empty() || !metadata) return std::nullopt;
  return Json{{"apiVersion", "resource.k8s.io/v1"},
              {"kind", "ResourceClaim"},
              {"metadata",
               {{"namespace", metadata->string("namespace").value_or("")},
                {"name", metadata->string("name").value_or("")},
                {"uid", metadata->string("uid").value_or("")}}},
              {"status", {{"devices", devices}}}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace railhead::kube
