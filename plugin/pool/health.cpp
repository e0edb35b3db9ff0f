#include "plugin/pool/health.hpp"

#include <algorithm>

namespace railhead::pool {
namespace {

using device::RdmaDevice;
using Trouble = std::optional<std::string>;

// enum ib_port_state and ib_port_phys_state (rdma/ib_verbs.h).
constexpr uint8_t kPortActive = 4;
constexpr uint8_t kPhysicalLinkUp = 5;

Trouble rdma_link_trouble(const std::vector<RdmaDevice>& devices) {
  for (const auto& device : devices) {
    for (const auto& port : device.ports) {
      if (port.physical_state != kPhysicalLinkUp) {
        return fmt::format("port {} of {} has no link", port.number, device.name);
      }
    }
  }
  return std::nullopt;
}

// Of the port, not of the VF: a VF keeps its own carrier when the PF's cable is cut. An IPoIB
// netdev has carrier only after it was brought up and joined; its RDMA port tells.
Trouble link_trouble(const Candidate& candidate) {
  const auto& port = candidate.port();
  if (candidate.link_type() == "infiniband") return rdma_link_trouble(port.rdma);
  const auto* netdev = main_netdev(port);
  if (!netdev) return std::nullopt;
  const auto name = candidate.pf ? "its PF " + netdev->name : "its netdev " + netdev->name;
  if (!netdev->up) return name + " is down";
  if (netdev->carrier == false) return name + " has no carrier";
  return std::nullopt;
}

Trouble port_trouble(const std::vector<RdmaDevice>& devices) {
  for (const auto& device : devices) {
    for (const auto& port : device.ports) {
      if (port.state != kPortActive) {
        return fmt::format("port {} of {} is not active", port.number, device.name);
      }
    }
  }
  return std::nullopt;
}

// A RoCE port follows its netdev, which is down while no pod has the VF: then the PF's port is the
// one to look at. An InfiniBand VF has a port state of its own.
Trouble rdma_trouble(const Candidate& candidate) {
  const bool infiniband = candidate.link_type() == "infiniband";
  const auto& own = candidate.rdma();
  if (infiniband) {
    for (const auto& device : own) {
      if (device.in_host_namespace && device.node_guid == Guid{}) {
        return fmt::format("the node GUID of {} is zero: the subnet manager does not know it",
                           device.name);
      }
    }
  }
  const bool own_is_here =
      std::any_of(own.begin(), own.end(), [](const auto& one) { return one.in_host_namespace; });
  const bool netdev_is_up = std::any_of(candidate.netdevs().begin(), candidate.netdevs().end(),
                                        [](const auto& netdev) { return netdev.up; });
  if (own_is_here && (infiniband || !candidate.pf || netdev_is_up)) return port_trouble(own);
  return candidate.pf ? port_trouble(candidate.pf->rdma) : std::nullopt;
}

// What makes a device unfit for any pod, whatever the settings.
std::string sickness_of(const Candidate& candidate, const Knowledge& knowledge) {
  const auto& function = *candidate.function;
  const auto sick = knowledge.sick.find(function.address);
  if (sick != knowledge.sick.end()) return sick->second;
  if (!candidate.port().responds) {
    return fmt::format("{} does not answer on the PCI bus; see the kernel's log",
                       candidate.port().address.to_string());
  }
  if (!function.iommu_blocked_by.empty()) {
    return fmt::format("its IOMMU group {} is not viable: {} in it is bound to a host driver",
                       function.iommu_group.value_or(0),
                       function.iommu_blocked_by.front().to_string());
  }
  return "";
}

void weigh(config::Concern concern, Trouble trouble, Member& member) {
  if (!trouble || concern == config::Concern::ignore) return;
  if (concern == config::Concern::require && member.sickness.empty()) {
    member.sickness = std::move(*trouble);
  } else {
    member.concerns.push_back(std::move(*trouble));
  }
}

}  // namespace

void judge(const Candidate& candidate, const config::Health& health, const Knowledge& knowledge,
           Member& member) {
  member.sickness = sickness_of(candidate, knowledge);
  if (candidate.type() == config::DeviceType::accelerator) return;
  weigh(health.link, link_trouble(candidate), member);
  if (member.rdma) weigh(health.rdma, rdma_trouble(candidate), member);
}

// RDMA devices of another network namespace cannot be opened in exclusive mode, whatever nodes a
// container has (ib_uverbs checks it).
std::string sickness_of(const config::Resource& resource, const device::Inventory& inventory) {
  if (!resource.sharing || resource.sharing->host_network_only ||
      inventory.rdma_netns_mode() != host::RdmaNetnsMode::exclusive) {
    return "";
  }
  return "the node's RDMA devices are in exclusive mode (rdma system show), so that a pod with a "
         "network of its own cannot open those of the host; use shared mode, or hostNetworkOnly: "
         "true for pods with hostNetwork";
}

}  // namespace railhead::pool
