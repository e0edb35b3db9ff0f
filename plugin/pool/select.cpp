#include "plugin/pool/select.hpp"

#include <algorithm>

#include "device/port_name.hpp"
#include "plugin/pool/candidate.hpp"
#include "plugin/pool/health.hpp"
#include "plugin/pool/rails.hpp"

namespace railhead::pool {
namespace {

using config::Resource;
using config::Selector;
using device::Inventory;

bool is_port_of(const std::string& phys_port_name, const Candidate& candidate) {
  const auto name = device::PortName::parse(phys_port_name);
  if (!name || !name->represents_own() || !candidate.index()) return false;
  return (candidate.sub_function ? name->sf : name->vf) == candidate.index();
}

std::optional<std::string> representor_of(const Candidate& candidate) {
  if (!candidate.pf || candidate.pf->eswitch_mode != "switchdev") return std::nullopt;
  for (const auto& netdev : candidate.pf->netdevs) {
    if (netdev.phys_port_name && is_port_of(*netdev.phys_port_name, candidate)) return netdev.name;
  }
  return std::nullopt;
}

grant::Vdpa::Type type_of(config::VdpaType type) {
  return type == config::VdpaType::vhost ? grant::Vdpa::Type::vhost : grant::Vdpa::Type::virtio;
}

Member member_of(const Candidate& candidate, const Resource& resource, const Selector& selector,
                 const Knowledge& knowledge) {
  const auto& function = *candidate.function;
  Member member;
  member.id = candidate.id();
  member.address = function.address;
  if (!resource.exclude_topology) member.numa_node = function.numa_node;
  member.rdma = selector.is_rdma;
  member.issm = resource.issm;
  member.vhost_net = selector.need_vhost_net;
  member.driver = candidate.driver();
  if (selector.vdpa) member.vdpa = grant::Vdpa{type_of(*selector.vdpa), function.vdpa->name};
  if (candidate.pf) member.pf = candidate.pf->address;
  member.representor = representor_of(candidate);
  judge(candidate, resource.health, knowledge, member);
  if (const auto* netdev = candidate.addressed_netdev();
      netdev && !resource.sharing && resource.addressed == config::Addressed::warn) {
    member.concerns.push_back(fmt::format(
        "the node has an address on its netdev {}, which it loses to the pod", netdev->name));
  }
  return member;
}

void measure_gpus(const Inventory& inventory, Pool& pool) {
  std::vector<const device::PciFunction*> gpus;
  for (const auto& function : inventory.functions()) {
    if (!function.is_gpu) continue;
    gpus.push_back(&function);
    pool.gpus.push_back(function.address);
  }
  for (auto& member : pool.members) {
    const auto* function = inventory.find(member.address);
    for (const auto* gpu : gpus) member.to_gpus.push_back(device::distance(*function, *gpu));
  }
}

// The nodes' candidates while resources take them one after the other.
class Selecting {
 public:
  Selecting(const Inventory& inventory, const Knowledge& knowledge)
      : inventory_(inventory),
        knowledge_(knowledge),
        candidates_(candidates(inventory)),
        given_(candidates_.size(), false),
        has_owner_(candidates_.size(), false),
        reasons_(candidates_.size()) {}

  Pool take(const Resource& resource) {
    Pool pool;
    pool.resource = resource;
    pool.sickness = sickness_of(resource, inventory_);
    const bool shared = resource.sharing.has_value();
    for (size_t i = 0; i < candidates_.size(); ++i) {
      const auto& candidate = candidates_[i];
      if (candidate.type() != resource.type || (given_[i] && !shared)) continue;
      const auto before = before_of(resource, candidate, knowledge_);
      const auto selector = std::ranges::find_if(resource.selectors, [&](const Selector& one) {
        return !refusal(one, candidate, before);
      });
      if (selector == resource.selectors.end()) continue;
      if (auto reason = reason_against(candidate, resource)) {
        if (reasons_[i].empty()) {
          reasons_[i] = fmt::format("{}: {}", resource.full_name(), *reason);
        }
        continue;
      }
      pool.members.push_back(member_of(candidate, resource, *selector, knowledge_));
      members_.emplace(resource.full_name(), candidate.id());
      has_owner_[i] = true;
      if (!shared) given_[i] = true;
    }
    if (resource.nccl_env) measure_gpus(inventory_, pool);
    return pool;
  }

