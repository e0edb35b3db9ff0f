#include "plugin/grant/grant.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "device/allocation.hpp"
#include "plugin/grant/compare.hpp"
#include "plugin/grant/devinfo.hpp"
#include "plugin/grant/nccl.hpp"

namespace railhead::grant {
namespace {

using SortedJson = nlohmann::json;  // sorts its keys, as Go does

// A device and what stands there of it now.
struct Given {
  const Wanted* device = nullptr;
  DeviceNodes nodes;
};

// A container that opened a node which another pod still has open would meet that pod there.
Result<DeviceNodes> nodes_of(const Ask& ask, const Wanted& device, const NodeReader& reader) {
  auto nodes = reader.read(device);
  if (!nodes || !ask.taken_by) return nodes;
  for (const auto& node : nodes->nodes) {
    if (!is_own_node(node.host_path)) continue;
    const auto other = ask.taken_by(node.host_path, device.id);
    if (!other) continue;
    return fail(ErrorCode::busy,
                "device {}: {} is still open to {}, which was given it with another device, before "
                "a driver was bound anew, a function was reset or the node booted; it is free when "
                "that pod ends",
                device.id, node.host_path, *other);
  }
  return nodes;
}

Result<std::vector<Given>> look_at(const Ask& ask, const NodeReader& reader) {
  std::vector<Given> given;
  std::optional<Error> error;
  for (const auto& device : ask.devices) {
    auto nodes = nodes_of(ask, device, reader);
    if (nodes) {
      given.push_back({&device, std::move(*nodes)});
    } else if (!ask.some_are_enough) {
      return pass(nodes);
    } else {
      error = nodes.error();
    }
  }
  if (given.empty() && error) return Failure(*error);
  return given;
}

SortedJson info_of(const Ask& ask, const Given& one) {
  SortedJson info = one.nodes.info;
  info["generic"] = {{"deviceID", one.device->id}};
  for (const auto* key : {"*", one.device->id.c_str()}) {
    const auto extra = ask.additional_info.find(key);
    if (extra == ask.additional_info.end()) continue;
    for (const auto& [name, value] : extra->second) info["extra"][name] = value;
  }
  return info;
}

// For CNI plugins.
Result<void> leave_records(const Ask& ask, const Given& one, const Places& places) {
  if (!ask.leaves_records) return {};
  const auto before = device::read_allocation(places.run, one.device->address);
  device::Allocation record{ask.resource.full_name(), one.device->address, {}, {}};
  for (const auto& [name, nodes] : one.nodes.rdma) {
    record.char_devices.insert(record.char_devices.end(), nodes.begin(), nodes.end());
  }
  const auto given = record.host_paths();
  for (const auto& node : one.nodes.nodes) {
    const bool is_rdma = std::ranges::find(given, node.host_path) != given.end();
    if (is_own_node(node.host_path) && !is_rdma) record.other_nodes.push_back(node.host_path);
  }
  // A record that cannot be read is replaced.
  const std::string resource_before = before && *before ? (*before)->resource : "";
  if (ask.leaves_devinfo) {
    auto written = write_devinfo(record.resource, *one.device, one.nodes, resource_before, places);
    if (!written) return written;
  }
  return device::write_allocation(places.run, record);
}

// "PCIDEVICE_EXAMPLE_COM_VF" of example.com/vf. A '-' stays, although no shell takes it: readers
// look for exactly this.
std::string variable_of(const ResourceName& resource) {
  std::string name = fmt::format("PCIDEVICE_{}_{}", resource.prefix, resource.name);
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return name;
}

std::map<std::string, std::string> nccl_of(const Ask& ask, const std::vector<Given>& given,
                                           const NodeReader& reader) {
  std::vector<GivenHcas> hcas;
  for (const auto& one : given) {
    GivenHcas of_one{one.device->id, {}};
    for (const auto& [name, nodes] : one.nodes.rdma) {
      of_one.ports[name] = reader.ports_of(*one.device, name);
    }
    hcas.push_back(std::move(of_one));
  }
  return nccl_variables(*ask.nccl, ask.resource, hcas);
}

}  // namespace

std::vector<DeviceNode> Grant::device_nodes() const {
  std::vector<DeviceNode> all;
  std::set<std::string_view> paths;  // in the container
  for (const auto& [device, nodes] : by_device) {
    for (const auto& node : nodes) {
      if (paths.insert(node.container_path).second) all.push_back(node);
    }
  }
  return all;
}

Result<Grant> give(const Ask& ask, const Places& places) {
  Grant grant;
  if (ask.devices.empty()) return grant;
  const auto reader = NodeReader::open(places);
  if (!reader) return pass(reader);
  const auto given = look_at(ask, *reader);
  if (!given) return pass(given);

  std::vector<std::string> ids;
  SortedJson info = SortedJson::object();
  for (const auto& one : *given) {
    auto& of_device = grant.by_device[one.device->id] = one.nodes.nodes;
    if (!one.nodes.rdma.empty() && reader->has_connection_manager()) {
      of_device.push_back(same_path(kConnectionManager));
    }
    ids.push_back(one.device->id);
    info[one.device->id] = info_of(ask, one);
    if (auto left = leave_records(ask, one, places); !left) return pass(left);
  }
  const std::string variable = variable_of(ask.resource);
  std::map<std::string, std::string> envs;
  envs[variable] = join(ids, ",");
  envs[variable + "_INFO"] = info.dump(-1, ' ', false, SortedJson::error_handler_t::replace);
  if (ask.nccl) envs.merge(nccl_of(ask, *given, *reader));
  auto bounded = within_bounds(std::move(envs));
  grant.envs = std::move(bounded.envs);
  grant.left_out = std::move(bounded.left_out);
  return grant;
}

}  // namespace railhead::grant
