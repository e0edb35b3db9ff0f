#include "device/functions.hpp"

#include <algorithm>

#include "device/gpu_ids.hpp"
#include "device/iommu.hpp"
#include "device/sub_functions.hpp"
#include "device/sysfs.hpp"
#include "device/uevent.hpp"
#include "device/vdpa.hpp"

namespace railhead::device {
namespace {

using host::Directory;

// "../../../devices/pci0000:20/0000:20:00.0/0000:21:00.0" -> {"pci0000:20", "0000:20:00.0"}
std::vector<std::string> ancestors(std::string_view link) {
  std::vector<std::string> path;
  for (auto part : split(link, '/')) {
    if (!path.empty() || part.starts_with("pci")) path.emplace_back(part);
  }
  if (!path.empty()) path.pop_back();
  return path;
}

// The VFs that a PF has now, by index. Not told by sriov_numvfs: kernels 5.6 to 6.8 let its readers
// wait for as long as the PF's driver makes or removes VFs, which may be seconds.
Result<void> read_sriov(const Directory& folder, PciFunction& function) {
  constexpr std::string_view kLink = "virtfn";
  const auto total = read_number<uint32_t>(folder, "sriov_totalvfs");
  if (!total) return pass(total);
  function.total_vfs = *total;
  if (!function.total_vfs) return {};
  const auto entries = folder.list(".");
  if (!entries) return pass(entries);
  for (const auto& entry : *entries) {
    if (!entry.starts_with(kLink)) continue;
    const auto index = parse_int<uint32_t>(std::string_view(entry).substr(kLink.size()));
    if (!index || *index >= *function.total_vfs) continue;
    const auto name = optional(folder.link_name(entry));
    if (!name) return pass(name);
    if (function.vfs.size() <= *index) function.vfs.resize(*index + 1);
    if (*name) function.vfs[*index] = PciAddress::parse(**name);
  }
  return {};
}

// A function that was lost on the bus answers every read of its configuration with all ones. A
// VF's vendor id always does (SR-IOV 1.1, 3.4.1.1), so it is its PF that is asked.
bool responds(const Directory& folder) {
  const auto id = folder.read_start("config", 4);
  return !id || *id != "\xff\xff\xff\xff";
}

Result<void> read_what_is_asked_for(const Directory& folder, const ScanOptions& options,
                                    PciFunction& function) {
  if (options.acpi_indexes) {
    auto index = optional(folder.read("acpi_index"));
    if (!index) return pass(index);
    function.acpi_index = std::move(*index);
  }
  if (options.p_keys && !function.rdma.empty()) {
    auto key = optional(
        folder.read(fmt::format("infiniband/{}/ports/1/pkeys/0", function.rdma.front().name)));
    if (!key) return pass(key);
    function.p_key = std::move(*key);
  }
  return {};
}

Result<void> read_details(const Directory& devices, const std::string& name, const Known& known,
                          const ScanOptions& options, PciFunction& function) {
  const auto link = devices.link(name);
  if (!link) return pass(link);
  function.path = ancestors(*link);
  const auto folder = devices.sub(name);
  if (!folder) return pass(folder);
  const auto numa = read_number<int>(*folder, "numa_node");
  if (!numa) return pass(numa);
  if (*numa && **numa >= 0) function.numa_node = **numa;
  const auto group = optional(folder->link_name("iommu_group"));
  if (!group) return pass(group);
  if (*group) function.iommu_group = parse_int<uint32_t>(**group);
  if (is_vfio_driver(function.driver)) {
    auto cdev = read_vfio_cdev(*folder);
    if (!cdev) return pass(cdev);
    function.vfio_cdev = std::move(*cdev);
  } else if (is_userspace_driver(function.driver)) {
    auto uio = first_numbered(*folder, "uio", "uio");
    if (!uio) return pass(uio);
    function.uio = std::move(*uio);
  }
  if (!function.is_network()) return {};

  if (auto read = read_sriov(*folder, function); !read) return read;
  auto netdevs = read_netdevs(*folder, name, function.driver, known.links);
  if (!netdevs) return pass(netdevs);
  function.netdevs = std::move(*netdevs);
  auto rdma = read_rdma(*folder, known.rdma);
  if (!rdma) return pass(rdma);
  function.rdma = std::move(*rdma);
  return read_what_is_asked_for(*folder, options, function);
}

// Nothing for what is neither a network function nor a GPU, or has gone meanwhile.
Result<std::optional<PciFunction>> read_function(const Directory& devices, const std::string& name,
                                                 const Known& known, const ScanOptions& options) {
  const auto address = PciAddress::parse(name);
  if (!address) return std::nullopt;
  const auto uevent = optional(devices.read(name + "/uevent"));
  if (!uevent) return pass(uevent);
  if (!*uevent) return std::nullopt;
  PciFunction function;
  function.address = *address;
  auto ids = decode_uevent(**uevent);
  function.driver = std::move(ids.driver);
  function.pci_class = ids.pci_class;
  function.vendor = std::move(ids.vendor);
  function.device_id = std::move(ids.device_id);
  function.is_gpu = options.gpu.takes(function);
  if (!function.is_gpu && !function.is_network() &&
      !(options.accelerators && function.is_accelerator())) {
    return std::nullopt;
  }
  auto details = read_details(devices, name, known, options, function);
  if (absent(details)) return std::nullopt;
  if (!details) return pass(details);
  return function;
}

void ask_devlink(host::Devlink& devlink, const ScanOptions& options, GroupFacts& group) {
  const auto answer = [&](auto result) {
    if (!result) group.warnings.push_back(result.error().message);
    return result.value_or(std::nullopt);
  };
  if (!options.firmware_apps) return;
  for (auto& function : group.functions) {
    if (function.is_network()) {
      function.firmware_app = answer(devlink.firmware_app(function.address.to_string()));
    }
  }
}

void read_gpu_uuids(const std::string& proc_root, GroupFacts& group) {
  for (auto& function : group.functions) {
    if (!function.is_gpu) continue;
    auto uuid = read_gpu_uuid(proc_root, function.address);
    if (is(uuid, ErrorCode::unavailable)) {
      group.is_early = true;
    } else if (!uuid) {
      group.warnings.push_back("the UUID of a GPU: " + uuid.error().message);
    }
    function.gpu_uuid = uuid.value_or(std::nullopt);
  }
}

// Each IOMMU group is looked at once; a function whose group cannot be read is let pass, as vfio
// itself will tell.
void read_iommu_groups(const std::string& sysfs_root, std::vector<PciFunction>& functions) {
  std::map<uint32_t, IommuGroup> groups;
  for (auto& function : functions) {
    if (!is_vfio_driver(function.driver) || !function.iommu_group) continue;
    const auto [known, is_new] = groups.try_emplace(*function.iommu_group);
    if (is_new) {
      auto group = read_iommu_group(sysfs_root, *function.iommu_group);
      if (group) known->second = std::move(*group);
    }
    function.iommu_blocked_by = known->second.blocking;
    function.without_iommu = known->second.without_iommu;
  }
}

// A VF's PF and index are what the PF says: N links read, not N per VF.
void link_vfs(std::vector<PciFunction>& functions) {
  std::map<PciAddress, PciFunction*> by_address;
  for (auto& function : functions) by_address[function.address] = &function;
  for (auto& pf : functions) {
    for (uint32_t index = 0; index < pf.vfs.size(); ++index) {
      if (!pf.vfs[index]) continue;
      const auto vf = by_address.find(*pf.vfs[index]);
      if (vf == by_address.end()) continue;
      vf->second->pf = pf.address;
      vf->second->vf_index = index;
    }
  }
}

// Whether a class (24 bits, as sysfs writes it: "0x020000") may be of use to anybody.
bool may_concern(const std::string& text, const ScanOptions& options) {
  if (!text.starts_with("0x")) return true;
  const auto number = parse_int<uint32_t>(std::string_view(text).substr(2), 16);
  if (!number) return true;
  PciFunction function;
  function.pci_class = *number;
  if (function.is_network() || (options.accelerators && function.is_accelerator())) return true;
  return std::ranges::find(options.gpu.classes, static_cast<uint16_t>(*number >> 8)) !=
         options.gpu.classes.end();
}

// The group that a function is of: a VF's PF, else its own. Nothing for what concerns nobody.
Result<std::optional<PciAddress>> head_of(const Directory& devices, const std::string& name,
                                          const PciAddress& address, const ScanOptions& options) {
  const auto pf = optional(devices.link_name(name + "/physfn"));
  if (!pf) return pass(pf);
  if (*pf) {
    const auto head = PciAddress::parse(**pf);
    return head ? head : address;
  }
  const auto pci_class = optional(devices.read(name + "/class"));
  if (!pci_class) return pass(pci_class);
  if (*pci_class && !may_concern(**pci_class, options)) return std::nullopt;
  return address;
}

// A PF of a class that concerns nobody has no group, and its VFs neither.
void keep_concerned(std::map<PciAddress, FunctionGroup>& groups) {
  for (auto& [head, group] : groups) std::sort(group.functions.begin(), group.functions.end());
  std::erase_if(groups, [](const auto& entry) {
    const auto& functions = entry.second.functions;
    return !std::binary_search(functions.begin(), functions.end(), entry.first);
  });
}

void add_sub_functions(const std::string& sysfs_root, std::map<PciAddress, FunctionGroup>& groups,
                       Warnings& warnings) {
  auto all = list_sub_functions(sysfs_root);
  if (!all) warnings.push_back("sub-functions: " + all.error().message);
  for (auto& [parent, names] : all.value_or(SubFunctionNames{})) {
    const auto group = groups.find(parent);
    if (group != groups.end()) group->second.sub_functions = std::move(names);
  }
}

}  // namespace

Result<BusFacts> read_bus(const std::string& sysfs_root, const ScanOptions& options) {
  BusFacts bus;
  auto& warnings = bus.warnings;
  const auto devices = Directory::open(sysfs_root + "/bus/pci/devices");
  if (absent(devices)) {
    // A kernel without PCI is no error; a path that is no sysfs would look like one.
    if (const auto any = Directory::open(sysfs_root + "/bus"); !any) return pass(any);
    return bus;
  }
  if (!devices) return pass(devices);
  const auto names = devices->list(".");
  if (!names) return pass(names, "PCI devices");
  std::map<PciAddress, FunctionGroup> groups;
  for (const auto& name : *names) {
    const auto address = PciAddress::parse(name);
    if (!address) continue;
    const auto head = head_of(*devices, name, *address, options);
    if (!head) {
      warnings.push_back(fmt::format("{} is left out: {}", name, head.error().message));
    } else if (*head) {
      auto& group = groups[**head];
      group.head = **head;
      group.functions.push_back(*address);
    }
  }
  keep_concerned(groups);
  if (options.sub_functions) add_sub_functions(sysfs_root, groups, warnings);
  auto vdpa = read_vdpa_devices(sysfs_root);
  if (!vdpa) warnings.push_back("vDPA devices: " + vdpa.error().message);
  bus.vdpa = vdpa.value_or(std::map<PciAddress, VdpaDevice>{});
  for (auto& [head, group] : groups) bus.groups.push_back(std::move(group));
  return bus;
}

GroupFacts read_group(const host::Roots& roots, const FunctionGroup& group, const Known& known,
                      host::Devlink& devlink, const ScanOptions& options) {
  GroupFacts facts;
  const auto devices = Directory::open(roots.sysfs + "/bus/pci/devices");
  if (absent(devices)) return facts;
  if (!devices) {
    facts.warnings.push_back(devices.error().message);
    return facts;
  }
  facts.functions.reserve(group.functions.size());
  for (const auto& address : group.functions) {
    const auto name = address.to_string();
    auto function = read_function(*devices, name, known, options);
    if (!function) {
      facts.warnings.push_back(fmt::format("{} is left out: {}", name, function.error().message));
    } else if (*function) {
      facts.functions.push_back(std::move(**function));
    }
  }
  link_vfs(facts.functions);
  for (auto& function : facts.functions) {
    if (!function.is_network() || function.is_vf()) continue;
    if (function.address == group.head) {
      function.sub_functions =
          read_sub_functions(roots.sysfs, group.sub_functions, known, facts.warnings);
    }
    const auto folder = devices->sub(function.address.to_string());
    function.responds = !folder || responds(*folder);
  }
  ask_devlink(devlink, options, facts);
  read_iommu_groups(roots.sysfs, facts.functions);
  read_gpu_uuids(roots.proc, facts);
  return facts;
}

std::vector<host::RdmaLink> devices_to_ask(const GroupFacts& group, const RdmaFacts& rdma,
                                           const ScanOptions& options) {
  std::vector<host::RdmaLink> devices;
  for (const auto& function : group.functions) {
    if (function.is_vf() && !options.all_ports && !options.ports_of.contains(function.address)) {
      continue;
    }
    for (const auto& device : function.rdma) {
      const auto known = rdma.devices.find(device.name);
      if (device.in_host_namespace && known != rdma.devices.end()) {
        devices.push_back(known->second);
      }
    }
  }
  return devices;
}

}  // namespace railhead::device
