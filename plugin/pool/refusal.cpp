// One function per kind of selector, in the order in which they are asked.
#include <algorithm>
#include <array>

#include "plugin/pool/candidate.hpp"

namespace railhead::pool {
namespace {

using config::Selector;
using config::VfsOfPf;

using Fact = std::optional<std::string>;  // against the device

template <class T>
bool has(const std::vector<T>& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

// "its vendor is 8086"
Fact unless_in(const std::vector<std::string>& list, const std::string& value,
               std::string_view name) {
  if (list.empty() || has(list, value)) return std::nullopt;
  return fmt::format("its {} is {}", name, value);
}

Fact unless_in(const std::vector<std::string>& list, const std::optional<std::string>& value,
               std::string_view name) {
  if (list.empty() || (value && has(list, *value))) return std::nullopt;
  return value ? fmt::format("its {} is {}", name, *value) : fmt::format("it has no {}", name);
}

// `pf`: what the list names PFs by, "" when it has none.
Fact unless_vf_of(const std::vector<VfsOfPf>& list, const Candidate& candidate,
                  const std::string& pf, std::string_view without_name) {
  if (list.empty()) return std::nullopt;
  if (!candidate.pf) return "it is no VF or SF of a known PF";
  if (pf.empty()) return std::string(without_name);
  const auto item = std::find_if(list.begin(), list.end(), [&](const VfsOfPf& one) {
    return equal_ignoring_case(one.pf, pf);
  });
  if (item == list.end()) return fmt::format("its PF is {}", pf);
  const auto index = candidate.index();
  if (!item->vfs || (index && contains(*item->vfs, *index))) return std::nullopt;
  return fmt::format("its index on {} is {}", pf, index ? std::to_string(*index) : "not known");
}

// A sub-function is known by its PF's driver, as sriov-network-device-plugin has it, or its own.
Fact drivers(const Selector& selector, const Candidate& candidate) {
  if (has(selector.drivers, candidate.function->driver)) return std::nullopt;
  return unless_in(selector.drivers, candidate.driver(), "PCI driver");
}

Fact pci_addresses(const Selector& selector, const Candidate& candidate) {
  if (selector.pci_addresses.empty() || has(selector.pci_addresses, candidate.function->address)) {
    return std::nullopt;
  }
  return "its address is " + candidate.function->address.to_string();
}

Fact pf_names(const Selector& selector, const Candidate& candidate) {
  const auto* netdev = candidate.pf ? main_netdev(*candidate.pf) : nullptr;
  return unless_vf_of(selector.pf_names, candidate, netdev ? netdev->name : "",
                      "its PF has no netdev in the host's namespace");
}

Fact root_devices(const Selector& selector, const Candidate& candidate) {
  return unless_vf_of(selector.root_devices, candidate,
                      candidate.pf ? candidate.pf->address.to_string() : "", "");
}

Fact if_names(const Selector& selector, const Candidate& candidate) {
  const auto& netdevs = candidate.netdevs();
  if (selector.if_names.empty() ||
      std::any_of(netdevs.begin(), netdevs.end(),
                  [&](const auto& netdev) { return has(selector.if_names, netdev.name); })) {
    return std::nullopt;
  }
  return netdevs.empty() ? "it has no netdev in the host's namespace"
                         : "its netdev is " + netdevs.front().name;
}

Fact p_keys(const Selector& selector, const Candidate& candidate) {
  if (selector.p_keys.empty()) return std::nullopt;
  if (candidate.link_type() != "infiniband") return "it is no InfiniBand device";
  return unless_in(selector.p_keys, candidate.function->p_key, "visible partition key");
}

// What is loaded into the PF holds for its VFs, whose driver has no devlink.
Fact ddp_profiles(const Selector& selector, const Candidate& candidate) {
  const auto& own = candidate.function->firmware_app;
  return unless_in(selector.ddp_profiles, own ? own : candidate.port().firmware_app, "DDP profile");
}

Fact is_rdma(const Selector& selector, const Candidate& candidate) {
  if (!selector.is_rdma || !candidate.rdma().empty()) return std::nullopt;
  return "it has no RDMA device";
}

Fact vdpa_type(const Selector& selector, const Candidate& candidate) {
  if (!selector.vdpa) return std::nullopt;
  const auto& vdpa = candidate.function->vdpa;
  if (!vdpa) return "it has no vDPA device";
  const auto* expected = *selector.vdpa == config::VdpaType::vhost ? "vhost_vdpa" : "virtio_vdpa";
  if (vdpa->driver == expected) return std::nullopt;
  return fmt::format("its vDPA device {} is bound to {}", vdpa->name,
                     vdpa->driver.empty() ? "no driver" : vdpa->driver);
}

bool has_netdev_elsewhere(const Candidate& candidate) { return candidate.netdevs().empty(); }
bool has_rdma_elsewhere(const Candidate& candidate) {
  return std::ranges::any_of(candidate.rdma(),
                             [](const auto& rdma) { return !rdma.in_host_namespace; });
}

struct Question {
  const char* key;
  Fact (*ask)(const Selector&, const Candidate&);
  // Whether the answer may be another one than the device's own, because a pod has it.
  bool (*is_hidden)(const Candidate&) = nullptr;
};

// In the order of sriov-network-device-plugin. auxTypes is not among them: "sf" is the one type
// that is known, and scanned for.
constexpr std::array kQuestions = {
    Question{"vendors",
             [](const Selector& selector, const Candidate& candidate) {
               return unless_in(selector.vendors, candidate.function->vendor, "vendor");
             }},
    Question{"devices",
             [](const Selector& selector, const Candidate& candidate) {
               return unless_in(selector.devices, candidate.function->device_id, "device id");
             }},
    Question{"drivers", drivers},
    Question{"pciAddresses", pci_addresses},
    Question{"acpiIndexes",
             [](const Selector& selector, const Candidate& candidate) {
               return unless_in(selector.acpi_indexes, candidate.function->acpi_index,
                                "ACPI index");
             }},
    Question{"pfNames", pf_names},
    Question{"rootDevices", root_devices},
    Question{"ifNames", if_names, has_netdev_elsewhere},
    Question{"linkTypes",
             [](const Selector& selector, const Candidate& candidate) {
               if (selector.link_types.empty()) return Fact();
               return unless_in(selector.link_types, std::string(candidate.link_type()),
                                "link type");
             }},
    Question{"ddpProfiles", ddp_profiles},
    Question{"pKeys", p_keys, has_rdma_elsewhere},
    Question{"isRdma", is_rdma},
    Question{"vdpaType", vdpa_type},
};

}  // namespace

std::optional<Refusal> refusal(const Selector& selector, const Candidate& candidate,
                               Before before) {
  if (!selector.impossible.empty()) {
    return Refusal{selector.impossible, "no device can have what it asks for"};
  }
  for (const auto& question : kQuestions) {
    if (before == Before::taken && question.is_hidden && question.is_hidden(candidate)) continue;
    if (auto fact = question.ask(selector, candidate)) {
      return Refusal{question.key, std::move(*fact)};
    }
  }
  return std::nullopt;
}

}  // namespace railhead::pool
