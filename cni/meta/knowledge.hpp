#pragma once
// What is known of a node's devices, by the agent or else by the file that kubelet keeps of them,
// and of the cluster, by files or else by the agent.
#include <functional>
#include <optional>
#include <string>

#include "base/deadline.hpp"
#include "cni/meta/meta_conf.hpp"
#include "cni/meta/pod_devices.hpp"
#include "cni/meta/sources.hpp"
#include "cnispec/request.hpp"
#include "device/device_id.hpp"
#include "device/rail_map.hpp"
#include "host/host.hpp"
#include "ipc/resolve.hpp"

namespace railhead::cni {

class Knowledge {
 public:
  Knowledge(host::Host& host, const MetaConf& conf, const cnispec::Request& request,
            const Deadline& deadline);

  // What kubelet gave to the pod. unavailable: it cannot be known now.
  [[nodiscard]] Result<PodDevices> devices();

  // Which of them are far from the pod's GPUs; none without the agent, which alone knows GPUs.
  [[nodiscard]] std::vector<ipc::FarPair> far_pairs();

  // A device's rail and plane. unavailable: no agent has numbered the port that it sends by.
  [[nodiscard]] Result<device::RailPlace> rail_of(const std::string& device);

  // A NetworkAttachmentDefinition: of the folder nadDir, else the cluster's, which the agent knows.
  // Errors: not_found (there is none), unavailable (the agent cannot say now), decode,
  // invalid_argument.
  [[nodiscard]] Result<Nad> nad(const std::string& namespace_, const std::string& name);
  // The pod's annotations as the agent has them. unavailable: it cannot say, or none is there.
  [[nodiscard]] Result<Annotations> annotations();
  // The same until `is_content`, which is called with what they are by now; or until it is in vain.
  // unavailable: it was.
  [[nodiscard]] Result<void> await_annotations(
      const std::function<bool(const Annotations&)>& is_content);

  // Whether the pod may have a device that its networks' configurations name: kubelet gave it to
  // the pod; or it is a function of some bus that nobody advertises, nobody has, and the host does
  // not use. Errors: invalid_argument (never any pod's), busy (another pod's, which is named),
  // unavailable (not known now).
  [[nodiscard]] Result<void> may_have(const device::DeviceId& device);
  // The same by a PCI address or the name of an auxiliary device.
  [[nodiscard]] Result<void> may_have(const std::string& device);

 private:
  [[nodiscard]] Result<PodDevices> ask();
  [[nodiscard]] Result<Annotations> ask_annotations() const;
  [[nodiscard]] Result<void> is_free(const device::DeviceId& device);
  [[nodiscard]] Result<void> is_permitted(const device::DeviceId& device);
  [[nodiscard]] Result<void> is_unused(const device::DeviceId& device);

  host::Host& host_;
  const MetaConf& conf_;
  const Deadline& deadline_;
  cnispec::CniArgs pod_;
  std::optional<Result<PodDevices>> devices_;
  std::vector<ipc::FarPair> far_pairs_;  // as the agent told with devices_
  std::optional<Result<device::RailMap>> rails_;
};

}  // namespace railhead::cni
