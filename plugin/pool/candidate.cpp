#include "plugin/pool/candidate.hpp"

#include <algorithm>

#include <net/if_arp.h>

#include "device/port_name.hpp"

namespace railhead::pool {

using config::DeviceType;
using config::FunctionKind;
using device::Netdev;
using device::PciFunction;

namespace {

std::optional<std::string_view> link_type_of(const Netdev* netdev) {
  if (netdev && netdev->type == ARPHRD_ETHER) return "ether";
  if (netdev && netdev->type == ARPHRD_INFINIBAND) return "infiniband";
  return std::nullopt;
}

size_t count_vfs(const PciFunction& function) {
  return static_cast<size_t>(std::count_if(function.vfs.begin(), function.vfs.end(),
                                           [](const auto& vf) { return vf.has_value(); }));
}

constexpr auto kNoDriver = "no driver is bound to it";

std::string description_of(FunctionKind kind, const PciFunction& function) {
  switch (kind) {
    case FunctionKind::vf:
      return "it is a VF";
    case FunctionKind::nic:
      return "it is a NIC that can have no VFs";
    case FunctionKind::pf:
      return fmt::format("it is a PF that can have {} VFs; functions: [pf] would offer it whole",
                         function.total_vfs.value_or(0));
  }
  return "";
}

}  // namespace

const Netdev* main_netdev(const PciFunction& function) {
  const auto uplink =
      std::find_if(function.netdevs.begin(), function.netdevs.end(), [](const Netdev& netdev) {
        return netdev.phys_port_name && device::is_uplink_port(*netdev.phys_port_name);
      });
  if (uplink != function.netdevs.end()) return &*uplink;
  return function.netdevs.empty() ? nullptr : &function.netdevs.front();
}

std::string Candidate::id() const {
  return sub_function ? sub_function->name : function->address.to_string();
}

DeviceType Candidate::type() const {
  if (sub_function) return DeviceType::auxiliary;
  return function->is_accelerator() ? DeviceType::accelerator : DeviceType::net;
}

const std::string& Candidate::driver() const {
  return sub_function ? sub_function->driver : function->driver;
}

const std::vector<Netdev>& Candidate::netdevs() const {
  return sub_function ? sub_function->netdevs : function->netdevs;
}

const std::vector<device::RdmaDevice>& Candidate::rdma() const {
  return sub_function ? sub_function->rdma : function->rdma;
}

std::optional<uint32_t> Candidate::index() const {
  return sub_function ? sub_function->number : function->vf_index;
}

FunctionKind Candidate::function_kind() const {
  if (function->is_vf()) return FunctionKind::vf;
  return function->total_vfs.value_or(0) > 0 ? FunctionKind::pf : FunctionKind::nic;
}

const Netdev* Candidate::addressed_netdev() const {
  const auto found = std::ranges::find_if(netdevs(), &Netdev::global_address);
  return found == netdevs().end() ? nullptr : &*found;
}

std::string_view Candidate::link_type() const {
  const auto* own =
      sub_function ? (netdevs().empty() ? nullptr : &netdevs().front()) : main_netdev(*function);
  if (const auto type = link_type_of(own)) return *type;
  if (const auto type = link_type_of(pf ? main_netdev(*pf) : nullptr)) return *type;
  for (const auto& one : rdma()) {
    if (one.link_layer == device::LinkLayer::ethernet) return "ether";
    if (one.link_layer == device::LinkLayer::infiniband) return "infiniband";
  }
  return function->pci_class >> 8 == 0x0207 ? "infiniband" : "ether";
}

std::string Candidate::description() const {
  std::string text;
  if (pf) {
    const auto* netdev = main_netdev(*pf);
    text = fmt::format("{} {} of {}", sub_function ? "SF" : "VF", index().value_or(0),
                       netdev ? netdev->name : pf->address.to_string());
  } else if (type() == DeviceType::accelerator) {
    text = "accelerator";
  } else {
    const auto* netdev = main_netdev(*function);
    text = function->total_vfs ? "PF" : "NIC";
    if (netdev) text += ' ' + netdev->name;
  }
  return fmt::format("{}  {}:{}  {}", text, function->vendor, function->device_id,
                     driver().empty() ? "no driver" : driver());
}

std::vector<Candidate> candidates(const device::Inventory& inventory) {
  std::vector<Candidate> all;
  for (const auto& function : inventory.functions()) {
    if (!function.is_network() && !function.is_accelerator()) continue;
    all.push_back({&function, nullptr, function.pf ? inventory.find(*function.pf) : nullptr});
    for (const auto& sub_function : function.sub_functions) {
      all.push_back({&function, &sub_function, &function});
    }
  }
  return all;
}

Before before_of(const config::Resource& resource, const Candidate& candidate,
                 const Knowledge& knowledge) {
  return knowledge.members.contains({resource.full_name(), candidate.id()}) ? Before::taken
                                                                            : Before::not_taken;
}

std::optional<std::string> reason_against(const Candidate& candidate) {
  if (candidate.driver().empty()) return kNoDriver;
  if (candidate.type() == DeviceType::accelerator) return std::nullopt;
  const auto vfs = candidate.sub_function ? 0 : count_vfs(*candidate.function);
  if (vfs > 0) return fmt::format("it is a PF with {} VFs: these are offered instead", vfs);
  for (const auto& netdev : candidate.netdevs()) {
    if (netdev.default_route) {
      return fmt::format("the node's default route goes over its netdev {}", netdev.name);
    }
  }
  return std::nullopt;
}

std::optional<std::string> reason_against(const Candidate& candidate,
                                          const config::Resource& resource) {
  if (resource.type == DeviceType::net && !resource.functions.contains(candidate.function_kind())) {
    return "functions: " + description_of(candidate.function_kind(), *candidate.function);
  }
  if (resource.sharing) {
    return candidate.driver().empty() ? std::optional<std::string>(kNoDriver) : std::nullopt;
  }
  if (auto reason = reason_against(candidate)) return reason;
  const auto* netdev = candidate.addressed_netdev();
  if (!netdev || resource.addressed != config::Addressed::refuse) return std::nullopt;
  return fmt::format(
      "the node has an address on its netdev {}, which it would lose; allowAddressed: true offers "
      "it all the same",
      netdev->name);
}

}  // namespace railhead::pool
