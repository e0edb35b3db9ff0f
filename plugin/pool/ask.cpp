#include "plugin/pool/ask.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "base/text.hpp"

namespace railhead::pool {
namespace {

// Of a container that asks for it, or has it.
Failure not_here(const Pool& pool, const std::string& id, const grant::Places& places) {
  const auto device = ledger::device_of(id);
  if (device && grant::is_gone(*device, places)) return grant::gone(*device);
  return fail(
      ErrorCode::not_found,
      "device {} is not one of the {} devices of {} on this node; the node's devices or the "
      "agent's configuration changed since the pod was scheduled",
      id, pool.members.size(), pool.resource.full_name());
}

// A device that its resource does not offer any more: what its pod asked for is not known, so it
// has all that the kernel shows, but issm, which few ask for.
std::optional<grant::Wanted> seen(const std::string& device, const device::Inventory& inventory) {
  grant::Wanted wanted{.id = device, .address = {}, .driver = {}};
  if (const auto address = PciAddress::parse(device)) {
    const auto* function = inventory.find(*address);
    if (!function) return std::nullopt;
    wanted.address = *address;
    wanted.driver = function->driver;
    wanted.rdma = !function->rdma.empty();
    wanted.pf = function->pf;
    if (function->vdpa && function->vdpa->vhost) {
      wanted.vdpa = grant::Vdpa{grant::Vdpa::Type::vhost, function->vdpa->name};
    }
    return wanted;
  }
  for (const auto& pf : inventory.functions()) {
    const auto found = std::ranges::find(pf.sub_functions, device, &device::SubFunction::name);
    if (found == pf.sub_functions.end()) continue;
    wanted.address = pf.address;
    wanted.driver = found->driver;
    wanted.rdma = !found->rdma.empty();
    wanted.pf = pf.address;
    return wanted;
  }
  return std::nullopt;
}

// What a container wants of a device that it has by this offer. `member`: the resource's, if it
// still is. A share is one of an RDMA device, also where the resource has become another kind.
std::optional<grant::Wanted> held_as(const std::string& id, const std::string& device,
                                     const Member* member, const device::Inventory& inventory) {
  if (!member) return seen(device, inventory);
  grant::Wanted wanted = *member;
  if (id == device || wanted.rdma) return wanted;
  const auto now = seen(device, inventory);
  wanted.rdma = now && now->rdma;
  return wanted;
}

// The members that these ids stand for, each once, in PCI order.
Result<std::vector<const Member*>> members_of_all(const Pool& pool,
                                                  const std::vector<std::string>& ids,
                                                  const grant::Places& places) {
  std::vector<const Member*> members;
  for (const auto& id : ids) {
    const auto found = members_of(pool, id);
    if (found.empty()) return not_here(pool, id, places);
    members.insert(members.end(), found.begin(), found.end());
  }
  // Members stand in PCI order in their pool.
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());
  return members;
}

grant::Nccl nccl_of(const Pool& pool, const std::vector<const Member*>& members) {
  grant::Nccl nccl{pool.nccl_names_carry_resource, pool.gpus, {}};
  for (const auto* member : members) nccl.to_gpus[member->id] = member->to_gpus;
  return nccl;
}

}  // namespace

grant::ResourceName name_of(const config::Resource& resource) {
  return {resource.prefix, resource.name};
}

// Sub-functions have no type in the device-info specification.
bool leaves_records(const config::Resource& resource) {
  return !resource.sharing && resource.type != config::DeviceType::auxiliary;
}

std::vector<grant::Wanted> wanted_of(const Pool& pool) {
  return {pool.members.begin(), pool.members.end()};
}

