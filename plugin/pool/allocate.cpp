#include "plugin/pool/allocate.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "device/allocation.hpp"
#include "host/files.hpp"
#include "plugin/pool/devinfo.hpp"
#include "plugin/pool/nccl.hpp"
#include "plugin/pool/nodes.hpp"

namespace railhead::pool {
namespace {

using Json = nlohmann::json;  // sorts its keys, as Go does

// A member and what stands there of it now.
struct Given {
  const Member* member = nullptr;
  DeviceNodes nodes;
};

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

// Of a pool that is shared as a whole, what has gone or is sick is left out while one remains.
Result<std::vector<Given>> look_at(const std::vector<const Member*>& members,
                                   const NodeReader& reader, bool some_are_enough) {
  std::vector<Given> given;
  std::optional<Error> error;
  for (const auto* member : members) {
    if (some_are_enough && !member->sickness.empty()) continue;
    auto nodes = reader.read(*member);
    if (nodes) {
      given.push_back({member, std::move(*nodes)});
    } else if (!some_are_enough) {
      return pass(nodes);
    } else {
      error = nodes.error();
    }
  }
  if (!given.empty()) return given;
  if (error) return Failure(*error);
  return fail(ErrorCode::unavailable, "none of the pool's {} devices is healthy", members.size());
}

Json info_of(const Pool& pool, const Given& one) {
  Json info = one.nodes.info;
  info["generic"] = {{"deviceID", one.member->id}};
  for (const auto* key : {"*", one.member->id.c_str()}) {
    const auto extra = pool.resource.additional_info.find(key);
    if (extra == pool.resource.additional_info.end()) continue;
    for (const auto& [name, value] : extra->second) info["extra"][name] = value;
  }
  return info;
}

// For CNI plugins.
Result<void> leave_records(const Pool& pool, const Given& one, const Places& places) {
  if (!leaves_records(pool.resource)) return {};
  const auto before = device::read_allocation(places.run, one.member->address);
  device::Allocation record{pool.resource.full_name(), one.member->address, {}};
  for (const auto& [name, nodes] : one.nodes.rdma) {
    record.char_devices.insert(record.char_devices.end(), nodes.begin(), nodes.end());
  }
  // A record that cannot be read is replaced.
  const std::string resource_before = before && *before ? (*before)->resource : "";
  if (pool.resource.type == config::DeviceType::net) {
    auto written = write_devinfo(pool, *one.member, one.nodes, resource_before, places);
    if (!written) return written;
  }
  return device::write_allocation(places.run, record);
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

void add_nccl(const Pool& pool, const std::vector<Given>& given, const NodeReader& reader,
              Allocation& allocation) {
  std::vector<GivenHcas> hcas;
  for (const auto& one : given) {
    GivenHcas of_one{one.member, {}};
    for (const auto& [name, nodes] : one.nodes.rdma) {
      of_one.ports[name] = reader.ports_of(*one.member, name);
    }
    hcas.push_back(std::move(of_one));
  }
  allocation.envs.merge(nccl_variables(pool, hcas));
}

}  // namespace

std::vector<DeviceNode> Allocation::device_nodes() const {
  std::vector<DeviceNode> all;
  for (const auto& [device, nodes] : by_device) {
    for (const auto& node : nodes) {
      if (std::find(all.begin(), all.end(), node) == all.end()) all.push_back(node);
    }
  }
  return all;
}

// Sub-functions have no type in the device-info specification.
bool leaves_records(const config::Resource& resource) {
  return !resource.sharing && resource.type != config::DeviceType::auxiliary;
}

Result<Allocation> allocate(const Pool& pool, const std::vector<std::string>& ids,
                            const Places& places) {
  Allocation allocation;
  if (ids.empty()) return allocation;
  const auto members = members_of_all(pool, ids);
  if (!members) return pass(members);
  const auto reader = NodeReader::open(places);
  if (!reader) return pass(reader);
  const auto& sharing = pool.resource.sharing;
  const auto given =
      look_at(*members, *reader, sharing && sharing->unit == config::Sharing::Unit::pool);
  if (!given) return pass(given);
  if (auto made = host::make_directories(places.devinfo, 0755); !made) return pass(made);

  std::vector<std::string> sorted_ids;
  Json info = Json::object();
  for (const auto& one : *given) {
    auto& of_device = allocation.by_device[one.member->id] = one.nodes.nodes;
    if (!one.nodes.rdma.empty() && reader->has_connection_manager()) {
      of_device.push_back(same_path(kConnectionManager));
    }
    sorted_ids.push_back(one.member->id);
    info[one.member->id] = info_of(pool, one);
    auto left = leave_records(pool, one, places);
    if (!left) return pass(left);
  }
  const std::string variable = variable_of(pool.resource);
  allocation.envs[variable] = join(sorted_ids, ",");
  allocation.envs[variable + "_INFO"] = info.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (pool.resource.nccl_env) add_nccl(pool, *given, *reader, allocation);
  return allocation;
}

}  // namespace railhead::pool
