#include "plugin/pool/allocate.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "device/char_devices.hpp"
#include "host/files.hpp"

namespace railhead::pool {
namespace {

using Json = nlohmann::json;  // sorts its keys, as Go does
using device::CharDevice;
using RdmaNodes = std::map<std::string, std::vector<CharDevice>>;  // by RDMA device

constexpr std::string_view kConnectionManager = "/dev/infiniband/rdma_cm";

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The members that these ids stand for, each once, in PCI order.
Result<std::vector<const Member*>> members_of_all(const Pool& pool,
                                                  const std::vector<std::string>& ids) {
  std::vector<const Member*> members;
  for (const auto& id : ids) {
    const auto found = members_of(pool, id);
    if (found.empty()) {
      return fail(ErrorCode::not_found,
                  "device {} is not one of the {} devices of {} on this node; the node's devices "
                  "or the agent's configuration changed since the pod was scheduled",
                  id, pool.members.size(), pool.resource.full_name());
    }
    members.insert(members.end(), found.begin(), found.end());
  }
  // Members stand in PCI order in their pool.
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

Result<RdmaNodes> read_rdma_nodes(const host::Directory& devices, const Member& member) {
  const std::string id = member.address.to_string();
  const auto function = devices.sub(id);
  if (is(function, ErrorCode::not_found)) {
    return fail(ErrorCode::not_found, "device {} is gone from this node", id);
  }
  if (!function) return pass(function);
  if (!member.rdma) return RdmaNodes{};
  auto nodes = device::read_char_devices(*function);
  if (!nodes) return pass(nodes, id);
  if (nodes->empty()) {
    return fail(ErrorCode::unavailable,
                "device {} has no RDMA device now, which its pool promises; see whether its RDMA "
                "driver and ib_uverbs are loaded",
                id);
  }
  return nodes;
}

// With several RDMA devices per function a key can name but one: rdma_dev the first, the others
// the last, as the readers of this variable know it.
Json info_of(const Pool& pool, const std::string& id, const RdmaNodes& rdma, bool has_cm) {
  Json info = {{"generic", {{"deviceID", id}}}};
  for (const auto* key : {"*", id.c_str()}) {
    const auto extra = pool.resource.additional_info.find(key);
    if (extra == pool.resource.additional_info.end()) continue;
    for (const auto& [name, value] : extra->second) info["extra"][name] = value;
  }
  if (rdma.empty()) return info;
  Json& nodes = info["rdma"];
  nodes["rdma_dev"] = rdma.begin()->first;
  for (const auto& [name, char_devices] : rdma) {
    for (const auto& node : char_devices) {
      nodes[std::string(device::to_string(node.kind))] = node.path();
    }
  }
  if (has_cm) nodes["rdma_cm"] = kConnectionManager;
  return info;
}

// Device-info specification 1.1.0. Readers may look at any time: never half a file.
Result<void> write_devinfo(const Pool& pool, const std::string& id, const RdmaNodes& rdma,
                           const Places& places) {
  Json pci = {{"pci-address", id}};
  std::vector<std::string> names;
  for (const auto& [name, nodes] : rdma) names.push_back(name);
  if (!names.empty()) pci["rdma-device"] = join(names, ",");
  const Json info = {{"type", "pci"}, {"version", "1.1.0"}, {"pci", std::move(pci)}};
  const auto path = fmt::format("{}/{}-{}-{}-device.json", places.devinfo, pool.resource.prefix,
                                pool.resource.name, id);
  return host::write_file_atomically(path, dump(info), 0644);
}

// "PCIDEVICE_EXAMPLE_COM_VF" of example.com/vf. A '-' stays, although no shell takes it: readers
// look for exactly this.
std::string variable_of(const config::Resource& resource) {
  std::string name = fmt::format("PCIDEVICE_{}_{}", resource.prefix, resource.name);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

}  // namespace

Result<Allocation> allocate(const Pool& pool, const std::vector<std::string>& ids,
                            const Places& places) {
  Allocation allocation;
  if (ids.empty()) return allocation;
  const auto members = members_of_all(pool, ids);
  if (!members) return pass(members);
  const auto devices = host::Directory::open(places.sysfs + "/bus/pci/devices");
  if (!devices) return pass(devices);
  // The node is there only while rdma_ucm is loaded; to name a missing one fails the container.
  const bool has_cm = host::Directory::open(places.sysfs + "/class/misc/rdma_cm").has_value();
  if (auto made = host::make_directories(places.devinfo, 0755); !made) return pass(made);

  std::vector<std::string> sorted_ids;
  Json info = Json::object();
  bool any_rdma = false;
  for (const auto* member : *members) {
    const std::string id = member->address.to_string();
    const auto rdma = read_rdma_nodes(*devices, *member);
    if (!rdma) return pass(rdma);
    device::Allocation record{pool.resource.full_name(), member->address, {}};
    for (const auto& [name, nodes] : *rdma) {
      for (const auto& node : nodes) {
        allocation.device_nodes.push_back({node.path(), node.path()});
        record.char_devices.push_back(node);
      }
    }
    any_rdma |= !rdma->empty();
    info[id] = info_of(pool, id, *rdma, has_cm);
    if (auto written = write_devinfo(pool, id, *rdma, places); !written) return pass(written);
    if (auto written = device::write_allocation(places.run, record); !written) return pass(written);
    sorted_ids.push_back(id);
  }
  if (any_rdma && has_cm) {
    allocation.device_nodes.push_back(
        {std::string(kConnectionManager), std::string(kConnectionManager)});
  }
  const std::string variable = variable_of(pool.resource);
  allocation.envs[variable] = join(sorted_ids, ",");
  allocation.envs[variable + "_INFO"] = dump(info);
  return allocation;
}

}  // namespace railhead::pool
