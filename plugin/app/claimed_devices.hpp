#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plugin/kubelet/pod_resources.hpp"
#include "plugin/ledger/holdings.hpp"

namespace railhead::app {

// What the devices of claims are for networks, as their drivers publish them (ResourceSlices of
// this node, by attributes): kubelet tells who has which device by the driver's names only. From
// any thread.
class ClaimedDevices {
 public:
  struct Names {
    std::string resource;  // "rdma/vf", attribute k8s.cni.cncf.io/resourceName
    std::string device;    // "0000:3b:00.2", attribute k8s.cni.cncf.io/deviceID
    friend bool operator==(const Names&, const Names&) = default;
  };
  using Key = std::tuple<std::string, std::string, std::string>;  // driver, pool, device
  using All = std::map<Key, Names>;

  void set(All all);
  [[nodiscard]] std::shared_ptr<const All> all() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const All> all_ = std::make_shared<const All>();
};

// What kubelet lists, with the devices of claims that are for networks as those of the resource
// that their driver names; other claims are nothing here (GPUs, ComputeDomains).
[[nodiscard]] std::vector<ledger::Listed> listed_of(std::vector<kubelet::PodDevices> pods,
                                                    const ClaimedDevices::All& claimed);

}  // namespace railhead::app
