#include "plugin/app/saved_nodes.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "device/allocation.hpp"
#include "kubelet/checkpoint.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::app {

// The variable with _INFO behind it has a longer name.
std::vector<std::string> devices_named(const kubelet::SavedAnswer& given) {
  const auto variable =
      std::ranges::min_element(given.envs, {}, [](const auto& one) { return one.first.size(); });
  if (variable == given.envs.end()) return {};
  std::vector<std::string> devices;
  for (const auto id : split(variable->second, ',')) {
    if (ledger::device_of(id) != id) return {};
    devices.emplace_back(id);
  }
  return devices;
}

std::optional<grant::Given> SavedNodes::given(const std::string& resource,
                                              const std::vector<std::string>& ids) const {
  auto given = in_checkpoint(resource, ids);
  // Of nodes that come with a CDI device kubelet knows nothing.
  if (given && !given->by_cdi) return given;
  const auto recorded = in_records(resource, ids);
  if (!recorded) return given;
  if (!given) given.emplace();
  given->host_paths.insert(given->host_paths.end(), recorded->begin(), recorded->end());
  return given;
}

// An init container leaves its devices to the containers after it: all of these have answers for
// the same ids.
std::optional<grant::Given> SavedNodes::in_checkpoint(const std::string& resource,
                                                      const std::vector<std::string>& ids) const {
  const auto saved =
      kubelet::read_checkpoint(kubelet_dir_ + "/device-plugins/kubelet_internal_checkpoint");
  if (!saved) return std::nullopt;
  const std::set<std::string> wanted(ids.begin(), ids.end());
  std::optional<grant::Given> given;
  for (const auto& one : *saved) {
    if (one.resource != resource || one.ids != wanted) continue;
    const auto answer = kubelet::parse_answer(one.answer);
    if (!answer) continue;
    if (!given) given.emplace();
    given->host_paths.insert(given->host_paths.end(), answer->host_paths.begin(),
                             answer->host_paths.end());
    given->devices = devices_named(*answer);
    given->by_cdi |= !answer->cdi_devices.empty();
  }
  return given;
}

// Nothing unless there is a record of each device, of when it was given as this resource: of a
// share there is none, and what there is of its device may be of a pod that had it alone.
std::optional<std::vector<std::string>> SavedNodes::in_records(
    const std::string& resource, const std::vector<std::string>& ids) const {
  std::vector<std::string> paths;
  for (const auto& id : ids) {
    const auto address = PciAddress::parse(id);
    if (!address) return std::nullopt;
    const auto record = device::read_allocation(run_root_, *address);
    if (!record || !*record || (*record)->resource != resource) return std::nullopt;
    const auto of_device = (*record)->host_paths();
    paths.insert(paths.end(), of_device.begin(), of_device.end());
  }
  return paths;
}

}  // namespace railhead::app
