#include "cni/types/rdma.hpp"

#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/function.hpp"
#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"

namespace railhead::cni {

using go_json::Object;

namespace {

// Keys that other parts read, or that runtimes and other programs put there.
constexpr std::string_view kOtherRdmaKeys[] = {
    "cniVersion",   "name",        "type",     "ipam",         "dns",
    "capabilities", "prevResult",  "logLevel", "logFile",      "disableGC",
    "addTimeout",   "delTimeout",  "plugins",  "disableCheck", "ownership",
    "ipamDirs",     "cniVersions", "pciBusID", "resourceName"};

// The VFs whose PFs give them that address, looked for as rdma-cni does where nobody names the
// device.
Result<device::DeviceId> device_by_mac(host::Host& host, const HwAddress& mac) {
  const auto folder = host::Directory::open(host.roots.sysfs + "/bus/pci/devices");
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names) return pass(names);
  std::vector<std::string> found;
  std::map<PciAddress, Result<host::Link>> pfs;
  for (const auto& name : *names) {
    const auto address = PciAddress::parse(name);
    if (!address || !folder->link_name(name + "/physfn")) continue;
    const auto vf = attach::read_function(host, *address);
    if (!vf || !vf->pf) continue;
    if (!pfs.contains(*vf->pf)) pfs.emplace(*vf->pf, attach::pf_link(host, *vf->pf));
    const auto& pf = pfs.at(*vf->pf);
    const auto attributes = pf ? host.links.vf(pf->index, vf->vf_index) : pass(pf);
    if (attributes && attributes->mac == mac) found.push_back(name);
  }
  if (found.empty()) {
    return refuse("could not find VF PCI device according to administrative mac address set on PF");
  }
  if (found.size() > 1) {
    return refuse("found more than one VF PCI device matching {}: {}", mac.to_string(),
                  join(found, ", "));
  }
  return device::DeviceId(*PciAddress::parse(found.front()));
}

Result<device::DeviceId> read_device(Object& config, const Source& source) {
  const auto id = config.string("deviceID").value_or("");
  if (!id.empty()) {
    const auto device = device::DeviceId::parse(id);
    if (device) return *device;
    return refuse(
        "deviceID {}: expected a PCI address like 0000:3b:00.2 or an auxiliary device "
        "like mlx5_core.sf.4",
        id);
  }
  const auto& interfaces = source.previous->interfaces;
  if (interfaces.size() != 1) {
    return refuse("\"DeviceID\" network configuration attribute is required for rdma CNI");
  }
  if (const auto own = PciAddress::parse(interfaces[0].pci_id)) {
    return device::DeviceId(*own);
  }
  const auto mac = HwAddress::parse(interfaces[0].mac);
  if (!mac) return refuse("the interface of prevResult has no MAC: \"{}\"", interfaces[0].mac);
  return device_by_mac(source.host, *mac);
}

void warn_of_unserved(Object& config, std::vector<std::string>& warnings) {
  if (config.value("rdmaQoS")) {
    warnings.emplace_back("rdmaQoS is not served yet: the RDMA device keeps the kernel's defaults");
  }
  auto args = config.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;
  if (cni && cni->value("rdmaDeviceName")) {
    warnings.emplace_back(
        "args.cni.rdmaDeviceName is not served yet: the RDMA device keeps its name");
  }
}

}  // namespace

Result<Asked> read_rdma_type(const Source& source) {
  if (!source.previous) {
    return refuse("RDMA-CNI is expected to be called as part of a plugin chain");
  }
  std::vector<Error> errors;
  Object config(source.config, "", errors);
  Asked asked;
  asked.kind = attach::KindName::rdma_only;
  asked.rdma = attach::RdmaUse::require;
  auto device = read_device(config, source);
  warn_of_unserved(config, asked.warnings);
  if (!errors.empty()) return refuse("{}", errors.front().message);
  if (!device) return pass(device);
  asked.device = std::move(*device);
  const auto mode = source.host.rdma.netns_mode();
  if (!mode) return pass(mode);
  if (*mode != host::RdmaNetnsMode::exclusive) {
    return refuse(
        "RDMA subsystem namespace awareness mode is set to {}, expecting it to be set to "
        "exclusive, invalid system configurations",
        *mode ? to_string(**mode) : "unknown");
  }
  for (const auto key : kOtherRdmaKeys) config.value(key);
  config.value("runtimeConfig");
  asked.unknown_keys = told_keys(config);
  return asked;
}

Error rdma_refusal(Error error, const device::DeviceId&) {
  if (error.reason == attach::reason::kNoRdma) {
    error.message = "no RDMA devices found: " + error.message;
  }
  return error;
}

}  // namespace railhead::cni