  [[nodiscard]] std::set<Membership> members() { return std::move(members_); }

  [[nodiscard]] std::vector<LeftOut> left_out() const {
    std::vector<LeftOut> left_out;
    for (size_t i = 0; i < candidates_.size(); ++i) {
      if (has_owner_[i]) continue;
      if (auto reason = reason_against(candidates_[i])) {
        left_out.push_back({candidates_[i].id(), std::move(*reason)});
      } else if (!reasons_[i].empty()) {
        left_out.push_back({candidates_[i].id(), reasons_[i]});
      }
    }
    return left_out;
  }

 private:
  const Inventory& inventory_;
  const Knowledge& knowledge_;
  std::vector<Candidate> candidates_;
  std::vector<bool> given_;           // to a resource that does not share it
  std::vector<bool> has_owner_;       // of any kind
  std::vector<std::string> reasons_;  // why the first resource that selects it may not have it
  std::set<Membership> members_;
};

// By the configuration alone, so that a container finds the same names on every node.
bool several_have_nccl_env(const config::Config& config) {
  int count = 0;
  for (const auto& resource : config.resources) {
    if (resource.nccl_env) count += resource.rails_auto ? 2 : 1;
  }
  return count > 1;
}

device::RailMap rail_map(const config::Config& config, const std::vector<Pool>& pools,
                         const Inventory& inventory, const Knowledge& knowledge) {
  if (!config.rail_map.empty()) return config.rail_map;
  std::vector<Member> members;
  for (const auto& pool : pools) {
    if (pool.resource.sharing) continue;
    members.insert(members.end(), pool.members.begin(), pool.members.end());
  }
  const bool may_be_known = std::ranges::any_of(config.resources, [&](const auto& resource) {
    return !resource.sharing && may_have_allocated_rails(resource, knowledge.allocated);
  });
  return number_rails(members, inventory, knowledge.rail_map, may_be_known);
}

}  // namespace

Selection select(const config::Config& config, const Inventory& inventory,
                 const Knowledge& knowledge) {
  Selection selection;
  Selecting selecting(inventory, knowledge);
  for (const auto& resource : config.resources) {
    auto pool = selecting.take(resource);
    if (!resource.rails_auto) {
      selection.pools.push_back(std::move(pool));
      continue;
    }
    const auto known = knowledge.rails.find(resource.full_name());
    auto rails =
        order_rails(pool.members, inventory,
                    known == knowledge.rails.end() ? std::vector<PciAddress>{} : known->second,
                    may_have_allocated_rails(resource, knowledge.allocated));
    for (auto& rail : split_into_rails(std::move(pool), rails)) {
      selection.pools.push_back(std::move(rail));
    }
    selection.rails[resource.full_name()] = std::move(rails);
  }
  selection.rail_map = rail_map(config, selection.pools, inventory, knowledge);
  for (auto& pool : selection.pools) {
    for (auto& member : pool.members) {
      member.rail = device::place_of(selection.rail_map, member.pf.value_or(member.address));
    }
  }
  selection.left_out = selecting.left_out();
  selection.members = selecting.members();

  const bool several = several_have_nccl_env(config);
  for (auto& pool : selection.pools) {
    pool.nccl_names_carry_resource = several && pool.resource.nccl_env;
  }
  return selection;
}

std::vector<std::span<const Pool>> pools_by_resource(const config::Config& config,
                                                     const Selection& selection) {
  std::vector<std::span<const Pool>> by_resource;
  std::span<const Pool> rest = selection.pools;
  for (const auto& resource : config.resources) {
    const auto name = resource.full_name();
    const auto count = resource.rails_auto ? selection.rails.at(name).size() : 1;
    by_resource.push_back(rest.first(count));
    rest = rest.subspan(count);
  }
  return by_resource;
}

device::ScanOptions scan_options(const config::Config& config, device::ScanOptions options) {
  for (const auto& resource : config.resources) {
    options.accelerators |= resource.type == config::DeviceType::accelerator;
    options.sub_functions |= resource.type == config::DeviceType::auxiliary;
    for (const auto& selector : resource.selectors) {
      options.acpi_indexes |= !selector.acpi_indexes.empty();
      options.p_keys |= !selector.p_keys.empty();
      options.firmware_apps |= !selector.ddp_profiles.empty();
    }
  }
  return options;
}

}  // namespace railhead::pool
