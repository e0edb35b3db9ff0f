#include "plugin/pool/ask.hpp"

#include <algorithm>

#include "plugin/ledger/holdings.hpp"

namespace railhead::pool {
namespace {

// The members that these ids stand for, each once, in PCI order.
Result<std::vector<const Member*>> members_of_all(const Pool& pool,
                                                  const std::vector<std::string>& ids,
                                                  const grant::Places& places) {
  std::vector<const Member*> members;
  for (const auto& id : ids) {
    const auto found = members_of(pool, id);
    if (found.empty()) {
      const auto device = ledger::device_of(id);
      if (device && grant::is_gone(*device, places)) return grant::gone(*device);
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

std::vector<grant::Wanted> wanted_of_leftovers(const Pool& pool,
                                               const device::Inventory& inventory) {
  std::vector<grant::Wanted> wanted;
  for (const auto& offer : pool.leftovers) {
    const auto* function = offer.address ? inventory.find(*offer.address) : nullptr;
    if (!function || offer.id != function->address.to_string()) continue;
    wanted.push_back({.id = offer.id,
                      .address = function->address,
                      .driver = function->driver,
                      .rdma = !function->rdma.empty()});
  }
  return wanted;
}

Result<grant::Ask> ask_again_for(const Pool& pool, const device::Inventory& inventory,
                                 const std::vector<std::string>& ids, const grant::Places& places) {
  std::vector<std::string> offered;
  std::vector<grant::Wanted> left;
  const auto leftovers = wanted_of_leftovers(pool, inventory);
  for (const auto& id : ids) {
    const auto found = std::ranges::find(leftovers, id, &grant::Wanted::id);
    if (found == leftovers.end()) {
      offered.push_back(id);
    } else {
      left.push_back(*found);
    }
  }
  auto ask = ask_for(pool, offered, places);
  if (!ask) return ask;
  ask->devices.insert(ask->devices.end(), left.begin(), left.end());
  std::ranges::sort(ask->devices, {}, &grant::Wanted::address);
  return ask;
}

}  // namespace railhead::pool
