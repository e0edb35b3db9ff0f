#include "plugin/app/unattached.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace railhead::app {
namespace {

// The kernel's news of what the pod's networks took has been read by then.
constexpr std::chrono::seconds kSettled{5};
constexpr uint16_t kEthernet = 1;  // ARPHRD_ETHER

bool is_left_on_host(const device::Inventory& inventory, const std::string& id) {
  const auto address = PciAddress::parse(id);
  const auto* function = address ? inventory.find(*address) : nullptr;
  return function && function->is_vf() &&
         std::ranges::any_of(function->netdevs,
                             [](const auto& netdev) { return netdev.type == kEthernet; });
}

}  // namespace

std::vector<std::string> unattached_of(const std::vector<ContainerDevices>& given,
                                       const std::set<std::string>& attached,
                                       const device::Inventory& inventory) {
  std::vector<std::string> lines;
  for (const auto& one : given) {
    for (const auto& id : one.devices) {
      if (attached.contains(id) || !is_left_on_host(inventory, id)) continue;
      lines.push_back(
          fmt::format("{} ({}) was given to container {}, and no network of the pod takes it: name "
                      "one more in the annotation k8s.v1.cni.cncf.io/networks",
                      id, one.resource, one.container));
    }
  }
  return lines;
}

Unattached::Unattached(Loop& loop, const Clock& clock, Owners& owners, Node node, Tell tell)
    : clock_(clock),
      owners_(owners),
      node_(std::move(node)),
      tell_(std::move(tell)),
      timer_(loop, [this] { look(); }) {}

void Unattached::started(Pod pod) {
  due_.push_back({clock_.now() + kSettled, std::move(pod)});
  timer_.set_if_sooner(due_.front().at);
}

void Unattached::look() {
  while (!due_.empty() && due_.front().at <= clock_.now()) {
    const auto pod = std::move(due_.front().pod);
    due_.pop_front();
    owners_.resolve(pod.question, [this, pod](const ipc::ResolveAnswer& answer) {
      const auto node = node_();
      if (!node) return;
      for (const auto& line : unattached_of(answer.containers, pod.attached, *node))
        tell_(pod, line);
    });
  }
  if (!due_.empty()) timer_.set(due_.front().at);
}

}  // namespace railhead::app
