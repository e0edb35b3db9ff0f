#include "cni/types/host_device.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "attach/function.hpp"
#include "attach/store.hpp"
#include "base/go_json.hpp"
#include "base/text.hpp"
#include "cni/conf.hpp"

namespace railhead::cni {

using device::DeviceId;
using go_json::Object;

namespace {

constexpr std::string_view kOtherHostDeviceKeys[] = {
    "cniVersion",   "name",       "type",       "ipam",         "dns",
    "capabilities", "prevResult", "args",       "logLevel",     "logFile",
    "disableGC",    "addTimeout", "delTimeout", "plugins",      "cniVersions",
    "disableCheck", "ownership",  "ipamDirs",   "resourceName", "dpdkMode"};

Result<DeviceId> device_by_name(host::Host& host, const std::string& name) {
  const auto link = host.links.by_name(name);
  if (is(link, ErrorCode::not_found)) {
    // A pod may have it: then it is refused with the holder's name.
    const auto bare = DeviceId::from_parts("net", name);
    const auto holder =
        bare ? attach::Store(host.roots.run).owner(*bare) : Result<std::optional<attach::Record>>();
    if (holder && *holder) return *bare;
    return refuse(
        "failed to find physical interface: the host has no netdev {} (or it is in a "
        "pod)",
        name);
  }
  if (!link) return pass(link);
  return attach::device_of(host, *link);
}

Result<DeviceId> device_by_address(host::Host& host, const std::string& text) {
  const auto address = HwAddress::parse(text);
  if (!address) return refuse("hwaddr {}: expected a MAC address like 02:00:00:00:00:01", text);
  const auto links = host.links.list();
  if (!links) return pass(links);
  const auto at = std::find_if(links->begin(), links->end(),
                               [&](const auto& link) { return link.address == *address; });
  if (at == links->end()) {
    return refuse("failed to find physical interface: no netdev of the host has the address {}",
                  text);
  }
  return attach::device_of(host, *at);
}

Result<DeviceId> device_by_path(host::Host& host, const std::string& path) {
  constexpr std::string_view kDevices = "/sys/devices/";
  const auto parts = split(path, '/');
  if (!path.starts_with(kDevices) || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return refuse("kernelpath {}: expected an absolute path below {}", path, kDevices);
  }
  const auto folder = host::Directory::open(host.roots.sysfs + path.substr(4) + "/net");
  const auto names = folder ? folder->list(".") : pass(folder);
  if (!names || names->empty()) {
    return refuse("failed to find physical interface: no net directory under {}", path);
  }
  return device_by_name(host, *std::min_element(names->begin(), names->end()));
}

Result<DeviceId> read_device(Object& config, host::Host& host) {
  const auto name = config.string("device").value_or("");
  const auto address = config.string("hwaddr").value_or("");
  const auto path = config.string("kernelpath").value_or("");
  auto bus_id = config.string("pciBusID").value_or("");
  auto runtime = config.object("runtimeConfig");
  for (auto id : {config.string("deviceID"),
                  runtime ? runtime->string("deviceID") : std::optional<std::string>()}) {
    if (id && !id->empty()) bus_id = std::move(*id);
  }
  if (!name.empty()) return device_by_name(host, name);
  if (!address.empty()) return device_by_address(host, address);
  if (!path.empty()) return device_by_path(host, path);
  if (bus_id.empty()) {
    return refuse(R"(specify either "device", "hwaddr", "kernelpath" or "pciBusID")");
  }
  const auto device = DeviceId::parse(bus_id);
  if (device) return *device;
  return refuse("runtime config DeviceID {} not found or unsupported", bus_id);
}

}  // namespace

Result<Asked> read_host_device(const Source& source) {
  std::vector<Error> errors;
  Object config(source.config, "", errors);
  auto device = read_device(config, source.host);
  if (!errors.empty()) return refuse("failed to load netconf: {}", errors.front().message);
  if (!device) return pass(device);
  Asked asked;
  asked.device = std::move(*device);
  asked.kind = attach::KindName::whole_nic;
  for (const auto key : kOtherHostDeviceKeys) config.value(key);
  asked.unknown_keys = told_keys(config);
  return asked;
}

Error host_device_refusal(Error error, const device::DeviceId& device) {
  if (error.reason == attach::reason::kNotLocated || error.reason == attach::reason::kNoNetdev) {
    error.message =
        fmt::format("no net directory under pci device {}: {}", device.name, error.message);
  }
  return error;
}

}  // namespace railhead::cni
