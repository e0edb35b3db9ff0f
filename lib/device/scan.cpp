#include <map>
#include <unordered_map>

#include "device/inventory.hpp"
#include "device/iommu.hpp"
#include "device/sub_functions.hpp"
#include "device/subsystems.hpp"
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

Result<void> read_details(const Directory& devices, const std::string& name,
                          const Subsystems& subsystems, const ScanOptions& options,
                          PciFunction& function) {
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
  if (!function.is_network()) return {};

  if (auto read = read_sriov(*folder, function); !read) return read;
  auto netdevs = read_netdevs(*folder, name, function.driver, subsystems);
  if (!netdevs) return pass(netdevs);
  function.netdevs = std::move(*netdevs);
  auto rdma = read_rdma(*folder, subsystems);
  if (!rdma) return pass(rdma);
  function.rdma = std::move(*rdma);
  return read_what_is_asked_for(*folder, options, function);
}

// Nothing for what is neither a network function nor a GPU, or has gone meanwhile.
Result<std::optional<PciFunction>> read_function(const Directory& devices, const std::string& name,
                                                 const Subsystems& subsystems,
                                                 const ScanOptions& options) {
  const auto address = PciAddress::parse(name);
  if (!address) return std::nullopt;
  const auto uevent = optional(devices.read(name + "/uevent"));
  if (!uevent) return pass(uevent);
  if (!*uevent) return std::nullopt;
  PciFunction function;
  function.address = *address;
  auto known = decode_uevent(**uevent);
  function.driver = std::move(known.driver);
  function.pci_class = known.pci_class;
  function.vendor = std::move(known.vendor);
  function.device_id = std::move(known.device_id);
  function.is_gpu = options.gpu.takes(function);
  if (!function.is_gpu && !function.is_network() &&
      !(options.accelerators && function.is_accelerator())) {
    return std::nullopt;
  }
  auto details = read_details(devices, name, subsystems, options, function);
  if (absent(details)) return std::nullopt;
  if (!details) return pass(details);
  return function;
}

void ask_devlink(const host::Host& host, const ScanOptions& options,
                 std::vector<PciFunction>& functions, Warnings& warnings) {
  const auto answer = [&](auto result) {
    if (!result) warnings.push_back(result.error().message);
    return result.value_or(std::nullopt);
  };
  for (auto& function : functions) {
    const std::string pci = function.address.to_string();
    if (function.total_vfs) function.eswitch_mode = answer(host.devlink.eswitch_mode(pci));
    if (options.firmware_apps && function.is_network()) {
      function.firmware_app = answer(host.devlink.firmware_app(pci));
    }
  }
}

// Each group is looked at once; a function whose group cannot be read is let pass, as vfio itself
// will tell.
void read_iommu_groups(const std::string& sysfs_root, std::vector<PciFunction>& functions) {
  std::map<uint32_t, std::vector<PciAddress>> blocking;
  for (auto& function : functions) {
    if (function.driver != "vfio-pci" || !function.iommu_group) continue;
    const auto [known, is_new] = blocking.try_emplace(*function.iommu_group);
    if (is_new) {
      auto group = read_iommu_group(sysfs_root, *function.iommu_group);
      if (group) known->second = std::move(group->blocking);
    }
    function.iommu_blocked_by = known->second;
  }
}

// A VF's PF and index are what the PF says: N links read, not N per VF.
void link_vfs(std::vector<PciFunction>& functions,
              const std::map<PciAddress, PciFunction*>& by_address) {
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

// What stands on other buses and belongs to a PCI function.
void add_children(const host::Host& host, const ScanOptions& options, const Subsystems& subsystems,
                  const std::map<PciAddress, PciFunction*>& by_address, Warnings& warnings) {
  auto vdpa_devices = read_vdpa_devices(host.roots.sysfs);
  if (!vdpa_devices) warnings.push_back("vDPA devices: " + vdpa_devices.error().message);
  for (auto& [parent, vdpa] : vdpa_devices.value_or(std::map<PciAddress, VdpaDevice>{})) {
    const auto function = by_address.find(parent);
    if (function != by_address.end()) function->second->vdpa = std::move(vdpa);
  }
  if (!options.sub_functions) return;
  auto all = read_sub_functions(host.roots.sysfs, subsystems, warnings);
  if (!all) warnings.push_back("sub-functions: " + all.error().message);
  for (auto& [parent, sub_functions] : all.value_or(SubFunctionsByParent{})) {
    const auto function = by_address.find(parent);
    if (function != by_address.end()) function->second->sub_functions = std::move(sub_functions);
  }
}

}  // namespace

Result<Inventory> scan(const host::Host& host, const ScanOptions& options) {
  Warnings warnings;
  const auto subsystems = read_subsystems(host, warnings);
  if (!subsystems) return pass(subsystems);
  const auto devices = Directory::open(host.roots.sysfs + "/bus/pci/devices");
  if (absent(devices)) {
    // A kernel without PCI is no error; a path that is no sysfs would look like one.
    if (const auto bus = Directory::open(host.roots.sysfs + "/bus"); !bus) return pass(bus);
    return Inventory({}, subsystems->rdma_netns_mode, std::move(warnings));
  }
  if (!devices) return pass(devices);
  const auto names = devices->list(".");
  if (!names) return pass(names, "PCI devices");
  std::vector<PciFunction> functions;
  for (const auto& name : *names) {
    auto function = read_function(*devices, name, *subsystems, options);
    if (!function) {
      warnings.push_back(fmt::format("{} is left out: {}", name, function.error().message));
    } else if (*function) {
      functions.push_back(std::move(**function));
    }
  }
  std::map<PciAddress, PciFunction*> by_address;
  for (auto& function : functions) by_address[function.address] = &function;
  link_vfs(functions, by_address);
  add_children(host, options, *subsystems, by_address, warnings);
  ask_devlink(host, options, functions, warnings);
  read_iommu_groups(host.roots.sysfs, functions);
  for (auto& function : functions) {
    if (!function.is_network() || function.is_vf()) continue;
    const auto folder = devices->sub(function.address.to_string());
    function.responds = !folder || responds(*folder);
  }
  if (options.topology) {
    for (const auto& address : options.topology->apply(functions)) {
      warnings.push_back(fmt::format(
          "the topology file names {}, which is no network function or GPU of this node",
          address.to_string()));
    }
  }
  return Inventory(std::move(functions), subsystems->rdma_netns_mode, std::move(warnings));
}

}  // namespace railhead::device
