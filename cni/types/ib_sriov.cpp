#include "cni/types/ib_sriov.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/function.hpp"
#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"
#include "cni/types/vf_keys.hpp"
#include "device/values.hpp"
#include "host/files.hpp"

namespace railhead::cni {

using go_json::Object;

namespace {

Result<PciAddress> read_device(Object& config, Object* runtime) {
  auto id = config.string("deviceID").value_or("");
  if (id.empty() && runtime) id = runtime->string("deviceID").value_or("");
  if (id.empty()) {
    return refuse(
        "deviceID is required (Multus fills it in where the NetworkAttachmentDefinition has the "
        "annotation k8s.v1.cni.cncf.io/resourceName)");
  }
  const auto address = PciAddress::parse(id);
  if (address) return *address;
  return refuse("load config: failed to get VF information: {}",
                go_quoted(fmt::format("deviceID {} is not a PCI address like 0000:3b:00.2", id)));
}

// What ib-kubernetes must have written by now.
Result<void> check_ib_kubernetes(Object& config, const std::optional<Guid>& guid) {
  auto args = config.object("args");
  auto cni = args ? args->object("cni") : std::nullopt;
  const auto status = cni ? cni->string("mellanox.infiniband.app").value_or("") : "";
  if (status != "configured") {
    return refuse(
        "infiniBand SRIOV-CNI failed, InfiniBand status \"mellanox.infiniband.app\" is not "
        "\"configured\" please check mellanox ib-kubernetes");
  }
  if (guid) return {};
  return refuse(
      "infiniband SRIOV-CNI failed, Unexpected error. GUID must be provided by ib-kubernetes");
}

Result<void> check_exclusive(host::Host& host) {
  const auto mode = host.rdma.netns_mode();
  if (!mode) return pass(mode);
  if (*mode == host::RdmaNetnsMode::exclusive) return {};
  return refuse(
      "RDMA subsystem namespace awareness mode is set to {}, expecting it to be set to exclusive, "
      "invalid system configurations",
      *mode ? to_string(**mode) : "unknown");
}

// Which kind it is: a PF can be given to a userspace driver alone, and takes no settings then.
// What is not there is refused with the others' text.
Result<attach::KindName> kind_of(host::Host& host, const PciAddress& device, bool by_vfio) {
  const auto function = attach::read_function(host, device);
  if (!function) return attach::KindName::ib_vf;
  if (by_vfio && !device::is_vfio_driver(function->driver)) {
    return refuse("vfioPciMode is enabled but device {} is not bound to vfio-pci driver",
                  device.to_string());
  }
  if (function->pf) return attach::KindName::ib_vf;
  const auto pci_class = host::read_file(
      fmt::format("{}/bus/pci/devices/{}/class", host.roots.sysfs, device.to_string()));
  if (!pci_class || !pci_class->starts_with("0x02")) {  // a GPU's driver may be vfio-pci, too
    return refuse("{} is no network device", device.to_string());
  }
  if (by_vfio) return attach::KindName::whole_nic;
  return refuse("PF device {} requires vfioPciMode to be enabled", device.to_string());
}

}  // namespace

Result<Asked> read_ib_sriov(const Source& source) {
  std::vector<Error> errors;
  Object config(source.config, "", errors);
  auto runtime = config.object("runtimeConfig");
  Object* const runtime_config = runtime ? &*runtime : nullptr;
  const auto device = read_device(config, runtime_config);
  const auto link_state = read_link_state(config);
  const auto guid = read_guid(config, runtime_config);
  const auto guid_pool = read_guid_pool(config);
  const bool is_isolated = config.boolean("rdmaIsolation").value_or(false);
  const bool by_ib_kubernetes = config.boolean("ibKubernetesEnabled").value_or(false);
  const bool by_vfio = config.boolean("vfioPciMode").value_or(false);
  config.string("pkey");  // ib-kubernetes reads it
  Result<void> configured;
  if (by_ib_kubernetes && guid) configured = check_ib_kubernetes(config, *guid);
  if (!errors.empty()) return refuse("failed to load netconf: {}", errors.front().message);
  if (!device) return pass(device);
  if (!link_state) return pass(link_state);
  if (!guid) return pass(guid);
  if (!guid_pool) return pass(guid_pool);
  if (!configured) return pass(configured);
  if (is_isolated) {
    if (auto good = check_exclusive(source.host); !good) return pass(good);
  }
  const auto kind = kind_of(source.host, *device, by_vfio);
  if (!kind) return pass(kind);
  Asked asked;
  asked.device = *device;
  asked.kind = *kind;
  asked.rdma = is_isolated ? attach::RdmaUse::automatic : attach::RdmaUse::off;
  if (*kind == attach::KindName::ib_vf) {
    asked.settings.vf.link_state = *link_state;
    asked.settings.vf.node_guid = asked.settings.vf.port_guid = *guid;
    asked.settings.guid_pool = *guid_pool;
  }
  asked.unknown_keys = unknown_vf_keys(config);
  return asked;
}

Error ib_sriov_refusal(Error error, const device::DeviceId& device) {
  if (error.reason == attach::reason::kNotLocated) {
    error.message =
        fmt::format("load config: failed to get VF information: {}", go_quoted(error.message));
  } else if (error.reason == attach::reason::kNoNetdev) {
    error.message = fmt::format("load config: failed to detect VF {} name with error, {}",
                                device.name, go_quoted(error.message));
  }
  return error;
}

}  // namespace railhead::cni
