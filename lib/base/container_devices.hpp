#pragma once
#include <string>
#include <vector>

namespace railhead {

// What kubelet gave to one container as one resource.
struct ContainerDevices {
  std::string container;
  std::string resource;  // "rdma/vf"
  // As the resource's device plugin named them to kubelet: a PCI address, a sub-function's name
  // ("mlx5_core.sf.4"), a share of either ("0000:3b:00.2::3") or of a pool ("7"), a GPU's UUID.
  std::vector<std::string> devices;
  friend bool operator==(const ContainerDevices&, const ContainerDevices&) = default;
};

// In PCI order: PCI addresses, and shares of them, as numbers; behind them all else as text.
void sort_device_ids(std::vector<std::string>& ids);

}  // namespace railhead
