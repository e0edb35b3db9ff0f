#pragma once
// The annotation k8s.v1.cni.cncf.io/network-status, in the form Multus writes it.
#include <span>
#include <string>
#include <vector>

#include "cni/meta/pod_record.hpp"
#include "cnispec/plugin_result.hpp"
#include "ipc/pod_news.hpp"

namespace railhead::cni {

inline constexpr std::string_view kNetworkStatusKey = "k8s.v1.cni.cncf.io/network-status";

// `results`: of each of the record's networks, in their order.
[[nodiscard]] std::string network_status(const PodRecord& record,
                                         std::span<const cnispec::PluginResult> results);

// Of those that stand on a device of the pod.
[[nodiscard]] std::vector<ipc::AttachedDevice> attached_devices(
    const PodRecord& record, std::span<const cnispec::PluginResult> results);

// Of those that stand on a NIC of the node's, by the name that their configuration gives it.
[[nodiscard]] std::vector<ipc::SharedInterface> shared_interfaces(
    const PodRecord& record, std::span<const cnispec::PluginResult> results);

// Of each of them, in Multus' words.
[[nodiscard]] std::vector<ipc::PodEvent> added_events(
    const PodRecord& record, std::span<const cnispec::PluginResult> results);

}  // namespace railhead::cni
