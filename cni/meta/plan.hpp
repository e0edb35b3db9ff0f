#pragma once
// What a pod is to be given, in full, before anything is changed.
#include <functional>
#include <string>
#include <vector>

#include "cni/meta/meta_conf.hpp"
#include "cni/meta/pod_devices.hpp"
#include "cni/meta/pod_record.hpp"
#include "cni/meta/sources.hpp"
#include "cnispec/net_conf.hpp"
#include "cnispec/request.hpp"
#include "device/rail_map.hpp"
#include "ipc/resolve.hpp"

namespace railhead::cni {

struct PlanSource {
  const cnispec::Request& request;
  const cnispec::NetConf& conf;
  const MetaConf& meta;
  // A NetworkAttachmentDefinition; of a file, or the cluster's.
  std::function<Result<Nad>(const std::string& namespace_, const std::string& name)> nad;
  // The pod's annotations, where the runtime gave none.
  std::function<Result<Annotations>()> annotations;
  // The pod's annotations until somebody is content with them (Knowledge::await_annotations).
  std::function<Result<void>(const std::function<bool(const Annotations&)>& is_content)>
      await_annotations;
  // What kubelet gave to the pod; asked at most once, and only where a network needs to know.
  std::function<Result<PodDevices>()> devices;
  // A device's rail and plane. unavailable: they are not known yet.
  std::function<Result<device::RailPlace>(const std::string& device)> rail_of;
  // Which of these devices are far from the pod's GPUs, as far as that is known.
  std::function<std::vector<ipc::FarPair>()> far_pairs;
  // Whether the pod may have a device that none of its resources gave, by that name.
  std::function<Result<void>(const std::string& device)> may_have;
};

struct Plan {
  PodRecord record;
  std::vector<std::string> warnings;
  friend bool operator==(const Plan&, const Plan&) = default;
};

// Errors name the entry of the annotation and what is wrong with it: invalid_argument and decode
// (what it, a NAD or the node's configuration says), not_found (a NAD, a configuration, a plugin's
// program), busy (another pod's device), unavailable (what must be known is not known yet).
Result<Plan> make_plan(const PlanSource& source);

// The cluster network alone, for a DEL without a record.
Result<PodNetwork> plan_cluster_network(const PlanSource& source);

// CNI_PATH with the folder of the node's configuration before it.
std::string plugin_path(const cnispec::Request& request, const MetaConf& meta);

}  // namespace railhead::cni