Result<grant::Ask> ask_for(const Pool& pool, const std::vector<std::string>& ids,
                           const grant::Places& places) {
  const auto& resource = pool.resource;
  auto members = members_of_all(pool, ids, places);
  if (!members) return pass(members);
  grant::Ask ask;
  ask.resource = name_of(resource);
  ask.some_are_enough = resource.sharing && resource.sharing->unit == config::Sharing::Unit::pool;
  if (ask.some_are_enough) {
    std::erase_if(*members, [](const Member* member) { return !member->sickness.empty(); });
    if (members->empty() && !ids.empty()) {
      return fail(ErrorCode::unavailable, "none of the pool's {} devices is healthy",
                  pool.members.size());
    }
  }
  const auto add_info = [&](const std::string& key) {
    const auto info = resource.additional_info.find(key);
    if (info != resource.additional_info.end()) ask.additional_info.insert(*info);
  };
  add_info("*");
  for (const auto* member : *members) {
    ask.devices.push_back(*member);
    add_info(member->id);
  }
  if (resource.nccl_env) ask.nccl = nccl_of(pool, *members);
  ask.leaves_records = leaves_records(resource);
  ask.leaves_devinfo = resource.type == config::DeviceType::net;
  return ask;
}

std::vector<grant::Wanted> wanted_of_held(const Pool& pool, const device::Inventory& inventory,
                                          const ledger::Holdings& holdings) {
  std::map<std::string_view, const Member*> members;
  for (const auto& member : pool.members) members[member.id] = &member;
  std::map<std::string_view, grant::Wanted> wanted;  // by device
  for (const auto& holding : holdings.all()) {
    if (holding.resource != pool.resource.full_name()) continue;
    const auto found = members.find(holding.device);
    const auto* member = found == members.end() ? nullptr : found->second;
    auto one = held_as(holding.id, holding.device, member, inventory);
    if (one && (!member || *one != *member)) wanted.insert_or_assign(holding.device, *one);
  }
  std::vector<grant::Wanted> all;
  for (auto& [device, one] : wanted) all.push_back(std::move(one));
  return all;
}

std::set<std::string> devices_held_by(const Pool& pool, const ledger::Holdings& holdings,
                                      const std::string& id) {
  std::set<std::string> devices;
  for (const auto& holding : holdings.all()) {
    const bool is_it = holding.resource == pool.resource.full_name() && holding.id == id;
    if (is_it && !holding.device.empty()) devices.insert(holding.device);
  }
  if (!devices.empty()) return devices;
  if (auto device = ledger::device_of(id)) return {std::move(*device)};
  const bool is_whole =
      pool.resource.sharing && pool.resource.sharing->unit == config::Sharing::Unit::pool;
  if (!is_whole || !parse_int<uint32_t>(id)) return {};
  for (const auto& member : pool.members) devices.insert(member.id);
  return devices;
}

Result<grant::Ask> ask_again_for(const Pool& pool, const device::Inventory& inventory,
                                 const ledger::Holdings& holdings,
                                 const std::vector<std::string>& ids, const grant::Places& places) {
  grant::Ask ask;
  ask.resource = name_of(pool.resource);
  // Whoever has a device to itself has it by its address.
  ask.leaves_records = std::ranges::all_of(
      ids, [](const std::string& id) { return PciAddress::parse(id).has_value(); });
  ask.leaves_devinfo = pool.resource.type == config::DeviceType::net;
  std::map<std::string, std::string> offers;  // by device
  for (const auto& id : ids) {
    const auto devices = devices_held_by(pool, holdings, id);
    if (devices.empty()) return not_here(pool, id, places);
    ask.some_are_enough |= !ledger::device_of(id);
    for (const auto& device : devices) offers.emplace(device, id);
  }
  std::string missing;
  for (const auto& [device, id] : offers) {
    const auto found = std::ranges::find(pool.members, device, &Member::id);
    const auto* member = found == pool.members.end() ? nullptr : &*found;
    if (auto wanted = held_as(id, device, member, inventory)) {
      ask.devices.push_back(std::move(*wanted));
    } else {
      missing = device;
    }
  }
  if (!missing.empty() && (ask.devices.empty() || !ask.some_are_enough)) {
    return not_here(pool, missing, places);
  }
  std::ranges::sort(ask.devices, {}, &grant::Wanted::address);
  return ask;
}

}  // namespace railhead::pool
