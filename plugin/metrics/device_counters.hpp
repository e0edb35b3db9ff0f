#pragma once
// The counters of RDMA devices, wherever they are: in the host's network namespace or in a pod's.
#include <string>
#include <vector>

#include "base/pci_address.hpp"
#include "host/host.hpp"
#include "plugin/metrics/port_counters.hpp"

namespace railhead::metrics {

// A container that was given a device.
struct Holder {
  std::string pod_namespace;
  std::string pod;
  std::string container;
  friend bool operator==(const Holder&, const Holder&) = default;
};

// A device whose counters are wanted, if it has any.
struct CountedDevice {
  std::string id;        // PCI address, or the name of an auxiliary device ("mlx5_core.sf.4")
  PciAddress address;    // of the PCI function; of an auxiliary device, its parent's
  std::string resource;  // "rdma/vf"; "" when no pool has it
  std::vector<Holder> holders;  // several where the device is shared
  friend bool operator==(const CountedDevice&, const CountedDevice&) = default;
};

// One RDMA device of a CountedDevice.
struct DeviceCounters {
  CountedDevice device;
  std::string rdma_device;  // its name in its namespace: "mlx5_4"
  std::vector<PortCounters> ports;
  friend bool operator==(const DeviceCounters&, const DeviceCounters&) = default;
};

struct Sweep {
  std::vector<DeviceCounters> devices;
  std::vector<Error> out_of_sight;  // of each device in a pod's namespace that cannot be read, why
};

// Reads everything anew. A device that is not in the host's namespace is looked for in the one
// that its attachment record names; where that cannot be entered, it is out of sight.
[[nodiscard]] Sweep read_device_counters(const host::Host& host,
                                         const std::vector<CountedDevice>& devices);

}  // namespace railhead::metrics
