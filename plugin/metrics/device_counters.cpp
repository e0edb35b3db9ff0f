#include "plugin/metrics/device_counters.hpp"

#include <algorithm>

#include "attach/store.hpp"
#include "device/sub_functions.hpp"
#include "host/netns_sysfs.hpp"

namespace railhead::metrics {
namespace {

using host::Directory;

// What one sysfs shows of the device; nothing where the RDMA device is not in its namespace.
std::vector<DeviceCounters> read_in(const Directory& sysfs, const CountedDevice& device) {
  std::vector<DeviceCounters> found;
  const auto folder = sysfs.sub(device::sysfs_folder(device.id) + "/infiniband");
  if (!folder) return found;
  auto names = folder->list(".");
  if (!names) return found;
  std::sort(names->begin(), names->end());
  for (auto& name : *names) {
    const auto rdma_device = folder->sub(name);
    if (!rdma_device) continue;
    auto ports = read_port_counters(*rdma_device);
    if (ports) found.push_back({device, std::move(name), std::move(*ports)});
  }
  return found;
}

// Whether the device has RDMA devices in some namespace: their verbs folder is seen in all of them.
bool has_rdma(const Directory& sysfs, const CountedDevice& device) {
  return sysfs.list(device::sysfs_folder(device.id) + "/infiniband_verbs").has_value();
}

Result<std::vector<DeviceCounters>> read_in_pod(const host::Host& host,
                                                const CountedDevice& device) {
  const auto record = attach::Store(host.roots.run).owner(device.address);
  if (!record) return pass(record);
  if (!*record) return fail(ErrorCode::not_found, "its RDMA device is in no known namespace");
  const auto netns = host.netns.open((*record)->netns_path);
  if (!netns) return pass(netns);
  if (netns->id() != (*record)->netns) {
    return fail(ErrorCode::not_found, "{} is another namespace by now", netns->path());
  }
  const auto sysfs = host::open_sysfs(host.netns, *netns);
  if (!sysfs) return pass(sysfs);
  return read_in(*sysfs, device);
}

}  // namespace

Sweep read_device_counters(const host::Host& host, const std::vector<CountedDevice>& devices) {
  Sweep sweep;
  const auto sysfs = Directory::open(host.roots.sysfs);
  if (!sysfs) {
    sweep.out_of_sight.push_back(sysfs.error());
    return sweep;
  }
  for (const auto& device : devices) {
    auto found = read_in(*sysfs, device);
    if (found.empty() && has_rdma(*sysfs, device)) {
      auto in_pod = read_in_pod(host, device);
      if (in_pod) {
        found = std::move(*in_pod);
      } else {
        sweep.out_of_sight.push_back(in_pod.error().in(device.id));
      }
    }
    std::move(found.begin(), found.end(), std::back_inserter(sweep.devices));
  }
  return sweep;
}

}  // namespace railhead::metrics
